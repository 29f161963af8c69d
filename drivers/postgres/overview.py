"""How things stand on one UTC day: what ``outlay top`` shows, from the views an analyst reads.

One invariant: an ``Overview`` is one moment of one database; tenants of several databases never overlap, so overviews
of them are merged by sorting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

import asyncpg

from drivers.postgres import schema_version
from drivers.postgres.connections import Connections, PostgresLimits, Raw
from drivers.postgres.errors import locked_out
from engines.core.errors import SettingsError, Transient

ENTITY_TYPES: Final = ("tenant", "feature", "user", "model")
"""What spend is told by, in the order it is shown in."""
_SEVERITIES: Final = ("critical", "high", "medium", "low")


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: *limit* lines of each kind, of one tenant or of all, spend by these entity types."""

    by: tuple[str, ...] = ENTITY_TYPES
    tenant_id: str | None = None
    limit: int = 10


@dataclass(frozen=True, slots=True)
class Spend:
    """What an entity spent on the day, and the mean of its active days among the seven before.

    Attributes:
        cost_nanousd: None when no call had a known cost.
        baseline_nanousd: None when no day before had one.
        deviation_pct: two decimals, cut toward zero; None without a baseline.
    """

    tenant_id: str
    entity_type: str
    entity_id: str
    cost_nanousd: int | None
    baseline_nanousd: int | None
    deviation_pct: Decimal | None
    requests: int
    unpriced_requests: int
    status: str


@dataclass(frozen=True, slots=True)
class Anomaly:
    """An anomaly that stands; see CONTRACT §5.

    Attributes:
        first_day: where its window begins.
        last_day: where it ends, but no later than the day that was asked for.
    """

    anomaly_id: str
    tenant_id: str
    anomaly_type: str
    severity: str
    entity_type: str
    entity_id: str
    first_day: date
    period: str | None
    current_nanousd: int | None
    expected_nanousd: int | None
    deviation_pct: float
    derived_cause: str
    status: str
    message: str
    last_day: date


@dataclass(frozen=True, slots=True)
class BudgetUsage:
    """How much of a limit is used; ``usage_pct`` has two decimals, cut."""

    tenant_id: str
    budget_type: str
    entity_id: str
    period: str
    used_nanousd: int
    limit_nanousd: int
    usage_pct: Decimal
    warn_threshold_pct: int
    level: str


@dataclass(frozen=True, slots=True)
class Reach:
    """How far one input partition has come.

    Attributes:
        watermark_us: event time up to which its records are expected to be complete; None before the first.
        last_append_ms: when its last record was appended.
        unshown: records counted that the tables may not show yet.
    """

    partition: int
    watermark_us: int | None
    last_append_ms: int | None
    unshown: int


@dataclass(frozen=True, slots=True)
class Overview:
    """One database on one day; totals are over all tenants asked for, lists are cut to the limit."""

    tenants: int
    requests: int
    unpriced_requests: int
    cost_nanousd: int
    spend: tuple[Spend, ...]
    anomalies: tuple[Anomaly, ...]
    budgets: tuple[BudgetUsage, ...]
    reach: tuple[Reach, ...]


def merged(overviews: Sequence[Overview], question: Question) -> Overview:
    """Return the overviews of several databases, of one moment each, as if they were one."""
    limit = question.limit
    spend = [
        one
        for by in question.by
        for one in sorted((s for part in overviews for s in part.spend if s.entity_type == by), key=_dearest)[:limit]
    ]
    return Overview(
        sum(part.tenants for part in overviews),
        sum(part.requests for part in overviews),
        sum(part.unpriced_requests for part in overviews),
        sum(part.cost_nanousd for part in overviews),
        tuple(spend),
        tuple(sorted((one for part in overviews for one in part.anomalies), key=_newest)[:limit]),
        tuple(sorted((one for part in overviews for one in part.budgets), key=_fullest)[:limit]),
        tuple(sorted((one for part in overviews for one in part.reach), key=lambda one: one.partition)),
    )


def _dearest(one: Spend) -> tuple[int, str, str]:
    return (1 if one.cost_nanousd is None else -one.cost_nanousd, one.tenant_id, one.entity_id)


def _newest(one: Anomaly) -> tuple[int, int, float, str]:
    severity = one.severity.lower()
    rank = _SEVERITIES.index(severity) if severity in _SEVERITIES else len(_SEVERITIES)
    return (-one.last_day.toordinal(), rank, -one.deviation_pct, one.anomaly_id)


def _fullest(one: BudgetUsage) -> tuple[Decimal, str, str, str, str]:
    return (-one.usage_pct, one.tenant_id, one.budget_type, one.entity_id, one.period)


class OverviewReader:
    """Reads overviews of one database; close it with ``close``."""

    def __init__(self, url: str, limits: PostgresLimits) -> None:
        self._connections = Connections(url, limits, pool_size=1, application_name="outlay-top")

    async def close(self) -> None:
        """Close the connection."""
        await self._connections.close()

    async def latest_day(self) -> date | None:
        """Return the latest UTC day with data.

        Raises:
            SettingsError: the tables are not those this code knows, or the login is refused.
            Transient: the database is away.
        """
        try:
            async with self._connections.raw("looking for the latest day") as connection:
                await schema_version.check(connection)
                found: date | None = await connection.fetchval("SELECT latest_day()")
                return found
        except Transient as error:
            if locked_out(error):
                raise SettingsError(str(error)) from error
            raise

    async def read(self, day: date, question: Question) -> Overview:
        """Return how things stand on *day*; raises Transient when the database is away."""
        async with (
            self._connections.raw("reading the overview") as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            return await _overview(connection, day, question)


async def _overview(connection: Raw, day: date, question: Question) -> Overview:
    tenant_id, limit = question.tenant_id, question.limit
    totals = await connection.fetchrow(_TOTALS, day, tenant_id)
    assert totals is not None  # noqa: S101 an aggregate always has a row
    spend = [_spend(row) for by in question.by for row in await connection.fetch(_SPEND, day, by, tenant_id, limit)]
    anomalies = [_anomaly(row) for row in await connection.fetch(_ANOMALIES, day, tenant_id, limit)]
    budgets = [_budget(row) for row in await connection.fetch(_BUDGETS, day, tenant_id, limit)]
    reach = [Reach(*row) for row in await connection.fetch(_REACH)]
    return Overview(
        totals["tenants"],
        int(totals["requests"]),
        int(totals["unpriced_requests"]),
        int(totals["cost_nanousd"]),
        tuple(spend),
        tuple(anomalies),
        tuple(budgets),
        tuple(reach),
    )


def _spend(row: asyncpg.Record) -> Spend:
    return Spend(
        row["tenant_id"],
        row["entity_type"],
        row["entity_id"],
        _int(row["cost_nanousd"]),
        _int(row["baseline_nanousd"]),
        row["deviation_pct"],
        row["requests"],
        row["unpriced_requests"],
        row["status"],
    )


def _anomaly(row: asyncpg.Record) -> Anomaly:
    values = dict(row)
    for name in ("current_nanousd", "expected_nanousd"):
        values[name] = _int(values[name])
    return Anomaly(**values)


def _budget(row: asyncpg.Record) -> BudgetUsage:
    values = dict(row)
    for name in ("used_nanousd", "limit_nanousd"):
        values[name] = int(values[name])
    return BudgetUsage(**values)


def _int(value: Decimal | None) -> int | None:
    return None if value is None else int(value)


_TOTALS: Final = """
SELECT count(*) AS tenants, coalesce(sum(requests), 0) AS requests,
       coalesce(sum(unpriced_requests), 0) AS unpriced_requests, coalesce(sum(cost_nanousd), 0) AS cost_nanousd
FROM spend_on($1) WHERE entity_type = 'tenant' AND ($2::text IS NULL OR tenant_id = $2)
"""

_SPEND: Final = """
SELECT tenant_id, entity_type, entity_id, cost_nanousd, baseline_nanousd, deviation_pct, requests, unpriced_requests,
       status
FROM spend_on($1) WHERE entity_type = $2 AND ($3::text IS NULL OR tenant_id = $3)
ORDER BY cost_nanousd DESC NULLS LAST, tenant_id, entity_id LIMIT $4
"""

# Windows that reach into the last seven days: of a month it is the day asked for that counts as its newest.
_ANOMALIES: Final = """
SELECT anomaly_id, tenant_id, anomaly_type, severity, entity_type, entity_id,
       (window_start AT TIME ZONE 'UTC')::date AS first_day, period, current_nanousd, expected_nanousd,
       deviation_pct, derived_cause, status, message,
       (least(window_end, start_of($1::date + 1)) AT TIME ZONE 'UTC')::date - 1 AS last_day
FROM anomalies_current
WHERE window_start BETWEEN start_of($1::date - 37) AND start_of($1::date) AND window_end > start_of($1::date - 6)
  AND ($2::text IS NULL OR tenant_id = $2)
ORDER BY last_day DESC, array_position(ARRAY['critical', 'high', 'medium', 'low'], lower(severity)),
         deviation_pct DESC, anomaly_id
LIMIT $3
"""

_BUDGETS: Final = """
SELECT tenant_id, budget_type, entity_id, period, used_nanousd, limit_usd * 1000000000 AS limit_nanousd, usage_pct,
       warn_threshold_pct, level
FROM budget_usage_on($1) WHERE $2::text IS NULL OR tenant_id = $2
ORDER BY usage_pct DESC, tenant_id, budget_type, entity_id, period LIMIT $3
"""

_REACH: Final = """
SELECT partition, watermark_us, last_append_ms, next_offset - projected FROM positions WHERE topic = 'costs'
ORDER BY partition
"""
