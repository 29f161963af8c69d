from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.core.money import NANOUSD_PER_CENT, NANOUSD_PER_USD, divide_half_even


def test_a_dollar_is_a_billion_and_a_cent_ten_million() -> None:
    assert NANOUSD_PER_USD == 10**9
    assert NANOUSD_PER_CENT == 10**7


@pytest.mark.parametrize("numerator,rounded", [(0, 0), (1, 0), (5, 0), (6, 1), (15, 2), (25, 2), (35, 4), (-5, 0)])
def test_a_half_goes_to_the_even_neighbour(numerator: int, rounded: int) -> None:
    assert divide_half_even(numerator, 10) == rounded


@settings(deadline=None, derandomize=True)
@given(st.integers(-(10**30), 10**30), st.integers(1, 10**20))
def test_integers_round_as_fractions_do(numerator: int, denominator: int) -> None:
    assert divide_half_even(numerator, denominator) == round(Fraction(numerator, denominator))
