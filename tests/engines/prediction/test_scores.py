"""Scores, against cases one can do in the head."""

import math

import pytest

from engines.prediction.scores import Bin, Told, brier, brier_constant, interval_score, log_loss, reliability, skill

TOLD = [Told(0.1, False), Told(0.1, False), Told(0.9, True), Told(0.6, False)]


def test_the_brier_score_is_the_mean_squared_distance() -> None:
    assert brier(TOLD) == pytest.approx((0.01 + 0.01 + 0.01 + 0.36) / 4)
    assert brier([Told(1.0, True), Told(0.0, False)]) == 0


def test_skill_is_what_is_saved_against_the_reference() -> None:
    assert brier_constant(TOLD, 0.25) == pytest.approx(0.1875)
    assert skill(0.1, 0.2) == pytest.approx(0.5)
    assert skill(0.3, 0.2) == pytest.approx(-0.5)
    assert skill(0.0, 0.0) is None


def test_log_loss_of_a_coin_is_log_two_and_being_certain_and_wrong_costs_a_lot_but_not_all() -> None:
    assert log_loss([Told(0.5, True), Told(0.5, False)]) == pytest.approx(math.log(2))
    assert 13 < log_loss([Told(0.0, True)]) < 14


def test_the_reliability_table_tells_what_was_told_and_what_happened() -> None:
    low, high = reliability(
        [Told(0.25, False), Told(0.25, False), Told(0.75, True), Told(0.5, False), Told(1.0, True)], [0, 0.5, 1]
    )
    assert low == Bin(0, 0.5, 2, 0.25, 0.0)
    assert high == Bin(0.5, 1, 3, 0.75, 2 / 3)
    assert reliability([Told(0.7, True)], [0, 0.5, 1.0])[0].low == 0.5


def test_an_interval_that_misses_is_fined() -> None:
    assert interval_score(1, 3, 2, 0.8) == 2
    assert interval_score(1, 3, 4, 0.8) == pytest.approx(2 + 10)
    assert interval_score(1, 3, 0, 0.8) == pytest.approx(2 + 10)
