"""Month-end spend as a plain program tells of it, and histories of spend to hold it against."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st

from engines.core.time import format_day, month_days, month_of
from engines.cost.event import CostEvent
from engines.cost.fold import FoldLimits
from engines.cost.pages import SeriesPage, series_key
from engines.cost.rules import STANDARD
from engines.cost.series import DAYS_MAX, READ_DAYS
from engines.prediction.history import read
from engines.prediction.outlook import OutlookPolicy, outlook
from tests.engines.cost.histories import day_of
from tests.engines.cost.spending import TENANT, Line, Row, Spending, budget, spent

FIRST = 20_520  # 8 March 2026
ON = FoldLimits(forecasts=True)
KIND = "month_end_spend"
FEW = settings(max_examples=8, deadline=None, derandomize=True)
SOME = settings(max_examples=25, deadline=None, derandomize=True)
Scope = tuple[str, str]
OWN, USER, FEATURE = ("tenant", TENANT), ("user", "u"), ("feature", "f")
BUDGETS = {OWN: 50_000, USER: 3_000, FEATURE: 20_000}
"""Monthly limits in cents."""


def rows(scopes: Sequence[Scope] = tuple(BUDGETS)) -> list[Row]:
    return [budget(*scope, monthly=BUDGETS[scope]) for scope in scopes]


def matches(event: CostEvent, scope: Scope) -> bool:
    names = {"tenant": event.tenant_id, "user": event.user_id, "feature": event.feature_tag}
    return names[scope[0]] == scope[1]


@dataclass
class Plain:
    """The same told by adding up all records at every close.

    Attributes:
        tracked: scope → first day of its series, and the close before at which the tenant was awake.
    """

    scopes: list[Scope]
    events: list[CostEvent] = field(default_factory=list)
    tracked: dict[Scope, int] = field(default_factory=dict)
    through: int = -1
    told: list[Line] = field(default_factory=list)

    def series(self, scope: Scope, first: int, last: int) -> list[int]:
        mine = [event for event in self.events if matches(event, scope)]
        return [
            sum(event.cost_nanousd or 0 for event in mine if day_of(event) == day) for day in range(first, last + 1)
        ]

    def close(self, day: int) -> None:
        if not any(day - 7 <= day_of(event) <= day for event in self.events):
            return
        for scope in sorted(self.scopes):
            first = self.tracked.get(scope)
            if first is None or day - self.through > READ_DAYS:
                first = day + 1 - READ_DAYS
            self.tracked[scope] = max(first, day + 1 - DAYS_MAX)
            self._tell(scope, day)
        self.through = day

    def _tell(self, scope: Scope, day: int) -> None:
        month, first = month_days(month_of(day)), self.tracked[scope]
        history = read(first, self.series(scope, first, day), OutlookPolicy().level)
        left = month[-1] - day
        found = outlook(history, left, OutlookPolicy()) if left else None
        if found is None:
            return
        so_far = sum(self.series(scope, month[0], day))
        limit = BUDGETS[scope] * 10**7
        records = sum(month[0] <= day_of(event) <= day for event in self.events)
        low, median, high = (so_far + float(f"{rest:.5e}") for rest in found.interval())
        told = {
            "subject": scope,
            "as_of": format_day(day + 1),
            "expires_at": format_day(day + 2),
            "revision": 2 * (records + len(self.scopes)) + 1,
            "exceeds": 1.0 if so_far >= limit else round(found.exceeds(limit - so_far), 3),
            "numbers": (so_far, *map(pytest.approx, (low, median, high)), limit),
            "factors": (len(history.spent), left, so_far * len(month) // (day - month[0] + 1) // 10**7),
        }
        self.told.append(told)


def plainly(line: Line) -> Line:
    """Return what *line* says, as ``Plain`` puts it."""
    value, names = line["prediction_value"], ("spent", "low", "median", "high", "limit")
    assert line["confidence_score"] == value["exceeds_probability"]
    assert value["month"] == format_day((day_number(line["as_of"])) - 1)[:7]
    assert all(isinstance(value[f"{name}_nanousd"], int) for name in names)
    return {
        "subject": (line["subject_type"], line["subject_id"]),
        "as_of": line["as_of"],
        "expires_at": line["expires_at"],
        "revision": line["revision"],
        "exceeds": line["confidence_score"],
        "numbers": tuple(value[f"{name}_nanousd"] for name in names),
        "factors": tuple(factor.get("count", factor.get("value")) for factor in line["contributing_factors"]),
    }


def day_number(instant: str) -> int:
    return next(day for day in range(FIRST - 60, FIRST + 900) if format_day(day) == instant)


def forecasts(spending: Spending) -> list[Line]:
    return [line for line in spending.lines if line.get("prediction_type") == KIND]


def kept(spending: Spending) -> dict[Scope, list[int]]:
    page = spending.page(series_key(TENANT))
    return page.spent if isinstance(page, SeriesPage) else {}


Days = list[tuple[int, list[CostEvent]]]
"""(days that pass before they come and are closed before, records), in order."""


@st.composite
def days(draw: st.DrawFn, *, late: bool = True) -> Days:
    """Draw records day by day, with silences; some of them late, by up to the horizon."""
    head, found = FIRST, []
    for skip in draw(st.lists(st.sampled_from((1, 1, 1, 1, 2, 5, 9, 30, 45)), min_size=4, max_size=14)):
        head += skip
        events = []
        for lag, usd, user, feature in draw(
            st.lists(
                st.tuples(
                    st.sampled_from((0, 0, 0, 1, 3, 8, 20, 34) if late else (0,)),
                    st.sampled_from((0, 1, 3, 20, 400)),
                    st.sampled_from((None, "u", "v")),
                    st.sampled_from((None, "f", "g")),
                ),
                max_size=4,
            )
        ):
            events.append(spent(head - lag, usd, user_id=user, feature_tag=feature))
        found.append((head, events))
    return [*found, (head + 1, [])]


def run(history: Days, spending: Spending, plain: Plain | None = None, *, every_day: bool = False) -> None:
    """Let records come, each time after the days before them have closed."""
    for head, events in history:
        if plain is not None and plain.events:
            for day in range(spending.closed or min(map(day_of, plain.events)) - 1, head - 1):
                plain.close(day + 1)
        if spending.tenants():
            spending.close(head - 1, every_day=every_day)
        spending.fold(*events)
        if plain is not None:
            plain.events += events


def awake(history: Days) -> Spending:
    spending = Spending(STANDARD, *rows(), limits=ON)
    run(history, spending)
    return spending
