"""Where records go in tests, and whether Outlay would count them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from publish_confluent import Costs

from engines.cost.decode import CostEvent, decode

US_AFTER_ALL = 4_102_444_800_000_000
"""2100-01-01: no record of a test lies in its future."""


class Kept(Costs):
    """Keeps what it is given."""

    def __init__(self) -> None:  # without a producer
        self.records: list[dict[str, object]] = []
        self.closed = False

    def publish(self, record: Mapping[str, object]) -> None:
        self.records.append(dict(record))

    def flush(self, seconds: float) -> bool:
        return seconds > 0

    def close(self) -> None:
        self.closed = True


def counted(record: Mapping[str, Any]) -> CostEvent:
    """Return *record* as Outlay takes it in; it must not be refused."""
    event = decode(json.dumps(record).encode(), [], US_AFTER_ALL)
    assert isinstance(event, CostEvent), event
    return event
