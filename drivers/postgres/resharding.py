"""State moved while no worker runs: to more partitions of a topic, or out of a database that holds a copy too many.

Everything of one database happens in one transaction. Positions get a new epoch: whoever still works is fenced. What is
still to be published stays with the partition that decided it: consumers go by id and revision, not by order.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from drivers import topics
from drivers.kafka.murmur2 import partition_of
from drivers.postgres import schema_version
from drivers.postgres import statements as sql
from drivers.postgres.connections import Connections, PostgresLimits, Raw
from drivers.postgres.positions import position_of
from engines.core.errors import PositionRefused
from engines.core.model import Position, TopicPartition
from engines.core.tables import TABLES, Table
from engines.runs.acknowledgements import ACKNOWLEDGEMENT

PATIENT: Final = PostgresLimits(idle_in_transaction_s=60, lock_s=3, statement_s=36_000, call_s=40_000)
_ALONE: Final = "LOCK TABLE positions IN ACCESS EXCLUSIVE MODE"
_POSITIONS: Final = "SELECT " + sql.POSITION_COLUMNS + " FROM positions ORDER BY topic, partition"  # noqa: S608 constants
_TENANTS: Final = "SELECT DISTINCT partition, tenant_id FROM pages WHERE topic = $1"
_MOVES: Final = 'CREATE TEMPORARY TABLE moves (tenant_id text COLLATE "C", old int, new int) ON COMMIT DROP'
# Offsets of the old log say nothing in the new one: 1 is behind every position there, so it is still to be shown.
_MOVE_PAGES: Final = """
UPDATE pages AS t SET partition = new, as_of = (as_of > $2)::int
FROM moves WHERE moves.tenant_id = t.tenant_id AND t.topic = $1 AND t.partition = $3 AND old = $3
"""
# Identities do not tell whose they are: each new partition knows all of the old one's, and may be asked for some.
_COPY_IDS: Final = """
INSERT INTO id_blocks (partition, topic, day, end_offset, body)
SELECT $3, topic, day, end_offset, body FROM id_blocks WHERE topic = $1 AND partition = $2
"""
_NEW_POSITION: Final = """
INSERT INTO positions (partition, topic, cluster_id, topic_id, next_offset, watermark_us, last_append_ms,
                       closed_through, closing_day, closing_cursor, outbox_seq, published, projected, epoch, version,
                       released, counts, settings_seq)
SELECT $3, topic, cluster_id, topic_id, 0, watermark_us, last_append_ms, closed_through,
       closing_day, closing_cursor, 0, 0, 0, epoch, 0, true, '{}', settings_seq
FROM positions WHERE topic = $1 AND partition = $2
"""
# Whoever is told of too few databases, or in another order, cannot begin a partition anew where it was.
_GUARD: Final = "ALTER TABLE positions ADD CONSTRAINT this_database_holds_it"
_FENCE: Final = "UPDATE positions SET epoch = epoch + 1, version = version + 1"
_PIN: Final = "UPDATE topics SET partitions = $2 WHERE topic = $1"
_OF_PARTITIONS: Final = ("positions", "pages", "id_blocks", "outbox", *TABLES)
# A tenant's runs may be at home elsewhere than its costs: an acknowledgement is where the feedback is.
_SETTING_TENANTS: Final = "SELECT DISTINCT kind = $1, tenant_id FROM settings WHERE tenant_id <> '*'"
_FORGET: Final = "DELETE FROM settings WHERE (kind = $1) = $2 AND tenant_id = ANY ($3)"
_PINNED: Final = "SELECT partitions FROM topics WHERE topic = $1"
_HEAD: Final = "UPDATE settings_head SET seq = (SELECT coalesce(max(seq), 0) FROM settings)"
_KNOWN: Final = "UPDATE positions SET settings_seq = least(settings_seq, (SELECT seq FROM settings_head))"


@dataclass(frozen=True, slots=True)
class Place:
    """Database *number* of *databases*: partitions that are *number* modulo *databases* live there."""

    number: int
    databases: int

    def holds(self, partition: int) -> bool:
        """Whether *partition* lives here."""
        return partition % self.databases == self.number


class Resharding:
    """One database whose state is moved. The role must own the tables."""

    def __init__(self, url: str, place: Place) -> None:
        self._url = url
        self._place = place

    async def positions(self) -> dict[TopicPartition, Position]:
        """Return every position that is here. Raises Transient, SettingsError."""
        async with self._connected("reading positions") as connection:
            return await _positions(connection)

    async def repartition(self, topic: str, partitions: int) -> int:
        """Move state to the homes that tenants have among *partitions*; return how many tenants moved.

        Raises:
            PositionRefused: it is not a multiple of what there is, a partition was never claimed, or partitions would
                change their database.
            Transient: the database is away, or a worker is at work.
        """
        async with self._connected("repartitioning") as connection, connection.transaction():
            await connection.execute(_ALONE)
            before: int | None = await connection.fetchval(_PINNED, topic)
            held = {tp.partition: one for tp, one in (await _positions(connection)).items() if tp.topic == topic}
            _refuse(topic, before, partitions, held, self._place)
            if before is None or before == partitions:
                return 0
            shown = [TABLES[name] for name in topics.load().named(topic).writes]
            rows = await connection.fetch(" UNION ".join([_TENANTS, *map(_tenants, shown)]), topic)
            moves = [(name, old, partition_of(name.encode(), partitions)) for old, name in rows]
            moves = [move for move in moves if move[1] != move[2]]
            if astray := [name for name, old, new in moves if new % before != old]:
                raise PositionRefused(f"{topic}: {astray[0]} is not where it should be among {before} partitions")
            await connection.execute(_MOVES)
            await connection.copy_records_to_table("moves", records=moves)
            for old, position in held.items():
                await connection.execute(_MOVE_PAGES, topic, position.projected, old)
                for table in shown:
                    await connection.execute(_move(table), old)
                for new in range(old + before, partitions, before):
                    await connection.execute(_COPY_IDS, topic, old, new)
                    await connection.execute(_NEW_POSITION, topic, old, new)
            await connection.execute(_PIN, topic, partitions)
            await connection.execute(_FENCE)
        return len(moves)

    async def keep_own(self) -> int:
        """Delete what lives in another database; return how many positions that were. Raises Transient."""
        others = f"(partition % {self._place.databases} <> {self._place.number})"
        async with self._connected("keeping its own") as connection, connection.transaction():
            await connection.execute(_ALONE)
            deletes = [f"DELETE FROM {table} WHERE {others}" for table in _OF_PARTITIONS]  # noqa: S608 constants
            deleted = [await connection.execute(delete) for delete in deletes]
            await self._forget_settings(connection)
            await connection.execute(_HEAD)
            await connection.execute(_KNOWN)
            await connection.execute(_FENCE)
            await connection.execute("ALTER TABLE positions DROP CONSTRAINT IF EXISTS this_database_holds_it")
            await connection.execute(f"{_GUARD} CHECK (NOT {others})")
        return int(deleted[0].rpartition(" ")[2])

    async def _forget_settings(self, connection: Raw) -> None:
        rows = await connection.fetch(_SETTING_TENANTS, ACKNOWLEDGEMENT)
        for topic, of_runs in (("costs", False), ("runs", True)):
            partitions = await connection.fetchval(_PINNED, topic) or 1
            tenants = [name for whether, name in rows if whether is of_runs]
            strange = [one for one in tenants if not self._place.holds(partition_of(one.encode(), partitions))]
            await connection.execute(_FORGET, ACKNOWLEDGEMENT, of_runs, strange)

    @asynccontextmanager
    async def _connected(self, doing: str) -> AsyncIterator[Raw]:
        connections = Connections(self._url, PATIENT, pool_size=1, application_name="outlay-resharding")
        try:
            async with connections.raw(doing) as connection:
                await schema_version.check(connection)
                yield connection
        finally:
            await connections.close()


def _tenants(table: Table) -> str:
    return f"SELECT DISTINCT partition, tenant_id FROM {table.name}"  # noqa: S608 constants


def _move(table: Table) -> str:
    also = ", as_of_offset = 0" if any(column.name == "as_of_offset" for column in table.columns) else ""
    return (
        f"UPDATE {table.name} AS t SET partition = new{also} FROM moves"  # noqa: S608 constants
        " WHERE moves.tenant_id = t.tenant_id AND t.partition = $1 AND old = $1"
    )


def of(urls: Sequence[str]) -> list[Resharding]:
    """Return each of the databases at *urls*, which are in the order that decides where a partition lives."""
    return [Resharding(url, Place(number, len(urls))) for number, url in enumerate(urls)]


async def _positions(connection: Raw) -> dict[TopicPartition, Position]:
    return {one.tp: one for one in map(position_of, await connection.fetch(_POSITIONS))}


def _refuse(topic: str, before: int | None, after: int, held: Mapping[int, Position], place: Place) -> None:
    if before is None or before == after:
        return
    if after < before or after % before:
        raise PositionRefused(f"{topic}: state was made with {before} partitions; only a multiple of that can follow")
    if before % place.databases:
        raise PositionRefused(f"{topic}: {before} partitions in {place.databases} databases would change places")
    lacking = [number for number in range(before) if place.holds(number) and number not in held]
    if lacking:
        raise PositionRefused(f"{topic}: partition {lacking[0]} was never claimed: start a worker, and stop it")


def misplaced(databases: Sequence[Mapping[TopicPartition, Position]]) -> str | None:
    """Return why databases must not be left with their own partitions alone, None when nothing would be lost.

    Each is a copy of one, or was left with its own already: the newest state of a partition must be where it lives.
    """
    for held in databases:
        for tp, position in held.items():
            home = tp.partition % len(databases)
            kept = databases[home].get(tp)
            if kept is None or (kept.epoch, kept.version) < (position.epoch, position.version):
                return f"{tp} belongs into database {home}, which has {'no' if kept is None else 'an older'} copy of it"
    return None
