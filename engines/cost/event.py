"""A cost record as the folds see it, and what tells two of them apart.

One invariant: everything here is a function of the record alone (CONTRACT §1, §3), never of where in the log it
stands, when it was read, or what it was priced at.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import Final

import msgspec

from engines.core.time import US_PER_DAY

_pack = msgspec.msgpack.Encoder().encode
_crc32 = zlib.crc32
_EMPTY_HASH: Final = hashlib.blake2b(digest_size=16)


class CostEvent(msgspec.Struct, array_like=True, gc=False):
    """One call of a model, decoded and with defaults.

    Attributes:
        source: CloudEvents source, "" when there is none.
        occurred_at: event time in microseconds since the epoch.
        input_tokens: cached ones included.
        cost_nanousd: what the record says it cost; None when it is to be priced (CONTRACT §4).
    """

    id: str
    tenant_id: str
    source: str
    occurred_at: int
    model: str
    input_tokens: int
    output_tokens: int
    user_id: str | None = None
    feature_tag: str | None = None
    provider: str | None = None
    request_id: str | None = None
    workflow_id: str | None = None
    skill_id: str | None = None
    cached_input_tokens: int = 0
    is_retry: bool = False
    cost_nanousd: int | None = None


def identity(event: CostEvent) -> bytes:
    """Return the 16-byte identity of *event*: tenant, source, id, UTC day of ``occurred_at`` (CONTRACT §3).

    The four are hashed as a packed list, so that no two lists read as the same bytes.
    """
    hashed = _EMPTY_HASH.copy()
    hashed.update(_pack((event.tenant_id, event.source, event.id, event.occurred_at // US_PER_DAY)))
    return hashed.digest()


def stamp(event: CostEvent) -> bytes:
    """Return the identity of *event* and its content checksum, big endian: what is kept of an accepted record."""
    return identity(event) + _crc32(_pack(event)).to_bytes(4, "big")


def content_crc(event: CostEvent) -> int:
    """Return a 32-bit checksum of every known field, to tell a conflicting copy from a plain one (CONTRACT §3).

    Taken of what the producer said: an event whose ``cost_nanousd`` was filled in by pricing gives another sum.
    """
    return zlib.crc32(_pack(event))
