"""Retention: partitions of time that nothing needs any more are dropped, whole, and nothing else ever is.

What is needed is said by the position that is furthest behind: no record of a day before its watermark's day - 35 is
counted any more (CONTRACT §2), so that neither identities nor pages of that time are read again. Projections are for
people and stay as long as these want. The database holds to the same limits by itself (``drop_partition``).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import Final, NamedTuple

import asyncpg

from drivers.postgres import schema_version
from drivers.postgres.connections import Connections, PostgresLimits, Raw
from drivers.postgres.positions import instant
from drivers.postgres.time_partitions import PARTITIONED, TimePartition
from engines.core.ports import Clock

PAGES_DAYS: Final = 50
"""Pages and projections this many days before the furthest watermark: those of the horizon, and what judges them."""
IDS_DAYS: Final = 36
"""Identities: those of the days of which a record may still be counted, and one more."""

_ONE_AT_A_TIME: Final = "SELECT pg_try_advisory_lock(7241500302)"
_OLDEST: Final = "SELECT min(watermark_us) FROM positions"
_LIST: Final = """
SELECT inhparent::regclass::text, relname, pg_total_relation_size(inhrelid)
FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
WHERE inhparent = ANY ($1::text[]::regclass[])
"""
_DROP: Final = "SELECT drop_partition($1, $2::text::date)"


class Expired(NamedTuple):
    """A partition that is needed no more."""

    partition: TimePartition
    size_bytes: int


class Sweep(NamedTuple):
    """What was dropped, and what could not be because somebody is reading it: that goes the next time."""

    dropped: Sequence[Expired]
    in_use: Sequence[Expired]


def expired(partitions: Iterable[TimePartition], oldest: date, today: date, keep_days: int) -> list[TimePartition]:
    """Return those of *partitions* that are needed no more, oldest first.

    Args:
        partitions: those that exist.
        oldest: the UTC day of the watermark that is furthest behind.
        today: the UTC day of the clock.
        keep_days: how many days of projections people want before today, or before *oldest* when that is earlier;
            0 keeps all.
    """
    unneeded = {"pages": oldest - timedelta(days=PAGES_DAYS), "id_blocks": oldest - timedelta(days=IDS_DAYS)}
    if keep_days:
        unwanted = min(oldest, today) - timedelta(days=max(keep_days, PAGES_DAYS))
        unneeded |= {table: unwanted for table, length in PARTITIONED.items() if length == "month"}
    found = (one for one in partitions if one.table in unneeded and one.end <= unneeded[one.table])
    return sorted(found, key=lambda one: (one.first, one.table))


class Retention:
    """What drops time partitions of one database; connected only while it does something.

    Args:
        url: see ``Connections``.
        limits: see ``PostgresLimits``.
        clock: tells today.
        keep_days: see ``expired``.
    """

    def __init__(self, url: str, limits: PostgresLimits, clock: Clock, keep_days: int) -> None:
        self._url = url
        self._limits = limits
        self._clock = clock
        self._keep_days = keep_days

    async def look(self) -> list[Expired]:
        """Return what ``sweep`` would drop.

        Raises:
            SettingsError: the tables are not those this code knows.
            Transient: the database is away.
        """
        async with self._connected("looking at time partitions") as connection:
            return await self._expired(connection)

    async def sweep(self) -> Sweep:
        """Drop what is needed no more, each partition in a transaction of its own; one process at a time.

        Nothing waits long for it: what cannot be locked at once is left. Errors are those of ``look``.
        """
        async with self._connected("dropping time partitions") as connection:
            if not await connection.fetchval(_ONE_AT_A_TIME):
                return Sweep([], [])  # the lock goes with the connection
            return await _drop(connection, await self._expired(connection))

    @asynccontextmanager
    async def _connected(self, doing: str) -> AsyncIterator[Raw]:
        connections = Connections(self._url, self._limits, pool_size=1, application_name="outlay-retention")
        try:
            async with connections.raw(doing) as connection:
                await schema_version.check(connection)
                yield connection
        finally:
            await connections.close()

    async def _expired(self, connection: Raw) -> list[Expired]:
        watermark_us: int | None = await connection.fetchval(_OLDEST)
        if watermark_us is None:
            return []
        listed = await connection.fetch(_LIST, list(PARTITIONED))
        sizes = {one: size for table, name, size in listed if (one := parse(table, name)) is not None}
        today = instant(self._clock.now_ms() * 1000).date()
        found = expired(sizes, instant(watermark_us).date(), today, self._keep_days)
        return [Expired(one, sizes[one]) for one in found]


async def _drop(connection: Raw, found: Iterable[Expired]) -> Sweep:
    dropped, in_use = [], []
    for one in found:
        try:
            await connection.execute(_DROP, one.partition.table, one.partition.first.isoformat())
        except asyncpg.LockNotAvailableError:
            in_use.append(one)
        else:
            dropped.append(one)
    return Sweep(dropped, in_use)


def parse(table: str, name: str) -> TimePartition | None:
    """Return the partition called *name*; None for what has no time, or was not made by us."""
    match = re.fullmatch(r"(\d{4})(\d\d)(\d\d)", name.removeprefix(f"{table}_"))
    if match is None:
        return None
    try:
        return TimePartition(table, date(*map(int, match.groups())))
    except ValueError:
        return None
