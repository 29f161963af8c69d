"""When memory counts as growing."""

from random import Random

from tests.chaos.memory import MIB
from tests.chaos.soak import FILLED_S, RISE_MAX, spark, trend

_MINUTES = 20


def _held(mib_a_minute: float, until: float = _MINUTES, minutes: float = _MINUTES) -> list[tuple[float, int]]:
    """Return the samples of a process that holds 200 MiB, give or take 2 %, and more each minute *until* some."""
    random = Random(1)
    return [
        (float(at_s), round((200 * random.uniform(0.98, 1.02) + mib_a_minute * min(at_s / 60, until)) * MIB))
        for at_s in range(0, round(minutes * 60), 5)
    ]


def test_memory_that_only_wavers_is_flat() -> None:
    found = trend(_held(0.0))
    assert found.flat
    assert abs(found.rise) < RISE_MAX / 5


def test_memory_that_grows_by_a_mebibyte_and_a_half_a_minute_is_not() -> None:
    found = trend(_held(1.5))
    assert not found.flat
    assert 1.3 * MIB < found.slope * 60 < 1.7 * MIB


def test_what_was_filled_in_the_first_half_is_no_growth() -> None:
    assert trend(_held(10.0, until=_MINUTES / 2)).flat


def test_what_fills_for_longer_than_half_of_a_short_run_is_no_growth() -> None:
    filled = FILLED_S / 60
    found = trend(_held(10.0, until=filled, minutes=filled * 1.5))
    assert found.flat
    assert found.since_s == FILLED_S


def test_a_run_too_short_to_fill_is_looked_at_near_its_end() -> None:
    found = trend(_held(0.0, minutes=2))
    assert found.flat
    assert 90 < found.since_s < 100


def test_a_line_of_blocks_shows_the_course() -> None:
    line = spark(_held(40.0), width=10)
    assert len(line) == 10
    assert list(line) == sorted(line)
    assert line[0] < line[-1]
