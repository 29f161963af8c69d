"""An event of a run as the folds see it, and what tells two of them apart.

One invariant: everything here is a function of the record alone (CONTRACT §1, §3, §7), never of where in the log it
stands or when it was read.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import Final

import msgspec

from engines.core.time import US_PER_DAY

COMPLETED: Final = 0
FAILED: Final = 1
CRASHED: Final = 2
STARTED: Final = 3

OUTCOMES: Final = {"run-completed": COMPLETED, "run-failed": FAILED, "run-crashed": CRASHED, "run-started": STARTED}
"""The outcome that each ``type`` tells of. Those below ``STARTED`` end a run, and order ends of one instant."""

_pack = msgspec.msgpack.Encoder().encode
_crc32 = zlib.crc32
_EMPTY_HASH: Final = hashlib.blake2b(digest_size=16)


class RunEvent(msgspec.Struct, array_like=True, gc=False):
    """The start of a run or one of its ends, decoded and with defaults.

    Attributes:
        id: the event's; the run's id when the producer gave none.
        source: CloudEvents source, "" when there is none.
        occurred_at: event time in microseconds since the epoch.
        outcome: COMPLETED, FAILED or CRASHED when the run has ended, STARTED when it began.
        error: as the record says it, "" included; it counts for nothing unless the outcome is FAILED.
        cost_nanousd: what the record says the run cost, None when it says nothing; runs are never priced.
        is_id_default: whether neither the body nor a header gave an id.
    """

    id: str
    tenant_id: str
    source: str
    occurred_at: int
    run_id: str
    worker_id: str
    outcome: int
    error: str | None = None
    error_type: str | None = None
    cost_nanousd: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    model: str | None = None
    feature_tag: str | None = None
    request_id: str | None = None
    is_id_default: bool = False


def identity(event: RunEvent) -> bytes:
    """Return the 16-byte identity of *event*: tenant, source, id, UTC day of ``occurred_at`` (CONTRACT §3).

    An id that was taken from the run is one of its type, or the end of a run would be a copy of its start. The parts
    are hashed as a packed list, so that no two lists read as the same bytes.
    """
    hashed = _EMPTY_HASH.copy()
    day = event.occurred_at // US_PER_DAY
    if event.is_id_default:
        hashed.update(_pack((event.tenant_id, event.source, event.id, day, event.outcome)))
    else:
        hashed.update(_pack((event.tenant_id, event.source, event.id, day)))
    return hashed.digest()


def stamp(event: RunEvent) -> bytes:
    """Return the identity of *event* and its content checksum, big endian: what is kept of an accepted record."""
    return identity(event) + content_crc(event).to_bytes(4, "big")


def content_crc(event: RunEvent) -> int:
    """Return a 32-bit checksum of every known field, to tell a conflicting copy from a plain one (CONTRACT §3)."""
    return _crc32(_pack(event))
