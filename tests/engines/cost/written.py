"""Cost records as producers write them, and what decoding makes of them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from engines.core.model import Invalid
from engines.core.time import parse_instant
from engines.cost.decode import CostEvent, decode

AT = "2026-03-18T21:28:01.943Z"
AT_US = parse_instant(AT)
MEMBERS: dict[str, object] = {
    "id": "call-1",
    "tenant_id": "acme",
    "occurred_at": AT,
    "model": "gpt-5",
    "input_tokens": 10,
    "output_tokens": 5,
}
PLAIN = CostEvent("call-1", "acme", "", AT_US, "gpt-5", 10, 5)
Headers = Sequence[tuple[str, bytes | None]]


def value_of(**members: object) -> bytes:
    return json.dumps({**MEMBERS, **members}).encode()


def with_raw(member: str, raw: str) -> bytes:
    """A good record with one more member, written as it stands."""
    return f'{json.dumps(MEMBERS)[:-1]},"{member}":{raw}}}'.encode()


def without(*names: str) -> bytes:
    return json.dumps({name: member for name, member in MEMBERS.items() if name not in names}).encode()


def read(value: bytes | None, headers: Headers = (), append_us: int = AT_US) -> CostEvent | Invalid:
    return decode(value, headers, append_us)


def accepted(value: bytes, headers: Headers = ()) -> CostEvent:
    event = read(value, headers)
    assert isinstance(event, CostEvent)
    return event


def refused(value: bytes | None, headers: Headers = ()) -> tuple[str | None, str]:
    invalid = read(value, headers)
    assert isinstance(invalid, Invalid)
    return invalid.field, invalid.reason
