"""The simulated databases: memory stores that lose connections and can be restored to an earlier commit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterator
from typing import TypeVar

from drivers.memory.store import MemoryStore, Snapshot
from engines.core.errors import DataRefused
from engines.core.model import Batch, IdBlock, LogBounds, OutboxRow, PageKey, Position, SettingRow, TopicPartition
from tests.simulation.weather import Service, Weather

T = TypeVar("T")
IDENTITY_BYTES = 16
STAMP_BYTES = 20
BACKUPS_MAX = 6
BACKUP_SHARE = 0.2


class Watch:
    """Hears of what happens to a database; does nothing itself."""

    def closing(self) -> None:
        """A close is about to be committed."""

    def claimed(self, before: Position | None, after: Position) -> None:
        """A claim succeeded."""

    def rolled_back(self, database: Database) -> None:
        """A backup was restored."""

    def refused(self) -> None:
        """A batch was refused."""


class Database:
    """One database and its backups; implements the port ``Store`` for whoever calls from whatever node."""

    def __init__(self, name: str, tables: MemoryStore, weather: Weather) -> None:
        self.tables = tables
        self.service = Service(name)
        self._weather = weather
        self._backups: list[Snapshot] = [tables.snapshot()]
        self.sent: defaultdict[TopicPartition, dict[int, OutboxRow]] = defaultdict(dict)
        """Every message ever committed, as long as its commit was not rolled back."""
        self.refused: frozenset[bytes] = frozenset()
        """Identities of records that are not taken."""
        self.watch: Watch = Watch()

    def roll_back(self) -> None:
        """Restore a backup, as of one of the last commits or of the beginning; every connection breaks.

        Settings rows appended since are appended again at once: whoever set them is there to see it.
        """
        del self._backups[self._weather.random.randint(1, len(self._backups)) :]  # what came later never was
        settings = self.tables.settings
        self.tables.restore(self._backups[-1])
        kept = len(self.tables.settings)
        self.tables.append_settings(row[1:] for row in settings[kept:])
        for tp, sent in self.sent.items():
            position = self.tables.positions.get(tp)
            last = 0 if position is None else position.outbox_seq
            self.sent[tp] = {seq: row for seq, row in sent.items() if seq <= last}
        self.watch.rolled_back(self)
        self.service.disconnect()

    def oldest(self, tp: TopicPartition) -> Position | None:
        """Return the position of *tp* in the oldest backup, or as it is now."""
        return self._backups[0].state.positions.get(tp)

    async def newest_setting(self) -> int:
        """Return the sequence number of the newest settings row, 0 when there is none. Raises Transient."""

        async def act() -> int:
            return len(self.tables.settings)

        return await self._call("newest setting", act)

    async def claim(self, tp: TopicPartition, log: LogBounds) -> Position:
        """See ``Store.claim``."""

        async def act() -> Position:
            before = self.tables.positions.get(tp)
            after = await self.tables.claim(tp, log)
            self.watch.claimed(before, after)
            return after

        return await self._call("claim", act, may_be_late=True)

    async def read_position(self, tp: TopicPartition) -> Position | None:
        """See ``Store.read_position``."""
        return await self._call("read_position", lambda: self.tables.read_position(tp))

    async def load_pages(self, tp: TopicPartition, keys: Collection[PageKey]) -> dict[PageKey, bytes]:
        """See ``Store.load_pages``."""
        return await self._call("load_pages", lambda: self.tables.load_pages(tp, keys))

    async def load_ids(self, tp: TopicPartition, first_day: int | None, last_day: int | None = None) -> list[IdBlock]:
        """See ``Store.load_ids``."""
        return await self._call("load_ids", lambda: self.tables.load_ids(tp, first_day, last_day))

    async def load_settings(self, tp: TopicPartition, after_seq: int) -> list[SettingRow]:
        """See ``Store.load_settings``."""
        return await self._call("load_settings", lambda: self.tables.load_settings(tp, after_seq))

    async def stale_pages(self, tp: TopicPartition, after: int) -> list[tuple[PageKey, int]]:
        """See ``Store.stale_pages``."""
        return await self._call("stale_pages", lambda: self.tables.stale_pages(tp, after))

    async def load_outbox(self, tp: TopicPartition, after_seq: int, limit: int) -> list[OutboxRow]:
        """See ``Store.load_outbox``."""
        return await self._call("load_outbox", lambda: self.tables.load_outbox(tp, after_seq, limit))

    async def page_tenants(
        self, tp: TopicPartition, kind: str, buckets: range, after: str | None, limit: int
    ) -> list[str]:
        """See ``Store.page_tenants``."""
        return await self._call("page_tenants", lambda: self.tables.page_tenants(tp, kind, buckets, after, limit))

    async def first_bucket(self, tp: TopicPartition, kind: str, buckets: range) -> int | None:
        """See ``Store.first_bucket``."""
        return await self._call("first_bucket", lambda: self.tables.first_bucket(tp, kind, buckets))

    async def commit(self, batch: Batch) -> bool:
        """See ``Store.commit``."""

        async def act() -> bool:
            if batch.settings_seq is not None:
                self.watch.closing()
            if self.refused and not self.refused.isdisjoint(_identities(batch)) and self._is_due(batch):
                self.watch.refused()
                raise DataRefused("poison")
            done = await self.tables.commit(batch)
            if done:
                self.sent[batch.position.tp].update((row.seq, row) for row in batch.outbox)
            if done and self._weather.random.random() < BACKUP_SHARE:
                self._backups = [*self._backups, self.tables.snapshot()][-BACKUPS_MAX:]
            return done

        return await self._call("commit", act, may_be_late=True)

    def _is_due(self, batch: Batch) -> bool:
        row = self.tables.positions.get(batch.position.tp)
        return row is not None and (row.epoch, row.version) == (batch.expected_epoch, batch.expected_version)

    async def _call(self, what: str, act: Callable[[], Awaitable[T]], *, may_be_late: bool = False) -> T:
        return await self._weather.call(self.service, f"{self.service.name} {what}", act, may_be_late=may_be_late)


def _identities(batch: Batch) -> Iterator[bytes]:
    for block in batch.id_blocks:
        for at in range(0, len(block.body), STAMP_BYTES):
            yield block.body[at : at + IDENTITY_BYTES]
