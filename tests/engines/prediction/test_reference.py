"""The numbers of the reference's two predictions, but for what the contract decides otherwise."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.core.money import NANOUSD_PER_CENT
from engines.core.time import US_PER_DAY, US_PER_HOUR
from engines.prediction.reference import Prediction, predict_cost_overrun, predict_failure_likelihood
from engines.prediction.runs import WINDOW_US, FinishedRun, Outcome, in_window


def run(
    number: int, outcome: Outcome = "completed", *, error: str | None = None, cents: int | None = None
) -> FinishedRun:
    cost = None if cents is None else cents * NANOUSD_PER_CENT
    return FinishedRun(number * US_PER_HOUR, f"r{number:06}", outcome, error, cost)


def mixed(failed: int, others: int) -> list[FinishedRun]:
    return [run(n, "failed", error="boom") for n in range(failed)] + [run(n) for n in range(failed, failed + others)]


def costing(*cents: int) -> list[FinishedRun]:
    """Return runs of these costs, newest first."""
    return [run(len(cents) - at, cents=cent) for at, cent in enumerate(cents)]


def found(prediction: Prediction | None) -> Prediction:
    assert prediction is not None
    return prediction


@pytest.mark.parametrize(
    "failed, others, confidence",
    [
        (1, 2, 0.5),
        (1, 3, None),
        (2, 4, 0.5),
        (2, 5, None),
        (1, 0, 1.0),
        (2, 1, 1.0),
        (5, 5, 0.75),
        (0, 3, None),
        (0, 0, None),
    ],
)
def test_a_third_of_the_runs_failing_is_likely_failure(failed: int, others: int, confidence: float | None) -> None:
    prediction = predict_failure_likelihood(mixed(failed, others))
    assert (prediction.confidence if prediction else None) == confidence


def test_two_hundred_thousand_failures_decide_as_one_does() -> None:
    failed = mixed(1, 0) * 200_000
    assert found(predict_failure_likelihood(failed + mixed(0, 1) * 400_000)).confidence == 0.5
    assert predict_failure_likelihood(failed + mixed(0, 1) * 400_001) is None


def test_a_likely_failure_tells_its_numbers_and_factors_in_order() -> None:
    texts = ["new", None, "new", "", "x" * 150, "older than the five newest"]
    failed = [run(50 - at, "failed", error=text) for at, text in enumerate(texts)]
    prediction = found(predict_failure_likelihood([*failed, run(3, "crashed"), run(2)], feedback_patterns=2))
    assert prediction.value == {
        "predicted_outcome": "high_failure_likelihood",
        "failure_rate": 0.75,
        "recent_failures": 6,
        "total_runs": 8,
    }
    assert prediction.factors == [
        {"factor": "recent_failures", "count": 6},
        {"factor": "failure_rate", "value": 0.75},
        {"factor": "error_samples", "samples": ["new", "unknown", "x" * 100]},
        {"factor": "feedback_patterns", "count": 2},
    ]
    assert prediction.confidence == 1.0
    assert [factor["factor"] for factor in found(predict_failure_likelihood(failed)).factors][-1] == "error_samples"


def test_a_crashed_run_has_finished_but_not_failed() -> None:
    crashed = [run(n, "crashed") for n in range(3, 6)]
    assert predict_failure_likelihood(mixed(1, 0) + crashed) is None
    assert found(predict_failure_likelihood(mixed(2, 0) + crashed)).value["failure_rate"] == 0.4


@pytest.mark.parametrize(
    "cents, projected, overrun, confidence",
    [
        ((150, 150, 150, 100, 100), 225, 125.0, 0.95),
        ((120, 120, 120, 100, 100, 100), 144, 44.0, 0.44),
        # 32.25 % is shown as 32.2 and .322: half-even of the exact value, where a double would give .323
        ((115, 115, 115, 100), 132.25, 32.2, 0.322),
        ((114, 114, 114, 100), None, None, None),
        ((150, 150, 150), None, None, None),
        ((1, 1, 1, 100), None, None, None),
    ],
)
def test_runs_that_become_dearer_are_an_overrun_from_thirty_percent(
    cents: tuple[int, ...], projected: float | None, overrun: float | None, confidence: float | None
) -> None:
    prediction = predict_cost_overrun(costing(*cents))
    if prediction is None:
        assert projected is None
        return
    value = prediction.value
    assert (value["projected_cost_cents"], value["historical_avg_cents"]) == (projected, 100.0)
    assert (value["overrun_percent"], prediction.confidence) == (overrun, confidence)


def test_the_thresholds_are_exact() -> None:
    # m ≥ √1.3 = 1.140175425…: one nano-USD decides
    at = [FinishedRun(2, "a", "completed", None, cost) for cost in (1_140_175_426,) * 3]
    below = [FinishedRun(2, "a", "completed", None, cost) for cost in (1_140_175_425,) * 3]
    before = [FinishedRun(1, "b", "completed", None, 1_000_000_000)]
    assert found(predict_cost_overrun(at + before)).confidence == 0.3
    assert predict_cost_overrun(below + before) is None
    # capped from m ≥ √1.95 = 1.396424004… on
    capped = [FinishedRun(2, "a", "completed", None, 1_396_424_005)] * 3
    assert found(predict_cost_overrun(capped + before)).confidence == 0.95


def test_an_overrun_tells_its_numbers_and_factors_in_order() -> None:
    prediction = found(predict_cost_overrun(costing(150, 150, 150, 100, 101)))
    assert prediction.value == {
        "predicted_outcome": "cost_overrun",
        "projected_cost_cents": 223.88,
        "historical_avg_cents": 100.5,
        "overrun_percent": 122.8,
    }
    assert prediction.factors == [
        {"factor": "recent_avg_cost", "value": 150.0},
        {"factor": "historical_avg_cost", "value": 100.5},
        {"factor": "trend_multiplier", "value": 1.493},
        {"factor": "sample_size", "recent": 3, "historical": 2},
    ]


def test_runs_that_cost_nothing_or_did_not_complete_are_not_looked_at() -> None:
    aside = [run(90, "failed", cents=900), run(91, "crashed", cents=900), run(92), run(93, cents=0)]
    assert predict_cost_overrun(aside + costing(150, 150, 150, 100)) == predict_cost_overrun(
        costing(150, 150, 150, 100)
    )


def test_there_is_no_cap_of_two_hundred_runs() -> None:
    prediction = found(predict_cost_overrun(costing(*(150,) * 3, *(100,) * 500)))
    assert prediction.factors[-1] == {"factor": "sample_size", "recent": 3, "historical": 500}


def test_the_window_is_seven_days_with_both_ends_and_newest_first() -> None:
    as_of = 100 * US_PER_DAY
    times = [as_of + 1, as_of, as_of, as_of - WINDOW_US, as_of - WINDOW_US - 1]
    runs = [FinishedRun(at, f"r{n}", "completed") for n, at in enumerate(times)]
    assert [seen.run_id for seen in in_window(runs, as_of)] == ["r2", "r1", "r3"]


@given(st.lists(st.integers(1, 10**12), min_size=4, max_size=30))
def test_an_overrun_is_what_exact_fractions_say(costs: list[int]) -> None:
    runs = [FinishedRun(0, "r", "completed", None, cost) for cost in costs]
    ratio = (Fraction(sum(costs[:3]), 3) / Fraction(sum(costs[3:]), len(costs) - 3)) ** 2
    prediction = predict_cost_overrun(runs)
    assert (prediction is not None) == (ratio >= Fraction(13, 10))
    if prediction is not None:
        assert prediction.confidence == min(float(round(ratio - 1, 3)), 0.95)
        assert prediction.value["overrun_percent"] == float(round(100 * (ratio - 1), 1))
