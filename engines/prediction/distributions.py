"""The two distribution functions that forecasts need, in closed form: nothing here is drawn or approximated."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

_HALVINGS: Final = 34
"""Down to a part in 10^10 of where was looked."""


def normal_below(z: float) -> float:
    """Return the probability that a standard normal number is at most *z*."""
    return 0.5 * math.erfc(-z / math.sqrt(2))


def student_below(t: float, freedom: int) -> float:
    """Return the probability that Student's t with *freedom* degrees (a whole number, so the sum is finite) is ≤ *t*.

    Raises:
        ValueError: *freedom* below 1.
    """
    if freedom < 1:
        raise ValueError(f"a t distribution has at least one degree of freedom, not {freedom}")
    angle = math.atan(t / math.sqrt(freedom))
    cosine, sine = math.cos(angle), math.sin(angle)
    odd = freedom % 2
    total, term = 0.0, cosine if odd else 1.0
    for number in range(1, freedom // 2 + 1):
        total += term
        term *= cosine * cosine * ((2 * number) / (2 * number + 1) if odd else (2 * number - 1) / (2 * number))
    return 0.5 + (angle + sine * total) / math.pi if odd else 0.5 + sine * total / 2


def where(below: Callable[[float], float], share: float, low: float, high: float) -> float:
    """Return the place between *low* and *high* that a *share* of a distribution function *below* lies under."""
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if below(middle) < share:
            low = middle
        else:
            high = middle
    return high
