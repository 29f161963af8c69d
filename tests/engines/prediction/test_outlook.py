"""Month-end spend: properties of one outlook; how often it is right, the backtest's tests tell."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.prediction.history import LevelPolicy, read
from engines.prediction.outlook import Outlook, OutlookPolicy, outlook
from engines.prediction.widths import Widths
from tests.engines.prediction.spending import FIRST_DAY, KINDS, UNIT, spent

POLICY = OutlookPolicy()
amounts = st.one_of(st.just(0), st.integers(0, 10**14))


def told(days: list[int], ahead: int) -> Outlook:
    found = outlook(read(FIRST_DAY, days, POLICY.level), ahead, POLICY)
    assert found is not None
    return found


def test_too_few_days_and_nothing_but_zeros_tell_nothing() -> None:
    for days in ([], [5], [5, 5], [0, 0, 5, 5], [0] * 90):
        assert outlook(read(FIRST_DAY, days, POLICY.level), 10, POLICY) is None
    assert told([5 * UNIT] * 3, 10).interval().median > 0


def test_a_series_of_equal_days_goes_on_and_is_soon_believed() -> None:
    early, late = (told([100 * UNIT] * days, 20).interval() for days in (10, 200))
    assert late.median == pytest.approx(2_000 * UNIT, rel=0.05)
    assert late.high - late.low < (early.high - early.low) / 2
    assert late.low <= 2_000 * UNIT <= late.high


@pytest.mark.parametrize("kind, share, of", [("steady", 1, 10), ("weekly", 1, 10), ("steady", 10, 1)])
def test_a_week_that_is_unlike_all_before_it_makes_the_slow_levels_disbelieved(kind: str, share: int, of: int) -> None:
    before = spent(kind, 2, 120)
    changed = told([*before, *(spend * share // of for spend in spent(kind, 3, 7))], 20)
    assert changed.views[0].belief > 0.7, "the quickest"
    went_on = told([*before, *spent(kind, 3, 7)], 20)
    assert went_on.views[0].belief < 0.6
    ratio = changed.interval().median / went_on.interval().median
    assert (ratio > 4) if share > of else (ratio < 0.4)


def test_a_last_week_that_no_level_explains_is_no_error() -> None:
    days = [10**9 * UNIT] * 200 + [0] * 6 + [1]
    assert sum(view.belief for view in told(days, 3).views) == pytest.approx(1)


def test_weekends_are_known_to_cost_less() -> None:
    days = spent("weekly", 1, 210)
    over_weekend = told(days[: 7 * 29 + 5], 2)  # the two cheapest days of the week come
    over_weekdays = told(days[: 7 * 29], 2)
    assert over_weekend.interval().median < over_weekdays.interval().low
    assert over_weekend.interval().high < over_weekdays.interval().median


def test_a_new_level_is_believed_within_weeks() -> None:
    days = spent("steady", 2, 120) + [10 * spend for spend in spent("steady", 3, 21)]
    old, new = 100 * UNIT * 10, 1000 * UNIT * 10
    assert told(days[:120], 10).interval().median == pytest.approx(old, rel=0.2)
    assert told(days, 10).interval().median > 0.6 * new


def test_nothing_is_drawn() -> None:
    assert told(spent("bursts", 4), 17) == told(spent("bursts", 4), 17)


def test_leading_days_of_nothing_change_nothing_but_the_calendar() -> None:
    days = spent("heavy", 5, 60)
    moved = read(FIRST_DAY - 70, [0] * 70 + days, POLICY.level)
    assert outlook(moved, 9, POLICY) == told(days, 9)


def test_what_was_known_on_a_day_is_what_a_shorter_series_tells() -> None:
    days = spent("sparse", 6)
    whole = read(FIRST_DAY, days, POLICY.level)
    for length in (30, 111, 200):
        assert outlook(whole.until(FIRST_DAY + length - 1), 12, POLICY) == told(days[:length], 12)
    assert outlook(whole.until(FIRST_DAY - 5), 12, POLICY) is None


@given(st.lists(amounts, min_size=3, max_size=60).filter(any), st.integers(1, 30), st.floats(0.2, 5))
@settings(max_examples=60, deadline=None)
def test_any_series_has_an_interval_in_order_and_probabilities_that_fall(
    days: list[int], ahead: int, width: float
) -> None:
    found = outlook(read(FIRST_DAY, days, POLICY.level), ahead, POLICY)
    if found is None:
        assert len(days) - next(n for n, spend in enumerate(days) if spend) < POLICY.days_min
        return
    found = found.stretched(width)
    low, median, high = found.interval()
    assert 0 <= low <= median <= high
    chances = [found.exceeds(left) for left in (-1.0, 0.0, low, median, high, 2 * high + 1)]
    assert chances == sorted(chances, reverse=True)
    assert all(0 <= chance <= 1 for chance in chances)
    assert found.exceeds(median) == pytest.approx(0.5, abs=0.01) or median == 0


def test_chance_and_interval_speak_of_one_distribution() -> None:
    for kind in KINDS:
        for width in (0.7, 1.0, 1.6):
            found = told(spent(kind, 7), 15).stretched(width)
            low, _, high = found.interval()
            assert found.exceeds(high) == pytest.approx(0.1, abs=1e-6)
            assert low == 0 or found.exceeds(low) == pytest.approx(0.9, abs=1e-6)


def test_reach_is_one_at_the_ends_of_the_interval_and_none_in_the_middle() -> None:
    found = told(spent("weekly", 8), 15)
    low, median, high = (round(amount) for amount in found.interval())
    assert [found.reach(amount) for amount in (low, median, high)] == pytest.approx([1, 0, 1], abs=1e-6)
    assert found.reach(2 * high) > 1
    assert found.reach(0) > 1


def test_the_half_lives_are_believed_by_what_they_would_have_told() -> None:
    dice = random.Random(9)
    calm = [round(UNIT * 100 * dice.uniform(0.5, 1.5)) for _ in range(200)]
    views = told(calm, 14).views
    assert sum(view.belief for view in views) == pytest.approx(1)
    assert views[0].belief < views[-1].belief


def test_levels_and_weekdays_are_those_of_the_days_before() -> None:
    history = read(FIRST_DAY, [700, 0, 0, 0, 0, 0, 0] * 20, LevelPolicy())
    factors = history.standings[-1].factors
    assert sum(factors) == pytest.approx(7)
    assert max(factors) == factors[FIRST_DAY % 7] > 3
    assert history.standings[-1].usual == pytest.approx(100, rel=0.1)
    assert history.between(0, 8) == 1400


def test_widths_are_one_until_something_is_known_and_then_follow_it() -> None:
    widths = Widths()
    assert widths.width(20, 200) == 1.0
    for number in range(700):
        widths.learn(20, 200, number / 700 * 0.5)
    assert 0.3 < widths.width(20, 200) < 0.7
    assert widths.width(20, 30) == widths.width(3, 200) == 1.0
    for number in range(3):
        widths.learn(3, 30, 9.0 + number)
    assert 1.0 < widths.width(3, 30) < 1.1
