"""The ends a consumed record can come to, and the messages that tell of those that are not counted.

Every record ends as exactly one fate; ``accepted + duplicates + dead + late + forwarded = events`` always holds
(CONTRACT §1). The names are the keys of ``Position.counts`` and of every summary.
"""

from __future__ import annotations

import base64
from typing import Final

import msgspec

from engines.core.model import Invalid, Outgoing, Record
from engines.core.ports import Event
from engines.core.time import format_instant

EVENTS: Final = "events"
ACCEPTED: Final = "accepted"
DUPLICATES: Final = "duplicates"
CONFLICTING: Final = "conflicting"
DEAD: Final = "dead"
LATE: Final = "late"
FORWARDED: Final = "forwarded"
RESTATED: Final = "restated"
LATE_NANOUSD: Final = "late_nanousd"
SENT: Final = "sent."
"""Prefix of the numbers of messages written for each output topic."""
FATES: Final = (ACCEPTED, DUPLICATES, DEAD, LATE, FORWARDED)

TOO_OLD: Final = "too_old"
DEDUP_UNKNOWN: Final = "dedup_unknown"

DEAD_LETTERS: Final = "dead-letters"
LATE_RECORDS: Final = "late-records"
FORWARDED_FROM: Final = "outlay-forwarded-from"

_encode = msgspec.json.Encoder(order="sorted").encode


def cloud_event(event_id: str, source: str, event_type: str, time_us: int) -> list[tuple[str, bytes]]:
    """Return the CloudEvents binary-mode headers that everything we publish carries (CONTRACT §1)."""
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", event_id.encode()),
        ("ce_source", source.encode()),
        ("ce_type", event_type.encode()),
        ("ce_time", format_instant(time_us).encode()),
        ("content-type", b"application/json"),
    ]


def dead_letter(topic: str, partition: int, record: Record, why: Invalid) -> Outgoing:
    """Return the dead line of *record* (CONTRACT §5): its original bytes, its place, the field and the reason."""
    line = {
        "topic": topic,
        "partition": partition,
        "offset": record.offset,
        "key": _base64(record.key),
        "headers": [[name, _base64(value)] for name, value in record.headers],
        "field": why.field,
        "reason": why.reason,
        "value_base64": _base64(record.value),
    }
    place = f"{topic}/{partition}/{record.offset}"
    headers = cloud_event(place, "outlay", "dead-letter", max(record.timestamp, 0) * 1000)
    return Outgoing(DEAD_LETTERS, place.encode(), _encode(line), headers, None)


def forwarded(topic: str, partition: int, record: Record, tenant_id: str) -> Outgoing:
    """Return *record* on its way home: same bytes and headers, its origin in one more header."""
    tenant = tenant_id.encode()
    origin = (FORWARDED_FROM, f"{topic}/{partition}/{record.offset}".encode())
    return Outgoing(topic, tenant, record.value, [*record.headers, origin], tenant)


def late_record(topic: str, partition: int, record: Record, event: Event, told: LateLine) -> Outgoing:
    """Return the late line of *event* (CONTRACT §5)."""
    place = f"{topic}/{partition}/{record.offset}"
    headers = cloud_event(f"late:{place}", "outlay", "late-record", event.occurred_at)
    tenant = event.tenant_id.encode()
    return Outgoing(LATE_RECORDS, tenant, _encode(told), headers, tenant)


class LateLine(msgspec.Struct, frozen=True):
    """A record that came too late to be counted as usual; ``cost_nanousd`` is null when it has no known price."""

    tenant_id: str
    source: str
    id: str
    occurred_at: str
    partition: int
    offset: int
    reason: str
    cost_nanousd: int | None


def _base64(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()
