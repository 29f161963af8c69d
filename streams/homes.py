"""Where a tenant lives: murmur2 of its id over the pinned number of partitions."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

PartitionOf = Callable[[bytes, int], int]
_CACHE_MAX = 200_000


class Homes:
    """Home partitions of tenants over *partitions*, remembered because hashing costs more than looking up."""

    def __init__(self, partitions: int, partition_of: PartitionOf) -> None:
        self.partitions = partitions
        self._partition_of = partition_of
        self._known: dict[str, int] = {}

    def home_of(self, tenant_id: str) -> int:
        """Return the home partition of *tenant_id*."""
        home = self._known.get(tenant_id)
        if home is None:
            if len(self._known) >= _CACHE_MAX:
                self._known.clear()
            home = self._known[tenant_id] = self._partition_of(tenant_id.encode(), self.partitions)
        return home


class _Owned(msgspec.Struct, gc=False):
    """What is read of an event to place it."""

    tenant_id: str


_owned = msgspec.json.Decoder(_Owned).decode


def tenant_key(value: bytes) -> bytes | None:
    """Return the key that routes an event to its home: its tenant id, None when it tells of none."""
    try:
        return _owned(value).tenant_id.encode() or None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
