"""Bytes to runs: CONTRACT §1 and §7, read literally.

Invariant: `decode` never raises; whatever it cannot read is a `Bad` with the field to blame.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.oracle.records import (
    DAY_US,
    Bad,
    Refused,
    cost_of,
    filled,
    members_of,
    parse_time,
    required,
    source_of,
    text_of,
    tokens_of,
)

STARTED = "run-started"
OUTCOMES = {"run-completed": "completed", "run-failed": "failed", "run-crashed": "crashed"}
ERROR_MAX = 65_536
Identity = tuple[str, str, str, int, str | None]


@dataclass(frozen=True)
class Run:
    """One event of a run after decoding and defaults; two copies conflict when these differ (CONTRACT §3).

    Attributes:
        defaulted: nobody gave an id, so it is the run's. An id that was written out is none of these, even when it is
            equal to the run's.
        error: what was said, of any type of event; only that of a failed run counts.
        cost_nanousd: None when nobody said; 0 is no cost either.
    """

    source: str
    id: str
    defaulted: bool
    type: str
    run_id: str
    tenant_id: str
    worker_id: str
    occurred_us: int
    error: str | None
    error_type: str | None
    model: str | None
    feature_tag: str | None
    request_id: str | None
    cost_nanousd: int | None
    input_tokens: int | None
    output_tokens: int | None

    @property
    def identity(self) -> Identity:
        """What makes a later copy a duplicate; an id that is the run's own is one of its type of event."""
        kind = self.type if self.defaulted else None
        return (self.tenant_id, self.source, self.id, self.occurred_us // DAY_US, kind)

    @property
    def outcome(self) -> str | None:
        """How the run ended; None: it only started."""
        return OUTCOMES.get(self.type)

    @property
    def place(self) -> tuple[int, str, str, str, int, bool]:
        """The place among a tenant's ended runs.

        The last member parts what the order leaves equal: a given id comes before one that is the run's own.
        """
        outcome = list(OUTCOMES).index(self.type)
        return (self.occurred_us, self.run_id, self.source, self.id, outcome, self.defaulted)

    @property
    def cost(self) -> int:
        """What a completed run cost, in nano-USD; 0 for all others."""
        return (self.cost_nanousd or 0) if self.outcome == "completed" else 0

    @property
    def failure(self) -> str | None:
        """What a failed run said, which may be ""; None: it said nothing, or did not fail."""
        return self.error if self.outcome == "failed" else None


def decode(value: bytes | None, headers: Sequence[tuple[str, bytes]] = ()) -> Run | Bad:
    """Return the event in *value*, its gaps filled from CloudEvents *headers*, or why there is none."""
    try:
        return _run(members_of(value), dict(headers))
    except Refused as refused:
        return refused.bad


def _run(body: Mapping[str, Any], headers: Mapping[str, bytes]) -> Run:
    kind = required(filled(body, headers, "type", "ce_type"), "type")
    if kind not in (STARTED, *OUTCOMES):
        raise Refused("type", "unknown type")
    occurred_us = parse_time(required(filled(body, headers, "occurred_at", "ce_time"), "occurred_at"))
    if occurred_us is None:
        raise Refused("occurred_at", "not a time")
    run_id = required(text_of(body, "run_id"), "run_id")
    given_id = filled(body, headers, "id", "ce_id")
    return Run(
        source=source_of(headers),
        id=given_id or run_id,
        defaulted=given_id is None,
        type=kind,
        run_id=run_id,
        tenant_id=required(text_of(body, "tenant_id"), "tenant_id"),
        worker_id=required(text_of(body, "worker_id"), "worker_id"),
        occurred_us=occurred_us,
        error=text_of(body, "error", least=0, most=ERROR_MAX),
        error_type=text_of(body, "error_type"),
        model=text_of(body, "model"),
        feature_tag=text_of(body, "feature_tag"),
        request_id=text_of(body, "request_id"),
        cost_nanousd=cost_of(body),
        input_tokens=_tokens(body, "input_tokens"),
        output_tokens=_tokens(body, "output_tokens"),
    )


def _tokens(body: Mapping[str, Any], field: str) -> int | None:
    return None if body.get(field) is None else tokens_of(body, field, None)
