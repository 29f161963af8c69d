"""Events of runs as producers write them, and what decoding makes of them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from engines.core.model import Invalid
from engines.core.time import parse_instant
from engines.runs.decode import decode
from engines.runs.event import FAILED, RunEvent

AT = "2026-03-18T21:28:01.943Z"
AT_US = parse_instant(AT)
MEMBERS: dict[str, object] = {
    "type": "run-failed",
    "id": "event-1",
    "run_id": "run-1",
    "tenant_id": "acme",
    "worker_id": "triage",
    "occurred_at": AT,
}
PLAIN = RunEvent("event-1", "acme", "", AT_US, "run-1", "triage", FAILED)
Headers = Sequence[tuple[str, bytes | None]]


def value_of(**members: object) -> bytes:
    return json.dumps({**MEMBERS, **members}).encode()


def with_raw(member: str, raw: str) -> bytes:
    """A good event with one more member, written as it stands."""
    return f'{json.dumps(MEMBERS)[:-1]},"{member}":{raw}}}'.encode()


def without(*names: str) -> bytes:
    return json.dumps({name: member for name, member in MEMBERS.items() if name not in names}).encode()


def read(value: bytes | None, headers: Headers = (), append_us: int = AT_US) -> RunEvent | Invalid:
    return decode(value, headers, append_us)


def accepted(value: bytes, headers: Headers = ()) -> RunEvent:
    event = read(value, headers)
    assert isinstance(event, RunEvent)
    return event


def refused(value: bytes | None, headers: Headers = ()) -> tuple[str | None, str]:
    invalid = read(value, headers)
    assert isinstance(invalid, Invalid)
    return invalid.field, invalid.reason
