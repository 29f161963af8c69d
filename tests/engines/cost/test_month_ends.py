"""Month-end spend as it is published: what a plain program would tell of the same records, whatever came in between."""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.core.time import format_day
from engines.cost.fold import FoldLimits
from engines.cost.pages import LEDGER, SERIES, SeriesPage, day_key, series_key
from engines.cost.rules import STANDARD
from engines.cost.series import DAYS_MAX, READ_DAYS, SCOPES_MAX
from tests.engines.cost.histories import day_of
from tests.engines.cost.month_ends import (
    BUDGETS,
    FEATURE,
    FEW,
    FIRST,
    KIND,
    ON,
    OWN,
    SOME,
    USER,
    Days,
    Plain,
    awake,
    days,
    forecasts,
    kept,
    plainly,
    rows,
    run,
)
from tests.engines.cost.spending import TENANT, Line, Spending, budget, spent


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
