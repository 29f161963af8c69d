"""When failures of one kind are a pattern: three and more in 24 hours, in continuous event time (CONTRACT §7).

One invariant: everything here is a function of the instants of the failures, in whatever order they came.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from engines.core.time import US_PER_DAY

WINDOW_US: Final = US_PER_DAY
THRESHOLD: Final = 3


@dataclass(frozen=True, slots=True)
class Activation:
    """A stretch of event time in which the pattern is active: ``since ≤ t < until``, if nothing more comes.

    Attributes:
        last_us: the newest failure in it.
    """

    since_us: int
    last_us: int
    until_us: int


def activations(
    times: Sequence[int], first_us: int, since_us: int | None, threshold: int = THRESHOLD
) -> list[Activation]:
    """Return the activations that hold at *first_us* or begin later, oldest first.

    Args:
        times: instants of failures in ascending order, all from ``first - WINDOW_US - 1`` on; of those before *first*
            the newest *threshold* are enough: they say until when what began before holds.
        first_us: activations that are over before it are of no interest.
        since_us: when the activation began that holds just before *first_us*, if one does.
        threshold: how many failures in the window make a pattern.
    """
    found: list[Activation] = []
    for at in range(threshold - 1, len(times)):
        until_us = times[at - threshold + 1] + WINDOW_US + 1
        if times[at] >= until_us:
            continue
        last = found[-1] if found else None
        if last is not None and times[at] <= last.until_us:
            found[-1] = Activation(last.since_us, times[at], until_us)
        else:
            began_us = times[at] if since_us is None or times[at] >= first_us else since_us
            found.append(Activation(began_us, times[at], until_us))
    return [one for one in found if one.until_us > first_us]
