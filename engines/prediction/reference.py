"""The reference's two predictions of a worker, as it makes them (``spec/patterns.md`` §2.4, CONTRACT §7).

One invariant: integers decide; what is shown is the exact value, rounded half-even once, after the decision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from engines.core.money import NANOUSD_PER_CENT, rounded
from engines.prediction.runs import FinishedRun

NOTE: Final = "Advisory: a prediction changes no run, cost, retry, schedule or policy."
HIGH_FAILURE_LIKELIHOOD: Final = "high_failure_likelihood"
COST_OVERRUN: Final = "cost_overrun"

RECENT_RUNS: Final = 3
"""The runs whose mean is "now"; the others in the window are "before"."""
_OVERRUN_RATIO: Final = (130, 100)
"""An overrun is a projected cost 30 % and more over the mean before."""
_CONFIDENCE_MAX: Final = (95, 100)
_SAMPLES: Final = 3
SAMPLED: Final = 5
SAMPLE_CHARACTERS: Final = 100
_UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Prediction:
    """What one rule says of one worker.

    Attributes:
        holds: whether the rule speaks; the numbers are there in any case.
        confidence: 0 … 1, three decimals.
        value: what is predicted, and the numbers it rests on.
        factors: what contributed, in the order of the reference.
    """

    holds: bool
    confidence: float
    value: dict[str, object]
    factors: list[dict[str, object]]


@dataclass(frozen=True, slots=True)
class CostTrend:
    """What a worker's completed runs cost in the window, in nano-USD.

    Attributes:
        recent: the sum of the three newest, of as many as there are. before, runs_before: sum and count of the others.
    """

    recent: int
    before: int
    runs_before: int

    @property
    def is_enough(self) -> bool:
        """Whether there is a before: with three alone, now and before would be one, and nothing could overrun."""
        return self.runs_before > 0

    @property
    def squares(self) -> tuple[int, int]:
        """Return what projected cost and mean before are to each other: (R/O)² as a fraction."""
        return (self.recent * self.runs_before) ** 2, (RECENT_RUNS * self.before) ** 2

    @property
    def overruns(self) -> bool:
        """Whether the projected cost is 30 % and more over the mean before."""
        now, then = self.squares
        over, of = _OVERRUN_RATIO
        return self.is_enough and of * now >= over * then


def predict_failure_likelihood(runs: Iterable[FinishedRun], feedback_patterns: int = 0) -> Prediction | None:
    """Return that a worker is likely to fail, when a third or more of its finished runs failed; else None.

    Confidence is one and a half times the rate, at most 1; the reference speaks from 0.5 on, so from a rate of a third.

    Args:
        runs: the finished runs of one worker in the window (``in_window``), newest first.
        feedback_patterns: how many failure patterns name this worker.
    """
    seen = list(runs)
    failed = [run for run in seen if run.outcome == "failed"]
    if not seen:
        return None
    said = failure_likelihood(len(failed), len(seen), (run.error for run in failed), feedback_patterns)
    return said if said.holds else None


def failure_likelihood(failed: int, total: int, errors: Iterable[str | None], feedback_patterns: int = 0) -> Prediction:
    """Return what the rule says when so many of *total* runs *failed*; *errors*: theirs, newest first."""
    rate = rounded(failed, total, 3)
    factors: list[dict[str, object]] = [
        {"factor": "recent_failures", "count": failed},
        {"factor": "failure_rate", "value": rate},
        {"factor": "error_samples", "samples": _samples(errors)},
    ]
    if feedback_patterns:
        factors.append({"factor": "feedback_patterns", "count": feedback_patterns})
    return Prediction(
        holds=is_failure_likely(failed, total),
        confidence=min(rounded(3 * failed, 2 * total, 3), 1.0),
        value={
            "predicted_outcome": HIGH_FAILURE_LIKELIHOOD,
            "failure_rate": rate,
            "recent_failures": failed,
            "total_runs": total,
        },
        factors=factors,
    )


def is_failure_likely(failed: int, total: int) -> bool:
    """Return whether a third or more of *total* runs *failed*."""
    return total > 0 and 3 * failed >= total


def failure_confidence(failed: int, total: int) -> float | None:
    """Return the rule's confidence when so many of *total* runs *failed*; None when it says nothing."""
    return min(rounded(3 * failed, 2 * total, 3), 1.0) if is_failure_likely(failed, total) else None


def predict_cost_overrun(runs: Iterable[FinishedRun]) -> Prediction | None:
    """Return that a worker's runs become dearer, when their trend goes on to 30 % over the mean before; else None.

    R is the mean of the three newest, O of the rest, and R·(R/O) what a run is projected to cost.

    Args:
        runs: the finished runs of one worker in the window (``in_window``), newest first; those that are not
            completed or cost nothing do not count.
    """
    costs = [run.cost_nanousd for run in runs if run.outcome == "completed" and run.cost_nanousd]
    said = cost_overrun(trend_of(costs[:RECENT_RUNS], len(costs), sum(costs)))
    return said if said.holds else None


def trend_of(newest: Sequence[int], runs: int, total: int) -> CostTrend:
    """Return the trend of so many *runs* that cost *total*, of which the three *newest*, or all, cost so much."""
    return CostTrend(sum(newest), total - sum(newest), runs - len(newest))


def cost_overrun(trend: CostTrend) -> Prediction:
    """Return what the rule says of *trend*; of too few runs, with null for every number and no confidence."""
    recent = RECENT_RUNS if trend.is_enough else None
    return Prediction(
        holds=trend.overruns,
        confidence=_overrun_confidence(trend),
        value={
            "predicted_outcome": COST_OVERRUN,
            "projected_cost_cents": _of(trend, _projected, 2),
            "historical_avg_cents": _of(trend, _usual, 2),
            "overrun_percent": _of(trend, _overrun, 1),
        },
        factors=[
            {"factor": "recent_avg_cost", "value": _of(trend, _recent, 2)},
            {"factor": "historical_avg_cost", "value": _of(trend, _usual, 2)},
            {"factor": "trend_multiplier", "value": _of(trend, _multiplier, 3)},
            {"factor": "sample_size", "recent": recent, "historical": trend.runs_before or None},
        ],
    )


def _overrun_confidence(trend: CostTrend) -> float:
    if not trend.is_enough:
        return 0.0
    now, then = trend.squares
    most, of_most = _CONFIDENCE_MAX
    return most / of_most if of_most * (now - then) >= most * then else max(rounded(now - then, then, 3), 0.0)


def _of(trend: CostTrend, number: Callable[[CostTrend], tuple[int, int]], places: int) -> float | None:
    return rounded(*number(trend), places) if trend.is_enough else None


def _projected(trend: CostTrend) -> tuple[int, int]:
    return trend.recent**2 * trend.runs_before, RECENT_RUNS**2 * trend.before * NANOUSD_PER_CENT


def _usual(trend: CostTrend) -> tuple[int, int]:
    return trend.before, trend.runs_before * NANOUSD_PER_CENT


def _overrun(trend: CostTrend) -> tuple[int, int]:
    now, then = trend.squares
    return 100 * (now - then), then


def _recent(trend: CostTrend) -> tuple[int, int]:
    return trend.recent, RECENT_RUNS * NANOUSD_PER_CENT


def _multiplier(trend: CostTrend) -> tuple[int, int]:
    return trend.recent * trend.runs_before, RECENT_RUNS * trend.before


def _samples(errors: Iterable[str | None]) -> list[str]:
    """Return what the newest failures said, each text once, newest first."""
    texts = ((error or "")[:SAMPLE_CHARACTERS] or _UNKNOWN for error in islice(errors, SAMPLED))
    return list(dict.fromkeys(texts))[:_SAMPLES]
