"""Snapshots as people and programs read them: a tenant's hour or day, its days before, and what judging it said.

One invariant: all of it is read off rows that the worker wrote, so an evaluation repeats the judgement and never makes
a second one (reference, cost_snapshots; CONTRACT §5, §6).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, Final, NamedTuple

from engines.core.money import NANOUSD_PER_CENT
from engines.core.time import US_PER_DAY, US_PER_HOUR, day_of, format_instant
from engines.cost.anomalies import cut_pct
from engines.cost.book import SNAPSHOT_WINDOW
from engines.cost.lines import SnapshotValues
from engines.cost.pages import ENTITY_TYPES

BELOW: Final = "below the threshold"
GATED: Final = "at the threshold; held back by the least amounts or days of the rules"
CORRECTED: Final = "at the threshold; corrected after its close, judged again at the next one"


class SnapshotType(StrEnum):
    """How long a snapshot's window is."""

    HOURLY = "hourly"
    DAILY = "daily"


class SnapshotStatus(StrEnum):
    """Whether the day of a snapshot is closed; nothing is computed in steps, so none is pending or failed."""

    PROVISIONAL = "provisional"
    COMPLETE = "complete"


class EntityType(StrEnum):
    """Whose spend an aggregate is."""

    TENANT = "tenant"
    USER = "user"
    FEATURE = "feature"
    MODEL = "model"


Entity = tuple[EntityType, str]


@dataclass(frozen=True, slots=True)
class SnapshotAggregate:
    """What one entity did in the window.

    Attributes:
        total_input_tokens: cached ones included.
        total_cost_nanousd: None when nothing was priced.
        baseline_7d_avg_nanousd: mean over its active days among the seven before, as fixed when the day closed.
        restated: a record came after the day was closed.
    """

    entity_type: EntityType
    entity_id: str
    request_count: int
    unpriced_requests: int
    retry_requests: int
    total_input_tokens: int
    cached_input_tokens: int
    total_output_tokens: int
    total_cost_nanousd: int | None
    baseline_7d_avg_nanousd: int | None
    restated: bool

    @property
    def total_cost_cents(self) -> int | None:
        """The cost in whole cents, cut."""
        return _cents(self.total_cost_nanousd)

    @property
    def avg_cost_per_request_nanousd(self) -> int | None:
        """The mean cost of its priced requests, cut."""
        cost = self.total_cost_nanousd
        return None if cost is None else cost // (self.request_count - self.unpriced_requests)

    @property
    def avg_tokens_per_request(self) -> int:
        """Tokens in and out per request, cut."""
        return (self.total_input_tokens + self.total_output_tokens) // self.request_count

    @property
    def deviation_from_7d_pct(self) -> float | None:
        """The cost against the baseline, cut to two decimals; None when either is missing or 0."""
        cost, baseline = self.total_cost_nanousd, self.baseline_7d_avg_nanousd
        return cut_pct(cost - baseline, baseline) if cost and baseline else None


@dataclass(frozen=True, slots=True)
class SnapshotBaseline:
    """One entity's active days among the ``window_days`` before the day, as their totals stand now.

    Attributes:
        samples_count: how many active days there are, at least one; means are over these, cut.
    """

    entity_type: EntityType
    entity_id: str
    avg_daily_cost_nanousd: int
    min_daily_cost_nanousd: int
    max_daily_cost_nanousd: int
    avg_daily_requests: float
    samples_count: int
    window_days: int = len(SNAPSHOT_WINDOW)

    @property
    def avg_daily_cost_cents(self) -> int:
        """The mean in whole cents, cut."""
        return self.avg_daily_cost_nanousd // NANOUSD_PER_CENT


@dataclass(frozen=True, slots=True)
class AnomalyEvaluation:
    """What the day-level evaluation said of one entity of a complete day.

    Attributes:
        threshold_pct: of the severity it reached, else the least one there is.
        severity_computed, anomaly_id: None when it was not triggered.
        evaluation_reason: the anomaly's message, or why there is none.
    """

    entity_type: EntityType
    entity_id: str
    current_value_nanousd: int
    baseline_value_nanousd: int
    deviation_pct: float
    threshold_pct: int
    triggered: bool
    severity_computed: str | None
    anomaly_id: str | None
    evaluation_reason: str

    @property
    def current_value_cents(self) -> int:
        """The cost in whole cents, cut."""
        return self.current_value_nanousd // NANOUSD_PER_CENT

    @property
    def baseline_value_cents(self) -> int:
        """The baseline in whole cents, cut."""
        return self.baseline_value_nanousd // NANOUSD_PER_CENT


@dataclass(frozen=True, slots=True)
class CostSnapshot:
    """What one tenant and its users, features and models did in one UTC hour or day.

    Attributes:
        version: grows with each record and at the close.
        records_processed: the tenant's records in the window.
        baselines, evaluations: of days only; evaluations only once the day is complete.
    """

    tenant_id: str
    snapshot_type: SnapshotType
    period_start_us: int
    period_end_us: int
    status: SnapshotStatus
    version: int
    records_processed: int
    aggregates: tuple[SnapshotAggregate, ...]
    baselines: tuple[SnapshotBaseline, ...] = ()
    evaluations: tuple[AnomalyEvaluation, ...] = ()

    def only(self, types: Collection[str]) -> CostSnapshot:
        """Return the snapshot with entities of *types* alone."""
        return replace(
            self,
            aggregates=tuple(one for one in self.aggregates if one.entity_type in types),
            baselines=tuple(one for one in self.baselines if one.entity_type in types),
            evaluations=tuple(one for one in self.evaluations if one.entity_type in types),
        )

    def line(self) -> dict[str, object]:
        """Return it as JSON has it."""
        return {
            "tenant_id": self.tenant_id,
            "snapshot_type": self.snapshot_type.value,
            "period_start": format_instant(self.period_start_us),
            "period_end": format_instant(self.period_end_us),
            "status": self.status.value,
            "version": self.version,
            "records_processed": self.records_processed,
            "aggregates": [_members(one) for one in self.aggregates],
            "baselines": [_members(one) for one in self.baselines],
            "evaluations": [_members(one) for one in self.evaluations],
        }


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
    days: dict[Entity, list[tuple[int, int]]] = {}
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


_DERIVED: Final[Mapping[type, tuple[str, ...]]] = {
    SnapshotAggregate: (
        "total_cost_cents",
        "avg_cost_per_request_nanousd",
        "avg_tokens_per_request",
        "deviation_from_7d_pct",
    ),
    SnapshotBaseline: ("avg_daily_cost_cents",),
    AnomalyEvaluation: ("current_value_cents", "baseline_value_cents"),
}


def _members(one: SnapshotAggregate | SnapshotBaseline | AnomalyEvaluation) -> dict[str, Any]:
    derived = {name: getattr(one, name) for name in _DERIVED[type(one)]}
    return {name: str(value) if isinstance(value, StrEnum) else value for name, value in asdict(one).items()} | derived


def _cents(nanousd: int | None) -> int | None:
    return None if nanousd is None else nanousd // NANOUSD_PER_CENT
