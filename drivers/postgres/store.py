"""``PostgresStore``: the port ``Store`` on PostgreSQL 15 and later.

A commit is one transaction that first compares and sets the position row. That is its only lock, but for a batch that
closes days: then it holds off writers of settings, too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import asyncpg

from drivers.claims import TopicPin, completed, refusal
from drivers.postgres import rows, schema_version
from drivers.postgres import statements as sql
from drivers.postgres.connections import Connections, PostgresLimits, Raw
from drivers.postgres.errors import locked_out
from drivers.postgres.positions import moved_values, outbox_columns, outbox_row, position_of, setting_row
from drivers.postgres.time_partitions import Ensured
from engines.core.errors import PositionRefused, SettingsError, SettingsMoved, Transient
from engines.core.model import Batch, IdBlock, LogBounds, OutboxRow, PageKey, Position, SettingRow, TopicPartition

DEFAULT_LIMITS = PostgresLimits()
MOVED = "UPDATE 1"
FIRST_DAY, LAST_DAY = -(2**31), 2**31 - 1


class PostgresStore:
    """One database; constructing it connects to nothing. For the arguments see ``Connections``."""

    def __init__(
        self,
        url: str,
        limits: PostgresLimits = DEFAULT_LIMITS,
        *,
        pool_size: int = 8,
        application_name: str = "outlay",
        synchronous_commit: str = "on",
    ) -> None:
        self._connections = Connections(
            url,
            limits,
            pool_size=pool_size,
            application_name=application_name,
            synchronous_commit=synchronous_commit,
            setup=rows.staging_tables(),
        )
        self._ensured = Ensured()

    async def close(self) -> None:
        """Close all connections; no call may be under way."""
        await self._connections.close()

    async def check_schema_version(self) -> None:
        """Return when the database's tables are those this code knows.

        Raises:
            SettingsError: they are not, or the database does not let us in: an operator must act.
            Transient: the database is away.
        """
        try:
            async with self._connections.raw("reading the schema version") as connection:
                await schema_version.check(connection)
        except Transient as error:
            if locked_out(error):
                raise SettingsError(str(error)) from error
            raise

    @asynccontextmanager
    async def _raw(self, doing: str) -> AsyncIterator[Raw]:
        """Lend a connection; what is not there any more as this code knows it is a SettingsError that says so."""
        try:
            async with self._connections.raw(doing) as connection:
                yield connection
        except asyncpg.SyntaxOrAccessError:
            await self.check_schema_version()
            raise

    async def claim(self, tp: TopicPartition, log: LogBounds) -> Position:
        """See ``Store.claim``."""
        async with self._raw(f"claiming {tp.topic}/{tp.partition}") as connection:
            await connection.execute("BEGIN")
            await schema_version.readers(connection)  # first: nothing else may be as this code knows it
            problem, found = await _claim(connection, tp, log)
            readers = await schema_version.readers(connection)  # with the row locked: no revision contracts unseen
            await connection.execute("COMMIT" if problem is None else "ROLLBACK")
        if problem is not None:
            raise PositionRefused(problem)
        return replace(found, readers=readers)

    async def read_position(self, tp: TopicPartition) -> Position | None:
        """See ``Store.read_position``."""
        async with self._raw("reading a position") as connection:
            row = await connection.fetchrow(sql.READ_POSITION, tp.partition, tp.topic)
        return None if row is None else position_of(row)

    async def load_pages(self, tp: TopicPartition, keys: Collection[PageKey]) -> dict[PageKey, bytes]:
        """See ``Store.load_pages``."""
        if not keys:
            return {}
        wanted = list({key._replace(page=0) for key in keys})
        tenants, kinds, buckets, _ = zip(*wanted, strict=True)
        async with self._raw("loading pages") as connection:
            found = await connection.fetch(sql.LOAD_PAGES, tp.partition, tp.topic, tenants, kinds, buckets)
        return {wanted[n - 1]._replace(page=page): body for n, page, body in found}

    async def load_ids(self, tp: TopicPartition, first_day: int | None, last_day: int | None = None) -> list[IdBlock]:
        """See ``Store.load_ids``; ordered by day and offset."""
        days = (FIRST_DAY if first_day is None else first_day, LAST_DAY if last_day is None else last_day)
        async with self._raw("loading identities") as connection:
            found = await connection.fetch(sql.LOAD_IDS, tp.partition, tp.topic, *days)
        return [IdBlock(*row) for row in found]

    async def load_settings(self, tp: TopicPartition, after_seq: int) -> list[SettingRow]:  # noqa: ARG002 the port's
        """See ``Store.load_settings``; bodies have the spaces that PostgreSQL gives them."""
        async with self._raw("loading settings") as connection:
            found = await connection.fetch(sql.LOAD_SETTINGS, after_seq)
        return [setting_row(row) for row in found]

    async def stale_pages(self, tp: TopicPartition, after: int) -> list[tuple[PageKey, int]]:
        """See ``Store.stale_pages``; ordered by offset and key."""
        async with self._raw("looking for stale pages") as connection:
            found = await connection.fetch(sql.STALE_PAGES, tp.partition, tp.topic, after)
        return [(PageKey(*key), as_of) for *key, as_of in found]

    async def load_outbox(self, tp: TopicPartition, after_seq: int, limit: int) -> list[OutboxRow]:
        """See ``Store.load_outbox``."""
        async with self._raw("loading the outbox") as connection:
            found = await connection.fetch(sql.LOAD_OUTBOX, tp.partition, tp.topic, after_seq, limit)
        return [outbox_row(row) for row in found]

    async def page_tenants(
        self, tp: TopicPartition, kind: str, buckets: range, after: str | None, limit: int
    ) -> list[str]:
        """See ``Store.page_tenants``."""
        bounds = (buckets.start, buckets.stop)
        async with self._raw("listing tenants") as connection:
            found = await connection.fetch(sql.PAGE_TENANTS, tp.partition, tp.topic, kind, *bounds, after, limit)
        return [tenant for (tenant,) in found]

    async def first_bucket(self, tp: TopicPartition, kind: str, buckets: range) -> int | None:
        """See ``Store.first_bucket``."""
        bounds = (buckets.start, buckets.stop)
        async with self._raw("looking for a bucket") as connection:
            found: int | None = await connection.fetchval(sql.FIRST_BUCKET, tp.partition, tp.topic, kind, *bounds)
        return found

    async def commit(self, batch: Batch) -> bool:
        """See ``Store.commit``."""
        tp = batch.position.tp
        missing = self._ensured.missing(batch)
        async with self._raw(f"committing {tp.topic}/{tp.partition}") as connection:
            if missing:
                await self._ensured.make(connection, missing)
            if _is_bare(batch):
                return await _move(connection, batch)  # one statement needs no BEGIN and COMMIT
            try:
                return await _commit(connection, batch)
            except asyncpg.CheckViolationError as error:
                if error.constraint_name is not None:
                    raise  # a value is not what its column takes
                self._ensured.forget()
                raise Transient(f"committing {tp.topic}/{tp.partition}: a time partition was dropped") from error


def _is_bare(batch: Batch) -> bool:
    contents = batch.pages or batch.id_blocks or batch.outbox or batch.rows or batch.position.published
    return not contents and batch.settings_seq is None


async def _commit(connection: Raw, batch: Batch) -> bool:
    await connection.execute("BEGIN")
    staged = await rows.stage(connection, batch.rows)
    moved = await _move(connection, batch)
    if moved:
        await _know_settings(connection, batch.settings_seq)
        await _put(connection, batch)
        await rows.upsert(connection, batch.position.partition, staged)
    await connection.execute("COMMIT" if moved else "ROLLBACK")
    return moved


async def _know_settings(connection: Raw, known_seq: int | None) -> None:
    """Return when *known_seq* is the newest settings row, and hold off newer ones until the commit.

    A database that failed over may have lost the newest one: then it is not known what the close judged by, either.
    """
    if known_seq is not None:
        newest = await connection.fetchval(sql.SETTINGS_HEAD)
        if newest != known_seq:
            raise SettingsMoved(f"settings row {newest} is the newest, not {known_seq}, which the close knew")


async def _claim(connection: Raw, tp: TopicPartition, log: LogBounds) -> tuple[str | None, Position]:
    """Return why not, and the row as ``Store.claim`` returns it; the caller commits or rolls back."""
    ids = (log.cluster_id, log.topic_id)
    await connection.execute(sql.PIN_TOPIC, tp.topic, log.partitions, *ids)
    await connection.execute(sql.FIRST_POSITION, tp.partition, tp.topic, *ids, log.start)
    locked = await connection.fetchrow(sql.LOCK_POSITION, tp.partition, tp.topic)
    pinned = await connection.fetchrow(sql.READ_PIN, tp.topic)
    if locked is None or pinned is None:
        raise Transient(f"{tp.topic}/{tp.partition}: its row was deleted while it was claimed")
    found, pin = position_of(locked), TopicPin(*pinned)
    problem = refusal(pin, found, log)
    if problem is not None:
        return problem, found
    full = completed(pin, log)
    if full != pin:
        await connection.execute(sql.COMPLETE_PIN, tp.topic, full.cluster_id, full.topic_id)
    own_ids = (found.cluster_id or log.cluster_id, found.topic_id or log.topic_id)
    row = await connection.fetchrow(sql.CLAIM, tp.partition, tp.topic, *own_ids)
    if row is None:
        raise Transient(f"{tp.topic}/{tp.partition}: its row was deleted while it was claimed")
    return None, replace(position_of(row), released=found.released)


async def _move(connection: Raw, batch: Batch) -> bool:
    row = batch.position
    expected = (row.partition, row.topic, batch.expected_epoch, batch.expected_version)
    return await connection.execute(sql.MOVE_POSITION, *expected, *moved_values(row)) == MOVED


async def _put(connection: Raw, batch: Batch) -> None:
    row = batch.position
    where = (row.partition, row.topic)
    if batch.pages:
        pages = dict(batch.pages)
        columns = tuple(zip(*pages, strict=True))
        await connection.execute(sql.PUT_PAGES, *where, row.next_offset, *columns, list(pages.values()))
    if batch.id_blocks:
        days, ends, bodies = zip(*_merged(batch.id_blocks), strict=True)
        await connection.execute(sql.PUT_IDS, *where, days, ends, bodies)
    if batch.outbox:
        await connection.execute(sql.PUT_OUTBOX, *where, *outbox_columns(batch.outbox))
    if row.published:
        await connection.execute(sql.FORGET_PUBLISHED, *where, row.published)


def _merged(blocks: Sequence[IdBlock]) -> list[IdBlock]:
    """Return *blocks* with one block per key, as one statement may not touch a row twice."""
    bodies: dict[tuple[int, int], bytes] = {}
    for day, end_offset, body in blocks:
        bodies[day, end_offset] = bodies.get((day, end_offset), b"") + body
    return [IdBlock(day, end_offset, body) for (day, end_offset), body in bodies.items()]
