"""Distribution functions, against the tables every textbook prints."""

import math

import pytest

from engines.prediction.distributions import normal_below, student_below, where


@pytest.mark.parametrize(
    "freedom, t",
    [
        (1, 3.0777),
        (2, 1.8856),
        (3, 1.6377),
        (4, 1.5332),
        (5, 1.4759),
        (10, 1.3722),
        (11, 1.3634),
        (30, 1.3104),
        (60, 1.2958),
    ],
)
def test_ninety_percent_of_t_lie_below_what_tables_say(freedom: int, t: float) -> None:
    assert student_below(t, freedom) == pytest.approx(0.9, abs=1e-5)
    assert student_below(-t, freedom) == pytest.approx(0.1, abs=1e-5)
    assert student_below(0, freedom) == 0.5


def test_with_many_degrees_of_freedom_t_is_normal() -> None:
    for z in (-3.0, -1.0, 0.5, 2.0):
        assert student_below(z, 5_000) == pytest.approx(normal_below(z), abs=1e-4)


def test_the_tails_stay_probabilities() -> None:
    for freedom in (1, 2, 7, 40):
        for t in (-1e9, -60.0, 60.0, 1e9):
            assert -1e-12 <= student_below(t, freedom) <= 1 + 1e-12


def test_less_than_one_degree_of_freedom_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        student_below(1.0, 0)


def test_a_place_is_found_to_many_digits() -> None:
    assert where(normal_below, 0.9, -60, 60) == pytest.approx(1.2815515655446004, abs=1e-8)
    assert where(lambda x: x * x, 0.25, 0, 1) == pytest.approx(0.5)
    assert math.isclose(normal_below(0), 0.5)
