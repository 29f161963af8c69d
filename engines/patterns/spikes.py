"""When a run costs more than those of its worker before it (CONTRACT §7)."""

from __future__ import annotations

from typing import Final

from engines.core.time import US_PER_DAY

WINDOW_US: Final = 30 * US_PER_DAY
MIN_RUNS: Final = 5
"""So many there must be with the run itself."""
THRESHOLD_PERCENT: Final = 50


def is_spike(cost: int, runs_before: int, cost_before: int) -> bool:
    """Return whether a run of *cost* is half as much again as the mean of *runs_before*, which cost *cost_before*.

    In integers: the reference divides first, and so misses one in six of those that are exactly on the line.
    """
    return runs_before + 1 >= MIN_RUNS and 100 * cost * runs_before >= (100 + THRESHOLD_PERCENT) * cost_before
