"""A tenant's snapshots from the rows that a worker wrote.

One invariant: an evaluation repeats what the judgement said and never judges a second time (CONTRACT §5, §6).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from engines.core.time import US_PER_DAY, US_PER_HOUR, day_of
from engines.cost.anomalies import cut_pct
from engines.cost.lines import SnapshotValues
from engines.cost.pages import ENTITY_TYPES
from engines.cost.snapshots import (
    AnomalyEvaluation,
    CostSnapshot,
    EntityType,
    SnapshotAggregate,
    SnapshotBaseline,
    SnapshotStatus,
    SnapshotType,
)

BELOW: Final = "below the threshold"
GATED: Final = "reached, but too little money or too few days"
CORRECTED: Final = "reached by late records, not judged since"


class Told(NamedTuple):
    """What a day-level anomaly that stands says of its entity (CONTRACT §5)."""

    entity_type: str
    entity_id: str
    anomaly_id: str
    severity: str
    current_nanousd: int
    expected_nanousd: int
    deviation_pct: float
    threshold_pct: int
    message: str


def hourly(rows: Iterable[SnapshotValues], closed_through: int | None) -> list[CostSnapshot]:
    """Return a tenant's hours in *rows*, rows of its hours, oldest first."""
    of_hour: dict[int, list[SnapshotValues]] = {}
    for row in rows:
        of_hour.setdefault(row[2], []).append(row)
    found = (_snapshot(SnapshotType.HOURLY, of_hour[start], closed_through) for start in sorted(of_hour))
    return [one for one in found if one is not None]


def daily(
    day: int, rows: Sequence[SnapshotValues], told: Iterable[Told], closed_through: int | None, low_pct: int
) -> CostSnapshot | None:
    """Return a tenant's *day*, None when it holds no record.

    Args:
        day: UTC day, in days since the epoch.
        rows: rows of the tenant's days, this one and the seven before.
        told: its day-level anomalies of this day that stand.
        closed_through: the last closed day of its partition.
        low_pct: the least deviation that is an anomaly, by the rules in force.
    """
    snapshot = _snapshot(SnapshotType.DAILY, [row for row in rows if day_of(row[2]) == day], closed_through)
    if snapshot is None:
        return None
    before = [row for row in rows if day_of(row[2]) != day]
    complete = snapshot.status is SnapshotStatus.COMPLETE
    evaluations = _evaluations(snapshot.aggregates, told, low_pct) if complete else ()
    return replace(snapshot, baselines=tuple(_baselines(before)), evaluations=tuple(evaluations))


def _snapshot(kind: SnapshotType, rows: Sequence[SnapshotValues], closed_through: int | None) -> CostSnapshot | None:
    tenant = next((row for row in rows if row[3] == EntityType.TENANT), None)
    if tenant is None:
        return None
    start_us, requests = tenant[2], tenant[5]
    complete = closed_through is not None and day_of(start_us) <= closed_through
    aggregates = [
        SnapshotAggregate(EntityType(row[3]), row[4], *row[5:11], row[11], row[12], restated=row[13]) for row in rows
    ]
    return CostSnapshot(
        tenant_id=tenant[0],
        snapshot_type=kind,
        period_start_us=start_us,
        period_end_us=start_us + (US_PER_DAY if kind is SnapshotType.DAILY else US_PER_HOUR),
        status=SnapshotStatus.COMPLETE if complete else SnapshotStatus.PROVISIONAL,
        version=2 * requests + complete,
        records_processed=requests,
        aggregates=tuple(sorted(aggregates, key=_dearest)),
    )


def _dearest(one: SnapshotAggregate) -> tuple[int, int, str]:
    cost = one.total_cost_nanousd
    return ENTITY_TYPES.index(one.entity_type), 1 if cost is None else -cost, one.entity_id


def _baselines(rows: Iterable[SnapshotValues]) -> Iterable[SnapshotBaseline]:
    days: dict[tuple[EntityType, str], list[tuple[int, int]]] = {}
    for row in rows:
        if row[11] is not None:
            days.setdefault((EntityType(row[3]), row[4]), []).append((row[11], row[5]))
    for (kind, name), active in sorted(days.items(), key=lambda item: (ENTITY_TYPES.index(item[0][0]), item[0][1])):
        costs = [cost for cost, _ in active]
        requests = sum(requests for _, requests in active)
        yield SnapshotBaseline(
            kind,
            name,
            avg_daily_cost_nanousd=sum(costs) // len(costs),
            min_daily_cost_nanousd=min(costs),
            max_daily_cost_nanousd=max(costs),
            avg_daily_requests=100 * requests // len(costs) / 100,
            samples_count=len(costs),
        )


def _evaluations(
    aggregates: Iterable[SnapshotAggregate], told: Iterable[Told], low_pct: int
) -> Iterable[AnomalyEvaluation]:
    by_entity = {(one.entity_type, one.entity_id): one for one in told}
    for one in aggregates:
        anomaly = by_entity.get((one.entity_type.value, one.entity_id))
        if anomaly is not None:
            yield _triggered(one, anomaly)
        elif one.total_cost_nanousd is not None and one.baseline_7d_avg_nanousd:
            yield _quiet(one, one.total_cost_nanousd, one.baseline_7d_avg_nanousd, low_pct)


def _triggered(one: SnapshotAggregate, told: Told) -> AnomalyEvaluation:
    return AnomalyEvaluation(
        one.entity_type,
        one.entity_id,
        told.current_nanousd,
        told.expected_nanousd,
        told.deviation_pct,
        told.threshold_pct,
        triggered=True,
        severity_computed=told.severity,
        anomaly_id=told.anomaly_id,
        evaluation_reason=told.message,
    )


def _quiet(one: SnapshotAggregate, cost: int, baseline: int, low_pct: int) -> AnomalyEvaluation:
    deviation = cut_pct(cost - baseline, baseline)
    above = CORRECTED if one.restated else GATED
    return AnomalyEvaluation(
        one.entity_type,
        one.entity_id,
        cost,
        baseline,
        deviation,
        low_pct,
        triggered=False,
        severity_computed=None,
        anomaly_id=None,
        evaluation_reason=above if deviation >= low_pct else BELOW,
    )
