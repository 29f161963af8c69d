"""``MemoryStore``: the port ``Store`` in plain dicts, for replay, simulation and tests.

It refuses what PostgreSQL refuses and changes nothing then; an effect is one step between two suspensions.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from drivers.claims import TopicPin, completed, pin_of, refusal
from drivers.memory import refuse
from engines.core.errors import PositionRefused, SettingsMoved
from engines.core.model import (
    Batch,
    IdBlock,
    LogBounds,
    OutboxRow,
    PageKey,
    Position,
    SettingRow,
    TableRow,
    TopicPartition,
)
from engines.core.tables import TABLES

Suspend = Callable[[str], Awaitable[None]]
RowKey = tuple[object, ...]
RowValues = tuple[object, ...]


class StoredPage(NamedTuple):
    """A page's bytes and the ``next_offset`` of the commit that wrote them."""

    body: bytes
    as_of: int


@dataclass(slots=True)
class _State:
    """All tables; every value inside is immutable, so that a copy of the dicts is a backup."""

    positions: dict[TopicPartition, Position] = field(default_factory=dict)
    pins: dict[str, TopicPin] = field(default_factory=dict)
    pages: dict[TopicPartition, dict[PageKey, StoredPage]] = field(default_factory=dict)
    ids: dict[TopicPartition, dict[tuple[int, int], bytes]] = field(default_factory=dict)
    outbox: dict[TopicPartition, dict[int, OutboxRow]] = field(default_factory=dict)
    rows: dict[str, dict[RowKey, RowValues]] = field(default_factory=lambda: {name: {} for name in TABLES})
    tenants: dict[TopicPartition, dict[str, dict[int, set[str]]]] = field(default_factory=dict)
    """Tenants by kind and bucket of their pages: an index, so that a close does not visit every page."""
    parts: dict[TopicPartition, dict[PageKey, set[int]]] = field(default_factory=dict)
    """Numbers of the parts of a page, under its key with part 0: an index, too."""
    settings: list[SettingRow] = field(default_factory=list)

    def copy(self) -> _State:
        return _State(
            positions=dict(self.positions),
            pins=dict(self.pins),
            pages={tp: dict(pages) for tp, pages in self.pages.items()},
            ids={tp: dict(blocks) for tp, blocks in self.ids.items()},
            outbox={tp: dict(rows) for tp, rows in self.outbox.items()},
            rows={name: dict(rows) for name, rows in self.rows.items()},
            tenants={
                tp: {kind: {bucket: set(names) for bucket, names in buckets.items()} for kind, buckets in kinds.items()}
                for tp, kinds in self.tenants.items()
            },
            parts={tp: {key: set(numbers) for key, numbers in pages.items()} for tp, pages in self.parts.items()},
            settings=list(self.settings),
        )


class Snapshot(NamedTuple):
    """A backup of a ``MemoryStore``; nobody changes what is inside."""

    state: _State


class MemoryStore:
    """The tables of one database, kept in this process.

    Args:
        suspend: awaited as ``suspend("commit:before")``, ``suspend("commit:after")`` and so on around each effect;
            what it raises is raised there. Without it nothing is awaited.
    """

    def __init__(self, suspend: Suspend | None = None) -> None:
        self._suspend = suspend
        self._state = _State()
        self._claims = itertools.count(1)
        """Not part of the state: a restored store hands no epoch out twice."""

    @property
    def positions(self) -> dict[TopicPartition, Position]:
        """The position rows."""
        return self._state.positions

    @property
    def pages(self) -> dict[TopicPartition, dict[PageKey, StoredPage]]:
        """The pages of each partition."""
        return self._state.pages

    @property
    def outbox(self) -> dict[TopicPartition, dict[int, OutboxRow]]:
        """The unpublished messages of each partition by sequence number."""
        return self._state.outbox

    def rows(self, table: str) -> dict[RowKey, RowValues]:
        """Return the rows of a projection: (partition, key columns…) → the columns after ``partition``."""
        return self._state.rows[table]

    @property
    def settings(self) -> list[SettingRow]:
        """The settings rows, in order."""
        return self._state.settings

    def append_settings(self, rows: Iterable[tuple[str, str, int | None, bytes]]) -> list[int]:
        """Append (kind, tenant_id, effective_us, body) rows and return their sequence numbers; nothing is judged."""
        first = len(self._state.settings) + 1
        added = [SettingRow(seq, *row) for seq, row in enumerate(rows, first)]
        self._state.settings.extend(added)
        return [row.seq for row in added]

    def snapshot(self) -> Snapshot:
        """Return a backup of everything."""
        return Snapshot(self._state.copy())

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to *snapshot*, as a database restored from a backup does."""
        self._state = snapshot.state.copy()

    async def claim(self, tp: TopicPartition, log: LogBounds) -> Position:
        """See ``Store.claim``."""
        if self._suspend is not None:
            await self._suspend("claim:before")
        position = self._claim(tp, log)
        if self._suspend is not None:
            await self._suspend("claim:after")
        return position

    async def read_position(self, tp: TopicPartition) -> Position | None:
        """See ``Store.read_position``."""
        if self._suspend is not None:
            await self._suspend("read_position:before")
        position = self._state.positions.get(tp)
        if self._suspend is not None:
            await self._suspend("read_position:after")
        return None if position is None else replace(position, counts=dict(position.counts))

    async def load_pages(self, tp: TopicPartition, keys: Collection[PageKey]) -> dict[PageKey, bytes]:
        """See ``Store.load_pages``."""
        if self._suspend is not None:
            await self._suspend("load_pages:before")
        pages, parts = self._state.pages.get(tp, {}), self._state.parts.get(tp, {})
        wanted = (key._replace(page=n) for key in {key._replace(page=0) for key in keys} for n in parts.get(key, ()))
        found = {key: pages[key].body for key in wanted}
        if self._suspend is not None:
            await self._suspend("load_pages:after")
        return found

    async def load_ids(self, tp: TopicPartition, first_day: int | None, last_day: int | None = None) -> list[IdBlock]:
        """See ``Store.load_ids``; ordered by day and offset."""
        if self._suspend is not None:
            await self._suspend("load_ids:before")
        blocks = sorted(self._state.ids.get(tp, {}).items())
        first, last = -math.inf if first_day is None else first_day, math.inf if last_day is None else last_day
        found = [IdBlock(day, end, body) for (day, end), body in blocks if first <= day <= last]
        if self._suspend is not None:
            await self._suspend("load_ids:after")
        return found

    async def load_settings(self, tp: TopicPartition, after_seq: int) -> list[SettingRow]:  # noqa: ARG002 the port's
        """See ``Store.load_settings``."""
        if self._suspend is not None:
            await self._suspend("load_settings:before")
        found = self._state.settings[after_seq:]
        if self._suspend is not None:
            await self._suspend("load_settings:after")
        return found

    async def stale_pages(self, tp: TopicPartition, after: int) -> list[tuple[PageKey, int]]:
        """See ``Store.stale_pages``; ordered by offset and key."""
        if self._suspend is not None:
            await self._suspend("stale_pages:before")
        pages = self._state.pages.get(tp, {})
        found = sorted((page.as_of, key) for key, page in pages.items() if page.as_of > after)
        if self._suspend is not None:
            await self._suspend("stale_pages:after")
        return [(key, as_of) for as_of, key in found]

    async def load_outbox(self, tp: TopicPartition, after_seq: int, limit: int) -> list[OutboxRow]:
        """See ``Store.load_outbox``."""
        if self._suspend is not None:
            await self._suspend("load_outbox:before")
        outbox = self._state.outbox.get(tp, {})
        found = [outbox[seq] for seq in sorted(seq for seq in outbox if seq > after_seq)[:limit]]
        if self._suspend is not None:
            await self._suspend("load_outbox:after")
        return found

    async def page_tenants(
        self, tp: TopicPartition, kind: str, buckets: range, after: str | None, limit: int
    ) -> list[str]:
        """See ``Store.page_tenants``."""
        if self._suspend is not None:
            await self._suspend("page_tenants:before")
        by_bucket = self._state.tenants.get(tp, {}).get(kind, {})
        within = (names for bucket, names in by_bucket.items() if buckets.start <= bucket < buckets.stop)
        named = set[str]().union(*within)
        found = sorted(name for name in named if after is None or name > after)[:limit]
        if self._suspend is not None:
            await self._suspend("page_tenants:after")
        return found

    async def first_bucket(self, tp: TopicPartition, kind: str, buckets: range) -> int | None:
        """See ``Store.first_bucket``."""
        if self._suspend is not None:
            await self._suspend("first_bucket:before")
        by_bucket = self._state.tenants.get(tp, {}).get(kind, {})
        found = min((bucket for bucket in by_bucket if buckets.start <= bucket < buckets.stop), default=None)
        if self._suspend is not None:
            await self._suspend("first_bucket:after")
        return found

    async def commit(self, batch: Batch) -> bool:
        """See ``Store.commit``."""
        if self._suspend is not None:
            await self._suspend("commit:before")
        done = self._commit(batch)
        if self._suspend is not None:
            await self._suspend("commit:after")
        return done

    def _claim(self, tp: TopicPartition, log: LogBounds) -> Position:
        state = self._state
        pin = state.pins.get(tp.topic, pin_of(tp.topic, log))
        found = state.positions.get(tp, Position(*tp, log.cluster_id, log.topic_id, log.start))
        problem = refusal(pin, found, log)
        if problem is not None:
            raise PositionRefused(problem)
        state.pins[tp.topic] = completed(pin, log)
        claimed = replace(
            found,
            cluster_id=found.cluster_id or log.cluster_id,
            topic_id=found.topic_id or log.topic_id,
            epoch=max(found.epoch + 1, next(self._claims)),
            version=found.version + 1,
            released=False,
        )
        state.positions[tp] = claimed
        return replace(claimed, released=found.released, counts=dict(claimed.counts))

    def _commit(self, batch: Batch) -> bool:
        state, position, tp = self._state, batch.position, batch.position.tp
        row = state.positions.get(tp)
        if row is None or (row.epoch, row.version) != (batch.expected_epoch, batch.expected_version):
            return False
        if batch.settings_seq is not None and len(state.settings) != batch.settings_seq:
            raise SettingsMoved(f"settings row {len(state.settings)} is the newest, not {batch.settings_seq}")
        outbox = state.outbox.setdefault(tp, {})
        refuse.position(position)
        refuse.pages(batch.pages)
        refuse.ids(batch.id_blocks)
        refuse.outbox(batch.outbox, outbox)
        refuse.rows(batch.rows)
        state.positions[tp] = replace(position, counts=dict(position.counts))
        self._put_pages(tp, batch)
        ids = state.ids.setdefault(tp, {})
        for day, end_offset, body in batch.id_blocks:
            ids[day, end_offset] = ids.get((day, end_offset), b"") + body
        for message in batch.outbox:
            outbox[message.seq] = message._replace(headers=tuple((name, value) for name, value in message.headers))
        for seq in [seq for seq in outbox if seq <= position.published]:
            del outbox[seq]
        self._put_rows(tp.partition, batch.rows)
        return True

    def _put_pages(self, tp: TopicPartition, batch: Batch) -> None:
        pages = self._state.pages.setdefault(tp, {})
        tenants = self._state.tenants.setdefault(tp, {})
        parts = self._state.parts.setdefault(tp, {})
        as_of = batch.position.next_offset
        for key, body in batch.pages:
            pages[key] = StoredPage(body, as_of)
            tenants.setdefault(key.kind, {}).setdefault(key.bucket, set()).add(key.tenant_id)
            parts.setdefault(key._replace(page=0), set()).add(key.page)

    def _put_rows(self, partition: int, rows: Collection[TableRow]) -> None:
        for name, values in rows:
            key_columns = TABLES[name].key_columns
            self._state.rows[name][partition, *values[:key_columns]] = values
