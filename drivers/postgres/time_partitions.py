"""The tables that are partitioned by time: which partition holds what, and that it is there before it is written to.

Partitions are made on demand, as any event time may come, and are only ever dropped whole (``retention``). Pages and
identities lie in weeks of seven days since the epoch, projections in UTC months. Pages that belong to no time (bucket
0) have a partition of their own, which no retention knows.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from drivers.postgres.connections import Raw
from drivers.postgres.positions import EPOCH, instant
from engines.core.errors import DataRefused
from engines.core.model import Batch
from engines.core.tables import TABLES, Table

EPOCH_DAY: Final = EPOCH.date()
PARTITIONED: Final[dict[str, Literal["week", "month"]]] = {
    "pages": "week",
    "id_blocks": "week",
    **dict.fromkeys(TABLES, "month"),
}
_HOURS_A_WEEK: Final = 168
_DAYS_A_WEEK: Final = 7
_LAST_WEEK: Final = (date.max - EPOCH_DAY).days // _DAYS_A_WEEK - 1
_STARTS_MAX: Final = 1_024
"""Hours of 40 days: as many as may come again and again, for older records are late."""
_LAST_MONTH: Final = date.max.replace(day=1)
# In a statement of its own, so that its locks are gone before a commit takes any.
# The day goes in as text: asyncpg takes the first day of the year 1 for minus infinity.
_ENSURE: Final = "SELECT ensure_partition($1, $2::text::date)"


class TimePartition(NamedTuple):
    """A partition of *table* that holds the UTC days from *first* on, for a week or a month."""

    table: str
    first: date

    @property
    def name(self) -> str:
        """What PostgreSQL calls it: ``pages_20260101``."""
        return f"{self.table}_{self.first.isoformat().replace('-', '')}"

    @property
    def end(self) -> date:
        """The first day after it (in December 9999 the last day that a date can be)."""
        if PARTITIONED[self.table] == "week":
            return self.first + timedelta(days=_DAYS_A_WEEK)
        return date.max if self.first == _LAST_MONTH else (self.first + timedelta(days=31)).replace(day=1)


class Ensured:
    """The partitions that one store knows to be there."""

    def __init__(self) -> None:
        self._known: set[TimePartition] = set()

    def missing(self, batch: Batch) -> list[TimePartition]:
        """Return the partitions that *batch* writes to and that are not known; raises DataRefused for no time."""
        return sorted(needed(batch) - self._known)

    async def make(self, connection: Raw, partitions: Iterable[TimePartition]) -> None:
        """Make sure that *partitions* exist; must not run inside a transaction."""
        for partition in partitions:
            await connection.execute(_ENSURE, partition.table, partition.first.isoformat())
            self._known.add(partition)

    def forget(self) -> None:
        """Know nothing any more: some partition was dropped."""
        self._known.clear()


def needed(batch: Batch) -> set[TimePartition]:
    """Return the partitions that *batch* writes to.

    Raises:
        DataRefused: a time lies outside the years that a partition can hold.
    """
    weeks = {key.bucket // _HOURS_A_WEEK for key, _ in batch.pages if key.bucket}
    partitions = {_week("pages", week) for week in weeks}
    partitions.update(_week("id_blocks", week) for week in {block.day // _DAYS_A_WEEK for block in batch.id_blocks})
    for name, at in _STARTS:
        starts = {values[at] for table, values in batch.rows if table == name}
        partitions.update(_month(name, start) for start in starts)
    return partitions


@lru_cache(maxsize=_STARTS_MAX)
def _week(table: str, number: int) -> TimePartition:
    if not 0 <= number <= _LAST_WEEK:
        raise DataRefused(f"{table}: week {number} since 1970 is no time")
    return TimePartition(table, EPOCH_DAY + timedelta(days=_DAYS_A_WEEK * number))


@lru_cache(maxsize=_STARTS_MAX)
def _month(table: str, start_us: object) -> TimePartition:
    if not isinstance(start_us, int):
        raise DataRefused(f"{table}: {start_us!r} is no time")
    return TimePartition(table, instant(start_us).date().replace(day=1))


def _start(table: Table) -> int:
    return next(at for at, column in enumerate(table.columns) if column.type == "timestamp_us")


_STARTS: Final = tuple((table.name, _start(table)) for table in TABLES.values())
