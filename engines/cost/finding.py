"""What a rule says of one entity in one window, whether it holds or not; in numbers, not yet in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engines.cost.causes import Cause
from engines.cost.pages import Told
from engines.cost.rules import AnomalyType, DerivedCause, Rules
from engines.cost.settings import Budget

SPIKE: Final = AnomalyType.ABSOLUTE_SPIKE.value
DRIFT: Final = AnomalyType.SUSTAINED_DRIFT.value
UNPRICED: Final = AnomalyType.UNPRICED_USAGE.value
BUDGET: Final = "BUDGET"
"""The kind of both budget types in an id: one id, whose type rises (CONTRACT §5)."""
DAILY: Final = "daily"
MONTHLY: Final = "monthly"
DAY_LEVEL: Final = {
    "user": AnomalyType.USER_SPIKE.value,
    "feature": AnomalyType.FEATURE_SPIKE.value,
    "model": AnomalyType.MODEL_SPIKE.value,
    "tenant": AnomalyType.TENANT_SPIKE.value,
}
"""entity type → the kind of its day-level spike (reference, cost_snapshots)."""
NO_CAUSE: Final = Cause(DerivedCause.UNKNOWN, None)


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule's numbers for one id.

    Attributes:
        kind: as in the id.
        first_day, end_day: the window, [first, end).
        current, expected: nano-USD; None where the rule knows no money.
        ratio: deviation_pct as (numerator, denominator); a denominator of 0 reads as 0.
        streak_start: day the episode began, the window's first without a streak.
        rules: by which it was judged.
        budget: of a budget line, with its limit of the period in cents.
        holds: whether the rule fires.
    """

    kind: str
    anomaly_type: str
    severity: str
    entity_type: str
    entity_id: str
    period: str | None
    first_day: int
    end_day: int
    current: int | None
    expected: int | None
    ratio: tuple[int, int]
    threshold_pct: int
    streak_start: int
    rules: Rules
    holds: bool
    breach_count: int = 1
    cause: Cause = NO_CAUSE
    unpriced_requests: int = 0
    budget: tuple[Budget, int] | None = None

    @property
    def told(self) -> Told:
        """What tells it apart in its window."""
        return (self.kind, self.entity_type, self.entity_id, self.period)
