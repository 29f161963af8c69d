"""The reference's two predictions of a worker, as it makes them (``spec/patterns.md`` §2.4, CONTRACT §7).

One invariant: integers decide; what is shown is the exact value, rounded half-even once, after the decision.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from engines.core.money import NANOUSD_PER_CENT, divide_half_even
from engines.prediction.runs import FinishedRun

NOTE: Final = "Advisory: a prediction changes no run, cost, retry, schedule or policy."
HIGH_FAILURE_LIKELIHOOD: Final = "high_failure_likelihood"
COST_OVERRUN: Final = "cost_overrun"

RECENT_RUNS: Final = 3
"""The runs whose mean is "now"; the others in the window are "before"."""
RUNS_MIN: Final = RECENT_RUNS + 1
"""With three alone, now and before would be one, and nothing could ever overrun."""
_OVERRUN_RATIO: Final = (130, 100)
"""An overrun is a projected cost 30 % and more over the mean before."""
_CONFIDENCE_MAX: Final = (95, 100)
_SAMPLES: Final = 3
_SAMPLED: Final = 5
_SAMPLE_CHARACTERS: Final = 100
_UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Prediction:
    """What one rule says of one worker.

    Attributes:
        confidence: 0 … 1, three decimals.
        value: what is predicted, and the numbers it rests on.
        factors: what contributed, in the order of the reference.
    """

    confidence: float
    value: dict[str, object]
    factors: list[dict[str, object]]


def predict_failure_likelihood(runs: Iterable[FinishedRun], feedback_patterns: int = 0) -> Prediction | None:
    """Return that a worker is likely to fail, when a third or more of its finished runs failed; else None.

    Confidence is one and a half times the rate, at most 1; the reference speaks from 0.5 on, so from a rate of a third.

    Args:
        runs: the finished runs of one worker in the window (``in_window``), newest first.
        feedback_patterns: how many failure patterns name this worker.
    """
    seen = list(runs)
    failed = [run for run in seen if run.outcome == "failed"]
    count, total = len(failed), len(seen)
    confidence = failure_confidence(count, total)
    if confidence is None:
        return None
    rate = _rounded(count, total, 3)
    factors: list[dict[str, object]] = [
        {"factor": "recent_failures", "count": count},
        {"factor": "failure_rate", "value": rate},
        {"factor": "error_samples", "samples": _samples(failed)},
    ]
    if feedback_patterns:
        factors.append({"factor": "feedback_patterns", "count": feedback_patterns})
    return Prediction(
        confidence=confidence,
        value={
            "predicted_outcome": HIGH_FAILURE_LIKELIHOOD,
            "failure_rate": rate,
            "recent_failures": count,
            "total_runs": total,
        },
        factors=factors,
    )


def failure_confidence(failed: int, total: int) -> float | None:
    """Return the rule's confidence when so many of *total* runs *failed*; None when it says nothing."""
    return None if not total or 3 * failed < total else min(_rounded(3 * failed, 2 * total, 3), 1.0)


def predict_cost_overrun(runs: Iterable[FinishedRun]) -> Prediction | None:
    """Return that a worker's runs become dearer, when their trend goes on to 30 % over the mean before; else None.

    R is the mean of the three newest, O of the rest, and R·(R/O) what a run is projected to cost.

    Args:
        runs: the finished runs of one worker in the window (``in_window``), newest first; those that are not
            completed or cost nothing do not count.
    """
    costs = [run.cost_nanousd for run in runs if run.outcome == "completed" and run.cost_nanousd]
    if len(costs) < RUNS_MIN:
        return None
    recent, before, k = sum(costs[:RECENT_RUNS]), sum(costs[RECENT_RUNS:]), len(costs) - RECENT_RUNS
    now, then = (recent * k) ** 2, (RECENT_RUNS * before) ** 2  # now ÷ then = (R/O)², the projected cost over O
    over, of = _OVERRUN_RATIO
    if of * now < over * then:
        return None
    most, of_most = _CONFIDENCE_MAX
    capped = of_most * (now - then) >= most * then
    return Prediction(
        confidence=most / of_most if capped else _rounded(now - then, then, 3),
        value={
            "predicted_outcome": COST_OVERRUN,
            "projected_cost_cents": _rounded(recent**2 * k, RECENT_RUNS**2 * before * NANOUSD_PER_CENT, 2),
            "historical_avg_cents": _rounded(before, k * NANOUSD_PER_CENT, 2),
            "overrun_percent": _rounded(100 * (now - then), then, 1),
        },
        factors=[
            {"factor": "recent_avg_cost", "value": _rounded(recent, RECENT_RUNS * NANOUSD_PER_CENT, 2)},
            {"factor": "historical_avg_cost", "value": _rounded(before, k * NANOUSD_PER_CENT, 2)},
            {"factor": "trend_multiplier", "value": _rounded(recent * k, RECENT_RUNS * before, 3)},
            {"factor": "sample_size", "recent": RECENT_RUNS, "historical": k},
        ],
    )


def _samples(failed: list[FinishedRun]) -> list[str]:
    """Return what the newest failures said, each text once, newest first."""
    texts = ((run.error or "")[:_SAMPLE_CHARACTERS] or _UNKNOWN for run in failed[:_SAMPLED])
    return list(dict.fromkeys(texts))[:_SAMPLES]


def _rounded(numerator: int, denominator: int, places: int) -> float:
    """Return the quotient rounded half-even to *places* decimals, as the float that prints so."""
    scale: int = 10**places
    return divide_half_even(numerator * scale, denominator) / scale
