"""Databases with a planted bug each, to prove that the simulation finds what it is there to find."""

from __future__ import annotations

from dataclasses import replace

from drivers.memory.store import MemoryStore
from engines.core.model import Batch, IdBlock, LogBounds, OutboxRow, Position, TopicPartition


class Unfenced(MemoryStore):
    """Commits whatever comes: no compare-and-set."""

    async def commit(self, batch: Batch) -> bool:
        """Apply *batch* over whatever is there."""
        row = self.positions.get(batch.position.tp)
        if row is None:
            return False
        return await super().commit(replace(batch, expected_epoch=row.epoch, expected_version=row.version))


class PositionApart(MemoryStore):
    """Writes state and position in two transactions: now and then the second one is missing."""

    _commits = 0

    async def commit(self, batch: Batch) -> bool:
        """Apply *batch*; every fifth time without moving the offset."""
        self._commits += 1
        row = self.positions.get(batch.position.tp)
        if self._commits % 5 == 0 and row is not None:
            batch = replace(batch, position=replace(batch.position, next_offset=row.next_offset))
        return await super().commit(batch)


class OutboxLost(MemoryStore):
    """Forgets unpublished messages when a partition changes hands."""

    async def claim(self, tp: TopicPartition, log: LogBounds) -> Position:
        """Claim, and drop the outbox."""
        self.outbox.pop(tp, None)
        return await super().claim(tp, log)


class OutboxShort(MemoryStore):
    """Returns one unpublished message too few."""

    async def load_outbox(self, tp: TopicPartition, after_seq: int, limit: int) -> list[OutboxRow]:
        """Return all but the last."""
        return (await super().load_outbox(tp, after_seq, limit))[:-1]


class ClosedIdsLost(MemoryStore):
    """Forgets which records of a closed day it has seen."""

    async def load_ids(self, tp: TopicPartition, first_day: int | None, last_day: int | None = None) -> list[IdBlock]:
        """Return the identities of open days only: who asks for a single day asks for a closed one."""
        return await super().load_ids(tp, first_day, last_day) if last_day is None else []


class SettingsUnheld(MemoryStore):
    """Lets a day close that was judged without the newest settings row."""

    async def commit(self, batch: Batch) -> bool:
        """Apply *batch* whatever it knew."""
        return await super().commit(replace(batch, settings_seq=None))
