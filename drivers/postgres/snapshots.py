"""A tenant's snapshots, read back from the projections: an hour or day, the days before, and the judgement.

One invariant: a snapshot is one moment of the one database in which its tenant lives.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, cast

import asyncpg

from drivers.postgres.connections import Connections, PostgresLimits, Raw
from drivers.postgres.positions import setting_row
from drivers.postgres.reading import one_moment
from drivers.postgres.rows import EPOCH
from engines.core.tables import SNAPSHOTS, ColumnType
from engines.core.time import US_PER_DAY, day_start_us
from engines.cost import snapshot_view
from engines.cost.book import SNAPSHOT_WINDOW
from engines.cost.finding import DAY_LEVEL
from engines.cost.lines import SnapshotValues
from engines.cost.rules import Profile
from engines.cost.settings import CostSettings
from engines.cost.snapshot_view import Told
from engines.cost.snapshots import CostSnapshot, EntityType

_MICROSECOND: Final = timedelta(microseconds=1)


class SnapshotReader:
    """Reads snapshots of one database; close it with ``close``.

    Every call raises SettingsError when the tables are not those this code knows or the login is refused, and Transient
    when the database is away.

    Args:
        url: see ``Connections``.
        limits: see ``PostgresLimits``.
        start: the profile in force where no settings row says otherwise.
    """

    def __init__(self, url: str, limits: PostgresLimits, start: Profile) -> None:
        self._connections = Connections(url, limits, pool_size=1, application_name="outlay-snapshots")
        self._start = start

    async def close(self) -> None:
        """Close the connection."""
        await self._connections.close()

    async def latest_day(self, tenant_id: str) -> int | None:
        """Return the latest UTC day with a record of the tenant, None when there is none."""
        async with one_moment(self._connections, "reading snapshots") as connection:
            found: datetime | None = await connection.fetchval(_LATEST, tenant_id)
        return None if found is None else _us(found) // US_PER_DAY

    async def daily(self, tenant_id: str, day: int, types: Collection[str]) -> CostSnapshot | None:
        """Return the tenant's snapshot of a UTC *day* with entities of *types*, None when it holds no record."""
        window = (_instant(day - len(SNAPSHOT_WINDOW)), _instant(day + 1))
        async with one_moment(self._connections, "reading snapshots") as connection:
            rows, closed_through = await _rows(connection, tenant_id, "day", types, window)
            told = await connection.fetch(_TOLD, tenant_id, _instant(day), list(DAY_LEVEL.values()))
            rules = await connection.fetch(_RULES, tenant_id)
        settings = CostSettings([setting_row(row) for row in rules], self._start)
        low_pct = settings.rules(tenant_id, day + 1).profile.day_low_pct
        spikes = [_told(row) for row in told]
        snapshot = snapshot_view.daily(day, rows, spikes, closed_through, low_pct)
        return None if snapshot is None else snapshot.only(types)

    async def hourly(self, tenant_id: str, day: int, types: Collection[str]) -> list[CostSnapshot]:
        """Return the tenant's snapshots of the hours of a UTC *day* that hold a record, with entities of *types*."""
        async with one_moment(self._connections, "reading snapshots") as connection:
            window = (_instant(day), _instant(day + 1))
            rows, closed_through = await _rows(connection, tenant_id, "hour", types, window)
        return [one.only(types) for one in snapshot_view.hourly(rows, closed_through)]


async def _rows(
    connection: Raw, tenant_id: str, window: str, types: Collection[str], period: tuple[datetime, datetime]
) -> tuple[list[SnapshotValues], int | None]:
    """Return the rows of the tenant and its entities of *types* in [start, end), and the last closed day."""
    wanted = sorted({EntityType.TENANT.value, *types})
    found = await connection.fetch(_ROWS, tenant_id, window, wanted, *period)
    closed_through: int | None = found[0]["closed_through"] if found else None
    return [_values(row) for row in found], closed_through


def _values(row: asyncpg.Record) -> SnapshotValues:
    """Return *row* as the engine wrote it."""
    values = [
        _CONVERT[column.type](row[column.name]) if column.type in _CONVERT else row[column.name]
        for column in SNAPSHOTS.columns
    ]
    return cast("SnapshotValues", tuple(values))


def _told(row: asyncpg.Record) -> Told:
    values = dict(row)
    for name in ("current_nanousd", "expected_nanousd", "threshold_pct"):
        values[name] = int(values[name])
    return Told(**values)


def _us(instant: datetime) -> int:
    return (instant - EPOCH) // _MICROSECOND


def _instant(day: int) -> datetime:
    return EPOCH + timedelta(microseconds=day_start_us(day))


def _whole(value: Decimal | None) -> int | None:
    return None if value is None else int(value)


_CONVERT: Final[Mapping[ColumnType, Callable[..., object]]] = {"numeric": _whole, "timestamp_us": _us}

_COLUMNS: Final = ", ".join(f"s.{column.name}" for column in SNAPSHOTS.columns)

_ROWS: Final = f"""
SELECT {_COLUMNS}, o.closed_through
FROM positions o JOIN snapshots s ON s.partition = o.partition
WHERE o.topic = 'costs' AND s.tenant_id = $1 AND s.window_kind = $2 AND s.entity_type = ANY ($3::text[])
  AND s.start_at >= $4 AND s.start_at < $5
"""  # noqa: S608 constants

_LATEST: Final = """
SELECT max(s.start_at) FROM positions o JOIN snapshots s ON s.partition = o.partition
WHERE o.topic = 'costs' AND s.tenant_id = $1 AND s.window_kind = 'day' AND s.entity_type = 'tenant'
"""

_TOLD: Final = """
SELECT entity_type, entity_id, anomaly_id, severity, current_nanousd, expected_nanousd, deviation_pct,
       (line ->> 'threshold_pct')::numeric AS threshold_pct, message
FROM anomalies_current WHERE tenant_id = $1 AND window_start = $2 AND anomaly_type = ANY ($3::text[])
"""

_RULES: Final = """
SELECT seq, kind, tenant_id, effective_at, body::text AS body FROM settings
WHERE tenant_id IN ($1, '*') AND kind = 'rule' ORDER BY seq
"""
