"""When failures are a pattern: what the stretches say equals counting at every instant."""

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from engines.patterns.activations import THRESHOLD, WINDOW_US, Activation, activations

EDGES = st.sampled_from([0, 1, WINDOW_US - 1, WINDOW_US, WINDOW_US + 1, WINDOW_US // 2, WINDOW_US // 3])
GAPS = st.one_of(EDGES, st.integers(0, 2 * WINDOW_US))
TIMES = st.lists(GAPS, max_size=12).map(lambda gaps: [sum(gaps[: at + 1]) for at in range(len(gaps))])


def active(times: Sequence[int], at: int) -> bool:
    """Count, plainly."""
    return bisect_right(times, at) - bisect_left(times, at - WINDOW_US) >= THRESHOLD


def instants(times: Sequence[int]) -> list[int]:
    """Return every instant at which anything may change, and those beside it."""
    edges = {at + shift for at in times for shift in (0, WINDOW_US, WINDOW_US + 1)}
    return sorted({max(at + step, 0) for at in edges for step in (-1, 0, 1)})


def covers(found: Sequence[Activation], at: int) -> bool:
    return any(one.since_us <= at < one.until_us for one in found)


@given(TIMES)
def test_a_pattern_is_active_exactly_where_its_window_holds_three(times: list[int]) -> None:
    found = activations(times, 0, None)
    assert all(covers(found, at) == active(times, at) for at in instants(times))
    assert all(one.since_us in times and one.last_us == max(t for t in times if t < one.until_us) for one in found)
    assert all(one.until_us < after.since_us for one, after in itertools.pairwise(found)), "they are maximal"


@given(TIMES, st.integers(0, 11))
def test_what_lies_behind_a_failure_is_found_from_the_day_before_it(times: list[int], number: int) -> None:
    if not times:
        return
    first = times[number % len(times)]
    whole = activations(times, 0, None)
    began = next((one.since_us for one in whole if one.since_us < first <= one.until_us), None)
    seen = [at for at in times if at >= first - WINDOW_US - 1]
    wanted = [one for one in whole if one.until_us > first]
    assert activations(seen, first, began) == wanted
    newest_before = [at for at in seen if at < first][-THRESHOLD:]
    assert activations(newest_before + [at for at in seen if at >= first], first, began) == wanted


def test_the_window_ends_with_its_last_microsecond() -> None:
    at_the_end = [0, 5, WINDOW_US]
    assert activations(at_the_end, 0, None) == [Activation(WINDOW_US, WINDOW_US, WINDOW_US + 1)]
    assert activations([0, 5, WINDOW_US + 1], 0, None) == []


def test_two_stretches_that_touch_are_one() -> None:
    """At the instant the first failure leaves, a fourth one comes: three are in the window all the time."""
    times = [0, 10, 20, WINDOW_US + 1]
    assert activations(times, 0, None) == [Activation(20, WINDOW_US + 1, WINDOW_US + 11)]
    apart = activations([0, 10, 20, WINDOW_US + 2], 0, None)
    assert [(one.since_us, one.until_us) for one in apart] == [(20, WINDOW_US + 1), (WINDOW_US + 2, WINDOW_US + 11)]
