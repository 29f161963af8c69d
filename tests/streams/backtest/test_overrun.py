"""Backtests of month-end spend on series whose truth is known."""

import pytest

from engines.core.errors import OutlayError
from streams.backtest.cases import Series, cases, whole_months
from streams.backtest.overrun import CALIBRATED, RUN_RATE, OverrunReport, backtest
from tests.engines.prediction.spending import DAYS, FIRST_DAY, UNIT, spent

N = 3
_MONTHS_DAYS = 181
"""January to June."""


def silent(_done: int, _of: int) -> None:
    """Show nothing."""


def series_of(kind: str) -> Series:
    return {f"{kind} {seed}": (FIRST_DAY, spent(kind, seed, _MONTHS_DAYS)) for seed in range(N)}


def coverage(report: OverrunReport) -> float:
    found = next(score.coverage for score in report.intervals if score.name == CALIBRATED)
    assert found is not None
    return found


@pytest.mark.slow
def test_intervals_hold_what_comes_about_four_times_out_of_five_whatever_the_series_is_like() -> None:
    held = []
    for kind in ("steady", "weekly", "sparse", "bursts"):
        report, _ = backtest(series_of(kind), 0.5, silent)
        held.append(coverage(report))
        # Nine months, each of one stretch of days: even exact intervals would scatter by some .1.
        assert 0.55 < held[-1] < 0.99, kind
        brier = {score.name: score.brier for score in report.budgets}
        assert brier[CALIBRATED] < brier[RUN_RATE], kind
        assert report.held_out_months == ["2025-04", "2025-05", "2025-06"]
    assert 0.7 < sum(held) / len(held) < 0.9


def test_a_forecast_knows_nothing_of_the_days_it_is_about() -> None:
    days = spent("weekly", 1)
    changed = [*days[:200], *(50 * spend for spend in days[200:])]
    both = [
        cases({"s": (FIRST_DAY, spend)}, whole_months({"s": (FIRST_DAY, spend)}), silent) for spend in (days, changed)
    ]
    before = [[c for month in found.values() for c in month if c.day < FIRST_DAY + 200] for found in both]
    assert len(before[0]) > 150
    assert [(c.day, c.outlook, c.usual_month) for c in before[0]] == [
        (c.day, c.outlook, c.usual_month) for c in before[1]
    ]
    assert [c.actual for c in before[0]] != [c.actual for c in before[1]]


def test_a_case_tells_the_month_as_it_stands() -> None:
    days = [UNIT * (number + 1) for number in range(DAYS)]
    found = cases({"s": (FIRST_DAY, days)}, whole_months({"s": (FIRST_DAY, days)}), silent)
    (case,) = (c for month in found.values() for c in month if c.day == FIRST_DAY + 31 + 9)  # 10 February
    assert case.month_so_far == days[31:41]
    assert case.month_before == days[:31]
    assert case.last_week == days[34:41]
    assert (case.days_left, case.actual, case.seen_days) == (18, sum(days[41:59]), 41)
    assert case.usual_month == pytest.approx(sum(days[:31]) / 31 * 28)


def test_a_series_that_sleeps_is_not_forecast_and_one_that_begins_is_when_it_is_known() -> None:
    asleep = [*spent("steady", 1, 70), *[0] * (DAYS - 70)]
    late = spent("steady", 2, DAYS - 130)
    series = {"asleep": (FIRST_DAY, asleep), "late": (FIRST_DAY + 130, late)}
    found = [case for month in cases(series, whole_months(series), silent).values() for case in month]
    assert max(case.day for case in found if case.series == "asleep") == FIRST_DAY + 69 + 27
    first = min((case for case in found if case.series == "late"), key=lambda case: case.day)
    assert first.day == FIRST_DAY + 130 + 2
    assert first.month_before is None
    assert first.month_so_far == [*[0] * 10, *late[:3]]  # 11 May is its first day


def test_a_month_is_whole_when_the_file_goes_to_its_last_day() -> None:
    assert len(whole_months({"s": (FIRST_DAY, [1] * 90)})) == 3
    assert len(whole_months({"s": (FIRST_DAY, [1] * 89)})) == 2
    assert len(whole_months({"s": (FIRST_DAY, [0] * 40 + [1] * 50)})) == 2


def test_less_than_two_months_are_no_backtest() -> None:
    with pytest.raises(OutlayError, match="1 whole months of spend"):
        backtest({"s": (FIRST_DAY, [UNIT] * 45)}, 0.5, silent)


def test_a_budget_of_ones_own_is_told_of_and_one_already_overrun_is_not() -> None:
    series = {"s": (FIRST_DAY, spent("steady", 3))}
    kept, _ = backtest(series, 0.5, silent, budget_nanousd=10**6 * UNIT)
    assert (kept.overruns, kept.budget_cases) == (0, kept.forecasts)
    broken, _ = backtest(series, 0.5, silent, budget_nanousd=1)
    assert (broken.overruns, broken.budget_cases, broken.budgets) == (0, 0, [])
