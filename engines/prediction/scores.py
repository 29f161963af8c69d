"""How good probabilities and intervals were, once it is known what happened (docs/predictions.md).

One invariant: a score here is better the closer what was told is to what was known; no prediction can gain by saying
anything but what it holds for likely (the scores are proper).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

EDGES: Final = (0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Where the bins of the reliability table begin and end: finer where failures are rare."""
_LEAST: Final = 1e-6
"""What log loss takes for 0, and 1 less that for 1: whoever is certain and wrong pays much, not everything."""


class Told(NamedTuple):
    """A probability, and whether what it spoke of happened."""

    probability: float
    happened: bool


@dataclass(frozen=True, slots=True)
class Bin:
    """What was told between two probabilities, and what happened."""

    low: float
    high: float
    told: int
    told_mean: float
    happened_mean: float


def brier(told: Sequence[Told]) -> float:
    """Return the mean squared distance of probability and outcome: 0 is perfect, lower is better."""
    return math.fsum((one.probability - one.happened) ** 2 for one in told) / len(told)


def brier_constant(told: Sequence[Told], rate: float) -> float:
    """Return the Brier score of telling *rate* every time."""
    return brier([Told(rate, one.happened) for one in told])


def skill(score: float, reference: float) -> float | None:
    """Return the share of the *reference*'s Brier score that *score* saves; None when there was nothing to save."""
    return 1 - score / reference if reference else None


def log_loss(told: Sequence[Told]) -> float:
    """Return the mean surprise in nats."""
    likely = (one.probability if one.happened else 1 - one.probability for one in told)
    return -math.fsum(math.log(min(max(p, _LEAST), 1 - _LEAST)) for p in likely) / len(told)


def reliability(told: Sequence[Told], edges: Sequence[float] = EDGES) -> list[Bin]:
    """Return the reliability table: in each bin that holds a probability, what was told and what happened."""
    bins = []
    for low, high in pairwise(edges):
        inside = [one for one in told if low <= one.probability < high or (one.probability == high == edges[-1])]
        if inside:
            n = len(inside)
            told_mean = math.fsum(one.probability for one in inside) / n
            bins.append(Bin(low, high, n, told_mean, sum(one.happened for one in inside) / n))
    return bins


def interval_score(low: float, high: float, actual: float, share: float) -> float:
    """Return the width of an interval that is to hold *actual* in *share* of all cases, plus a fine for missing it."""
    missed = max(low - actual, actual - high, 0.0)
    return (high - low) + 2 / (1 - share) * missed
