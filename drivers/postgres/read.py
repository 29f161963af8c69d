"""The projections, read back: totals, anomalies that stand, snapshot lines.

Every function takes a ``Database``, reads one moment of it, and raises Transient when the database is away. For
positions see ``drivers.postgres.operator``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import RowMapping, text

from drivers.postgres import schema_version
from drivers.postgres.connections import Connections, PostgresLimits

PAGE_OF_ROWS = 5000
READ_LIMITS = PostgresLimits(statement_s=600, call_s=3600, idle_in_transaction_s=600)


@dataclass(frozen=True, slots=True)
class DayTotal:
    """What one tenant spent on one UTC day; ``cost_nanousd`` is None when nothing was priced."""

    day: date
    tenant_id: str
    requests: int
    unpriced_requests: int
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    cost_nanousd: int | None
    status: str


@dataclass(frozen=True, slots=True)
class CurrentAnomaly:
    """The last revision of an anomaly that stands; ``line`` is the whole of it as a JSON object (CONTRACT §5)."""

    anomaly_id: str
    revision: int
    tenant_id: str
    status: str
    line: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SnapshotLine:
    """A row of the view ``snapshot_lines``; ``deviation_pct`` has two decimals, cut toward zero."""

    partition: int
    tenant_id: str
    entity_type: str
    entity_id: str
    window: str
    start: datetime
    requests: int
    unpriced_requests: int
    retry_requests: int
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    cost_nanousd: int | None
    baseline_nanousd: int | None
    deviation_pct: Decimal | None
    status: str
    restated: bool
    version: int


class Database:
    """One database, opened for reading; close it with ``close`` or use ``opened``."""

    def __init__(
        self, url: str, limits: PostgresLimits = READ_LIMITS, *, application_name: str = "outlay-read"
    ) -> None:
        self.connections = Connections(url, limits, pool_size=2, application_name=application_name)

    async def close(self) -> None:
        """Close its connections."""
        await self.connections.close()


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    """Lend the database at *url* and close it; Raises SettingsError when its schema is not one we know."""
    database = Database(url)
    try:
        async with database.connections.raw("reading the schema version") as connection:
            await schema_version.check(connection)
        yield database
    finally:
        await database.close()


async def totals_by_day(database: Database) -> list[DayTotal]:
    """Return one total per tenant and UTC day, by day and tenant."""
    async with database.connections.raw("reading totals") as connection:
        found = await connection.fetch(_TOTALS)
    return [
        DayTotal(
            row["day"],
            row["tenant_id"],
            row["requests"],
            row["unpriced_requests"],
            int(row["input_tokens"]),
            int(row["cached_input_tokens"]),
            int(row["output_tokens"]),
            _int(row["cost_nanousd"]),
            row["status"],
        )
        for row in found
    ]


async def read_current_anomalies(database: Database) -> list[CurrentAnomaly]:
    """Return the anomalies that stand, by tenant, window start and id."""
    async with database.connections.session("reading anomalies") as session:
        found = (await session.execute(text(_ANOMALIES))).mappings().all()
    return [
        CurrentAnomaly(row["anomaly_id"], row["revision"], row["tenant_id"], row["status"], row["line"])
        for row in found
    ]


async def iterate_snapshots(database: Database) -> AsyncIterator[SnapshotLine]:
    """Yield all snapshot lines in the order of CONTRACT §5, a few thousand in memory at a time."""
    async with database.connections.session("reading snapshots") as session, session.begin():
        streamed = await session.stream(text(_SNAPSHOTS), execution_options={"yield_per": PAGE_OF_ROWS})
        async for row in streamed.mappings():
            yield _snapshot_line(row)


def _snapshot_line(row: RowMapping) -> SnapshotLine:
    return SnapshotLine(
        partition=row["partition"],
        tenant_id=row["tenant_id"],
        entity_type=row["entity_type"],
        entity_id=row["entity_id"],
        window=row["window_kind"],
        start=row["window_start"].astimezone(UTC),
        requests=row["requests"],
        unpriced_requests=row["unpriced_requests"],
        retry_requests=row["retry_requests"],
        input_tokens=int(row["input_tokens"]),
        cached_input_tokens=int(row["cached_input_tokens"]),
        output_tokens=int(row["output_tokens"]),
        cost_nanousd=_int(row["cost_nanousd"]),
        baseline_nanousd=_int(row["baseline_nanousd"]),
        deviation_pct=row["deviation_pct"],
        status=row["status"],
        restated=row["restated"],
        version=row["version"],
    )


def _int(value: Decimal | None) -> int | None:
    return None if value is None else int(value)


_TOTALS = """
SELECT (window_start AT TIME ZONE 'UTC')::date AS day, tenant_id, requests, unpriced_requests, input_tokens,
       cached_input_tokens, output_tokens, cost_nanousd, status
FROM snapshot_lines
WHERE window_kind = 'day' AND entity_type = 'tenant'
ORDER BY day, tenant_id
"""

_ANOMALIES = """
SELECT anomaly_id, revision, tenant_id, status, line FROM anomalies_current ORDER BY tenant_id, window_start, anomaly_id
"""

_SNAPSHOTS = """
SELECT * FROM snapshot_lines ORDER BY tenant_id, window_start, entity_type, entity_id, window_kind
"""
