"""Who knows which settings rows from which record on, in runs that are held against the oracle."""

import json
from collections.abc import Awaitable, Callable, Sequence

from drivers.memory.store import MemoryStore
from engines.core.model import TopicPartition
from tests import oracle

Append = Callable[[int, Sequence[oracle.Setting]], Awaitable[int]]
"""Appends rows to the database of a partition and returns the newest sequence number there."""


class Learning:
    """What each partition's worker is told of the settings rows, and when: before the record that each row names.

    A database of its own for each partition lets each be told at a time of its own.
    """

    def __init__(self, rows: Sequence[oracle.Setting], partitions: int, append: Append) -> None:
        self.seen = [0] * partitions
        self._append = append
        self._waiting = [list(rows) for _ in range(partitions)]
        for partition, waiting in enumerate(self._waiting):
            offsets = [row.known_before.get(partition, -1) for row in waiting]
            assert offsets == sorted(offsets), "rows are known in the order in which they were appended"

    def seen_by(self, tp: TopicPartition) -> int:
        """Return the newest row that the worker of *tp* was told of."""
        return self.seen[tp.partition]

    def due(self, partition: int, offset: int | None) -> list[oracle.Setting]:
        """Return the rows not told yet that are known before the record at *offset*; None: all of them."""
        waiting = self._waiting[partition]
        return [row for row in waiting if offset is None or row.known_before.get(partition, -1) <= offset]

    async def tell(self, partition: int, offset: int | None) -> bool:
        """Tell the rows that are due, and return whether there were any."""
        due = self.due(partition, offset)
        if due:
            del self._waiting[partition][: len(due)]
            self.seen[partition] = await self._append(partition, due)
        return bool(due)

    def stop(self, partition: int, offset: int) -> int | None:
        """Return the first offset after *offset* before which more is known; None: there is none."""
        later = [row.known_before.get(partition, -1) for row in self._waiting[partition]]
        return min((at for at in later if at > offset), default=None)


def in_memory(stores: Sequence[MemoryStore]) -> Append:
    """Return what appends rows to memory stores, one a partition."""

    async def append(partition: int, rows: Sequence[oracle.Setting]) -> int:
        return stores[partition].append_settings(map(content, rows))[-1]

    return append


def content(row: oracle.Setting) -> tuple[str, str, int | None, bytes]:
    """Return what is stored of a settings row."""
    return row.kind, row.tenant_id, row.effective_us, json.dumps(dict(row.body)).encode()
