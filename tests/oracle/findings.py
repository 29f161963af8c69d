"""What a rule says of one entity in one window: the part of an anomaly line that the rules decide."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from functools import cache
from typing import Any, NamedTuple

from tests.oracle.totals import Entity

SPIKE = "ABSOLUTE_SPIKE"
DRIFT = "SUSTAINED_DRIFT"
UNPRICED = "UNPRICED_USAGE"
BUDGET = "BUDGET"
UNKNOWN = "UNKNOWN"
_EPOCH = date(1970, 1, 1)


class Window(NamedTuple):
    """Whole UTC days, both included, in days since the epoch; a budget's window has a period."""

    first: int
    last: int
    period: str | None = None


class Key(NamedTuple):
    """What makes an anomaly id within a tenant; `kind` is BUDGET for budgets."""

    kind: str
    entity: Entity
    window: Window


@dataclass(frozen=True)
class Finding:
    """What stands for an id, whether or not it is enough to fire (`holds`).

    `threshold_pct` is that of the rule that fired, or would have.
    """

    key: Key
    holds: bool
    anomaly_type: str
    severity: str
    current_nanousd: int | None
    expected_nanousd: int | None
    deviation_pct: Fraction
    threshold_pct: int
    unpriced_requests: int
    streak: int = 1
    streak_start: int = 0
    cause: str = UNKNOWN
    evidence: Mapping[str, Any] | None = None
    budget: Mapping[str, Any] | None = None

    @property
    def news(self) -> tuple[object, ...]:
        """What of a provisional finding is worth telling when it changes: type, severity, episode, cause."""
        return (self.anomaly_type, self.severity, self.streak_start, self.cause)


def day_window(day: int) -> Window:
    """Return the window of the rules that judge a day."""
    return Window(day, day)


@cache
def month_of(day: int) -> Window:
    """Return the calendar month of a day as the window of the monthly budgets."""
    first = (_EPOCH + timedelta(days=day)).replace(day=1)
    following = (first + timedelta(days=31)).replace(day=1)
    return Window((first - _EPOCH).days, (following - _EPOCH).days - 1, "monthly")
