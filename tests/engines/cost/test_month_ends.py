"""Month-end spend as it is published: what a plain program would tell of the same records, whatever came in between."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.core.time import format_day, month_days, month_of
from engines.cost.event import CostEvent
from engines.cost.fold import FoldLimits
from engines.cost.pages import LEDGER, SERIES, SeriesPage, day_key, series_key
from engines.cost.rules import STANDARD
from engines.cost.series import DAYS_MAX, READ_DAYS, SCOPES_MAX
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


@SOME
@given(days(), st.booleans())
def test_what_is_told_is_what_adding_up_all_records_tells(history: Days, forgets: bool) -> None:
    spending, plain = Spending(STANDARD, *rows(), limits=ON, forgets=forgets), Plain(list(BUDGETS))
    run(history, spending, plain)
    assert [plainly(line) for line in forecasts(spending)] == plain.told
    for scope, found in kept(spending).items():
        assert found == plain.series(scope, plain.tracked[scope], plain.through)


@SOME
@given(days())
def test_days_closed_for_others_alone_change_nothing(history: Days) -> None:
    every = Spending(STANDARD, *rows(), limits=ON)
    run(history, every, every_day=True)
    alone = awake(history)
    assert forecasts(every) == forecasts(alone)


@FEW
@given(days(), st.integers(0, 5))
def test_the_order_of_records_between_closes_changes_nothing(history: Days, seed: int) -> None:
    dice = Random(seed)
    shuffled = [(head, dice.sample(events, len(events))) for head, events in history]
    one, other = awake(history), awake(shuffled)
    assert forecasts(one) == forecasts(other)
    assert one.pages.parts.get(series_key(TENANT)) == other.pages.parts.get(series_key(TENANT))


@FEW
@given(days())
def test_turned_off_they_leave_no_page_and_nothing_else_is_different(history: Days) -> None:
    on, off = awake(history), Spending(STANDARD, *rows())
    run(history, off)
    assert off.pages.keys(SERIES) == set()
    assert forecasts(off) == []
    assert [line for line in on.lines if line.get("prediction_type") != KIND] == off.lines
    assert {key: parts for key, parts in on.pages.parts.items() if key.kind != SERIES} == off.pages.parts


@FEW
@given(days())
def test_a_tenant_without_a_monthly_budget_has_no_series(history: Days) -> None:
    for more in ([], [budget(daily=5)], [budget(monthly=0)], [budget(monthly=5, active=False)]):
        spending = Spending(STANDARD, *more, limits=ON)
        run(history, spending)
        assert spending.pages.keys(SERIES) == set()
        assert forecasts(spending) == []


@FEW
@given(days(), days())
def test_turned_on_late_and_off_for_a_while_they_go_on_as_if_never_off(before: Days, after: Days) -> None:
    """As far as series began before, or days are read again."""
    moved = before[-1][0] - FIRST
    shifted = [
        (head + moved, [spent(day_of(e) + moved, (e.cost_nanousd or 0) / 10**9, user_id=e.user_id) for e in events])
        for head, events in after
    ]
    late = Spending(STANDARD, *rows())
    run(before, late)
    late.domain = awake([]).domain
    run(shifted, late)
    always = Spending(STANDARD, *rows(), limits=ON)
    run([*before, *shifted], always)
    for scope, found in kept(late).items():
        assert kept(always)[scope][-len(found) :] == found
        assert len(found) >= min(READ_DAYS, len(kept(always)[scope]))


def steady(first: int, last: int, usd: float = 10, **more: Any) -> Days:
    return [(day, [spent(day, usd, **more)]) for day in range(first, last + 1)]


def test_a_line_says_all_there_is_to_say() -> None:
    spending = awake(steady(FIRST, FIRST + 10, user_id="u"))
    line = next(
        line
        for line in forecasts(spending)
        if line["as_of"] == format_day(FIRST + 10) and line["subject_type"] == "user"
    )
    value = line.pop("prediction_value")
    assert (value["spent_nanousd"], value["limit_nanousd"], value["month"]) == (100 * 10**9, 30 * 10**9, "2026-03")
    assert value["spent_nanousd"] < value["low_nanousd"] < value["median_nanousd"] < value["high_nanousd"]
    assert value["exceeds_probability"] == 1.0
    assert line == {
        "prediction_id": line["prediction_id"],
        "tenant_id": TENANT,
        "prediction_type": KIND,
        "subject_type": "user",
        "subject_id": "u",
        "confidence_score": 1.0,
        "contributing_factors": [
            {"factor": "history_days", "count": 10},
            {"factor": "days_left", "count": 14},
            {"factor": "run_rate", "value": 10_000 * 31 // 17},
        ],
        "as_of": "2026-03-18T00:00:00Z",
        "expires_at": "2026-03-19T00:00:00Z",
        "is_advisory": True,
        "notes": line["notes"],
        "status": "active",
        "revision": 2 * (10 + 3) + 1,
    }
    assert line["prediction_id"].startswith("pr_")


def test_an_id_is_one_of_a_scope_and_a_day() -> None:
    told = forecasts(awake(steady(FIRST, FIRST + 40, user_id="u", feature_tag="f")))
    assert len(told) > 100
    assert len({line["prediction_id"] for line in told}) == len(told)
    assert {line["revision"] % 2 for line in told} == {1}


def test_on_the_last_day_of_a_month_nothing_is_left_to_tell() -> None:
    told = forecasts(awake(steady(FIRST, FIRST + 40)))
    assert {"2026-03-31T00:00:00Z", "2026-04-02T00:00:00Z"} <= {line["as_of"] for line in told}
    assert "2026-04-01T00:00:00Z" not in {line["as_of"] for line in told}


def test_of_a_scope_without_three_days_nothing_is_told() -> None:
    told = forecasts(awake(steady(FIRST, FIRST + 3)))
    assert [(line["subject_type"], line["as_of"]) for line in told] == [("tenant", format_day(FIRST + 3))]


def test_a_corrected_day_is_corrected_in_the_series_too() -> None:
    spending = awake(steady(FIRST, FIRST + 20))
    spending.fold(spent(FIRST + 2, 90, user_id="u"))
    assert kept(spending)[OWN][-18] == 10 * 10**9
    spending.close(FIRST + 20)
    assert kept(spending)[OWN][-19] == 100 * 10**9
    assert kept(spending)[USER][-19] == 90 * 10**9


def test_a_series_goes_on_over_a_silence_and_begins_anew_after_a_long_one() -> None:
    short = awake([*steady(FIRST, FIRST + 9), *steady(FIRST + 40, FIRST + 41)])
    assert kept(short)[OWN][-32:] == [10 * 10**9, *[0] * 30, 10 * 10**9]
    assert len(kept(short)[OWN]) > READ_DAYS
    long = awake([*steady(FIRST, FIRST + 9), *steady(FIRST + 60, FIRST + 61)])
    assert kept(long)[OWN] == [*[0] * (READ_DAYS - 1), 10 * 10**9]


def test_a_series_holds_a_year() -> None:
    spending = Spending(STANDARD, *rows([OWN]), limits=FoldLimits())
    page = SeriesPage(FIRST - 1, {OWN: list(range(DAYS_MAX))})
    spending.pages.put(series_key(TENANT), page)
    spending.domain = awake([]).domain
    run(steady(FIRST, FIRST + 1), spending)
    assert kept(spending)[OWN] == [*range(1, DAYS_MAX), 10 * 10**9]


def test_a_budget_that_goes_takes_its_series_along() -> None:
    spending = awake(steady(FIRST, FIRST + 5))
    assert kept(spending).keys() == BUDGETS.keys()
    spending.learn(budget(*USER, monthly=5, active=False, since=FIRST + 5))
    spending.close(FIRST + 5)
    assert kept(spending).keys() == {OWN, FEATURE}
    assert {line["subject_type"] for line in made_on(spending, FIRST + 6)} == {"tenant"}


def made_on(spending: Spending, as_of: int) -> list[Line]:
    return [line for line in forecasts(spending) if line["as_of"] == format_day(as_of)]


def test_of_very_many_budgets_the_tenants_own_and_the_greatest_are_told_of() -> None:
    many = [budget("user", f"u{n:03}", monthly=1_000 + n) for n in range(SCOPES_MAX + 10)]
    spending = Spending(STANDARD, *many, budget(*OWN, monthly=1), limits=ON)
    run(
        [(FIRST + n, [spent(FIRST + n, 1, user_id=f"u{u:03}") for u in range(SCOPES_MAX + 10)]) for n in range(4)],
        spending,
    )
    asked = {OWN} | {("user", f"u{n:03}") for n in range(11, SCOPES_MAX + 10)}
    assert kept(spending).keys() == asked
    assert {(line["subject_type"], line["subject_id"]) for line in forecasts(spending)} == asked


def test_days_are_read_for_scopes_that_begin_and_no_more_once_they_are_there() -> None:
    spending = Spending(STANDARD, *rows(), limits=FoldLimits())
    run(steady(FIRST, FIRST + 20), spending)
    spending.domain = awake([]).domain

    def wanted() -> set[int]:
        spending.commit()
        pages = spending.pages
        for key in [key for key in pages.parts if key.kind in {LEDGER, SERIES}]:
            pages.bodies[key] = spending.page(key)
        pages.bodies.setdefault(series_key(TENANT), None)
        return {
            key.bucket // 24
            for key in spending.domain.close_missing(pages, (spending.closed or 0) + 1, [TENANT], spending.context)
            if key == day_key(TENANT, key.bucket // 24)
        }

    assert wanted() == set(range(FIRST, FIRST + 21))
    spending.commit()
    spending.close(FIRST + 20)
    spending.fold(spent(FIRST + 21, 1))
    assert wanted() == set(range(FIRST + 14, FIRST + 22))  # what the close reads anyway


def test_a_series_takes_room_in_memory_by_its_days() -> None:
    domain = Spending().domain
    year = SeriesPage(FIRST, {OWN: [0] * DAYS_MAX})
    assert domain.weight(year) == pytest.approx(
        domain.weight(SeriesPage(FIRST, {OWN: [0] * 3 * DAYS_MAX})) / 3, rel=0.05
    )
    assert domain.weight(SeriesPage()) == 0
    assert list(domain.project(series_key(TENANT), year, 1)) == []
