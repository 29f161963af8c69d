"""One planted bug each, to prove that the simulation finds what it is there to find."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from drivers.memory.store import MemoryStore
from engines.core.model import (
    Batch,
    Chunk,
    Context,
    Effects,
    IdBlock,
    LogBounds,
    OutboxRow,
    PageKey,
    Position,
    TopicPartition,
)
from engines.core.ports import Pages
from engines.cost.fold import NO_LIMITS, FoldLimits
from engines.cost.lines import SNAPSHOTS_TOPIC
from streams.shell import Shell
from tests.simulation.broker import SimLog
from tests.simulation.rules import Identity, SimDomain, SimRuns
from tests.simulation.run import Parts


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


class MarkLost(MemoryStore):
    """Forgets what a dead owner was trying."""

    async def claim(self, tp: TopicPartition, log: LogBounds) -> Position:
        """Claim without the mark."""
        return replace(await super().claim(tp, log), attempt=None)


class StartAnywhere(MemoryStore):
    """Goes on where the log begins, when it does not hold the position any more."""

    async def claim(self, tp: TopicPartition, log: LogBounds) -> Position:
        """Move the position into the log first."""
        row = self.positions.get(tp)
        if row is not None and row.next_offset < log.start:
            self.positions[tp] = replace(row, next_offset=log.start)
        return await super().claim(tp, log)


class TopicUnpinned(MemoryStore):
    """Takes any topic of the same name for the one it knows."""

    async def claim(self, tp: TopicPartition, log: LogBounds) -> Position:
        """Claim without comparing ids."""
        row = self.positions.get(tp)
        if row is not None and row.topic_id != log.topic_id:
            self.positions[tp] = replace(row, next_offset=log.end, topic_id=log.topic_id)
        return await super().claim(tp, replace(log, topic_id=""))


class PagesLost(MemoryStore):
    """Loses a page when an owner takes in what another has written, now and then."""

    _loads = 0

    async def load_pages(self, tp: TopicPartition, keys: Collection[PageKey]) -> dict[PageKey, bytes]:
        """Return what is asked for; every fiftieth time nothing."""
        self._loads += 1
        return {} if self._loads % 50 == 0 else await super().load_pages(tp, keys)


class Credulous(Shell):
    """Takes in whatever chunk comes, wherever it starts."""

    async def process(self, chunk: Chunk) -> None:
        """Take *chunk* for the one that is due."""
        owner = self.owners.get(TopicPartition(chunk.topic, chunk.partition))
        if owner is not None and owner.claim is not None:
            chunk = replace(chunk, start=owner.claim.state.folded.next_offset)
        await super().process(chunk)


class RoomForOneMore(SimDomain):
    """Lets a tenant's day have one entity more than is set."""

    def __init__(
        self, poison: Collection[Identity] = (), killers: Collection[Identity] = (), limits: FoldLimits = NO_LIMITS
    ) -> None:
        super().__init__(poison, killers, replace(limits, entities_max=limits.entities_max + 1))


class SnapshotUntold(SimDomain):
    """Does not publish the last snapshot of a close."""

    def close(self, pages: Pages, period: int, tenants: Sequence[str], context: Context) -> Effects:
        """Close *period*, and leave one out."""
        effects = super().close(pages, period, tenants, context)
        if effects.outgoing and effects.outgoing[-1].topic == SNAPSHOTS_TOPIC:
            effects.outgoing.pop()
        return effects


class EndUntold(SimRuns):
    """Does not publish the last of what the close of an hour settles."""

    def close(self, pages: Pages, period: int, tenants: Sequence[str], context: Context) -> Effects:
        """Close *period*, and leave one out."""
        effects = super().close(pages, period, tenants, context)
        del effects.outgoing[-1:]
        return effects


class EndWithinTransaction(SimLog):
    """Takes the last stable offset for the end of the log."""

    def ends_at(self, tp: TopicPartition, position: int) -> bool:
        """Whether nothing more can be read now."""
        return position == self.stable_end(tp)


PLANTED = {
    "commits are not fenced": Parts(tables=Unfenced),
    "state and position apart": Parts(tables=PositionApart),
    "outbox lost": Parts(tables=OutboxLost),
    "outbox one short": Parts(tables=OutboxShort),
    "ids of closed days lost": Parts(tables=ClosedIdsLost),
    "closes know no newest setting": Parts(tables=SettingsUnheld),
    "mark of the dead lost": Parts(tables=MarkLost),
    "start of the log accepted": Parts(tables=StartAnywhere),
    "another topic accepted": Parts(tables=TopicUnpinned),
    "pages lost": Parts(tables=PagesLost),
    "end of the log within a transaction": Parts(log=EndWithinTransaction),
    "any chunk taken": Parts(shell=Credulous),
    "one entity too many": Parts(rules=RoomForOneMore),
    "a snapshot untold": Parts(rules=SnapshotUntold),
    "what an hour settled untold": Parts(rules_of_runs=EndUntold),
}
"""By name, for ``--planted``."""
