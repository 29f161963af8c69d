"""The ladder finds the one record that fails, in few tries, and everything else passes."""

from hypothesis import given, settings
from hypothesis import strategies as st

from engines.core.model import Attempt
from streams.ladder import FACTOR, Ladder, Rung, resumed, taken_over

MANY = settings(max_examples=300, deadline=None, derandomize=True)
LIMITS = st.integers(1, 6_000)


def depth(top: int) -> int:
    """Return how many failures lead from full steps of *top* to a single record, its own included."""
    failures = 1
    while top > 1:
        top, failures = max(1, top // FACTOR), failures + 1
    return failures


def test_it_climbs_down_by_eighths_and_up_again_when_the_stretch_is_past() -> None:
    ladder = Ladder(5_000)
    limits = []
    for until in (5_000, 625, 78, 9):
        ladder = ladder.failed(until)
        limits.append(ladder.limit)
    assert limits == [625, 78, 9, 1]
    assert ladder.at_single_record
    assert [ladder.passed(at).limit for at in (8, 9, 77, 78, 624, 625, 4_999, 5_000)] == [
        1, 9, 9, 78, 78, 625, 625, 5_000
    ]  # fmt: skip
    assert ladder.passed(5_000) == Ladder(5_000)
    assert not ladder.passed(5_000).suspicious
    assert ladder.passed(4_999).suspicious


def test_a_single_record_is_not_divided() -> None:
    assert Ladder(7).failed(1).failed(1).limit == 1


def test_after_a_death_without_a_mark_the_first_step_is_full_and_marked() -> None:
    assert resumed(100, 40, None) == Ladder(100, (Rung(100, 41),))


def test_after_a_death_under_a_mark_the_next_try_is_an_eighth_of_it() -> None:
    ladder = resumed(100, 40, Attempt(40, 64, 90, 1))
    assert ladder == Ladder(100, (Rung(8, 90),))
    assert ladder.passed(90) == Ladder(100)


def test_a_mark_of_a_step_that_was_committed_keeps_its_size() -> None:
    assert resumed(100, 90, Attempt(40, 8, 90, 1)) == Ladder(100, (Rung(8, 91),))


def test_who_takes_over_after_a_clean_leave_stands_where_the_last_one_stood() -> None:
    left = Ladder(100).failed(90)
    mark = left.mark(40, 2)
    assert mark == Attempt(40, 12, 90, 2)
    assert taken_over(100, 40, mark) == left
    assert taken_over(100, 90, mark) == taken_over(100, 40, None) == Ladder(100)
    assert Ladder(100).mark(40, 1) is None


def test_in_full_steps_of_one_record_a_failure_is_nobodys_own() -> None:
    assert not Ladder(1).at_single_record
    assert Ladder(1).failed(1).at_single_record


@MANY
@given(st.integers(1, 20_000), LIMITS, st.data())
def test_one_record_that_fails_is_found_in_a_bounded_number_of_failures(n: int, top: int, data: st.DataObject) -> None:
    killer = data.draw(st.integers(0, n - 1))
    ladder, at, failures, buried = Ladder(top), 0, 0, set[int]()
    while at < n:
        end = min(at + ladder.limit, n)
        if at <= killer < end and killer not in buried:
            failures += 1
            if ladder.at_single_record:
                buried.add(at)
            else:
                ladder = ladder.failed(end)
            continue
        at, ladder = end, ladder.passed(end)
    assert buried == {killer}
    assert failures == max(2, depth(top)), "in full steps something else may still be uncommitted"
    assert not ladder.suspicious


@MANY
@given(st.integers(1, 20_000), LIMITS, st.integers(1, 3), st.data())
def test_one_record_that_kills_is_found_in_a_bounded_number_of_deaths(
    n: int, top: int, tries_max: int, data: st.DataObject
) -> None:
    """As an owner uses it: the mark is durable, the ladder is not, and a death goes back to the position."""
    killer = data.draw(st.integers(0, n - 1))
    mark: Attempt | None = None
    ladder, at, deaths, tries, buried = Ladder(top), 0, 0, 1, set[int]()
    while at < n:
        end = min(at + ladder.limit, n)
        if ladder.suspicious:
            mark = Attempt(at, ladder.limit, end, tries)
        if at <= killer < end and killer not in buried:
            deaths += 1
            tries = 1
            if mark is not None and mark.offset == at and mark.limit == 1:
                tries = mark.tries + 1
                if mark.tries >= tries_max:
                    buried.add(at)
            ladder = resumed(top, at, mark)
            continue
        at, ladder, mark, tries = end, ladder.passed(end), None, 1
    assert buried == {killer}
    assert deaths <= depth(top) + tries_max
