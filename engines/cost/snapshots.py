"""Snapshots as people and programs read them: a tenant's hour or day, its days before, and what judging it said.

The reference's names and fields where the thing exists (cost_snapshots). Money is exact in nano-USD; fields in cents
are cut, as in facts. ``engines.cost.snapshot_view`` makes them from rows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, Final

from engines.core.money import NANOUSD_PER_CENT
from engines.core.time import format_instant
from engines.cost.anomalies import cut_pct
from engines.cost.book import SNAPSHOT_WINDOW


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

    def baseline_of(self, one: SnapshotAggregate) -> SnapshotBaseline | None:
        """Return the baseline of the entity of *one*, None when it has none."""
        return next((base for base in self.baselines if _same(base, one)), None)

    def evaluation_of(self, one: SnapshotAggregate) -> AnomalyEvaluation | None:
        """Return what the evaluation said of the entity of *one*, None when it said nothing."""
        return next((said for said in self.evaluations if _same(said, one)), None)

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


def _same(one: SnapshotBaseline | AnomalyEvaluation, other: SnapshotAggregate) -> bool:
    return (one.entity_type, one.entity_id) == (other.entity_type, other.entity_id)


def _members(one: SnapshotAggregate | SnapshotBaseline | AnomalyEvaluation) -> dict[str, Any]:
    derived = {name: getattr(one, name) for name in _DERIVED[type(one)]}
    return {name: str(value) if isinstance(value, StrEnum) else value for name, value in asdict(one).items()} | derived


def _cents(nanousd: int | None) -> int | None:
    return None if nanousd is None else nanousd // NANOUSD_PER_CENT
