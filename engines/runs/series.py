"""Ended runs, and lists of them: all that is asked of a day of runs is asked of such a list.

One invariant: a tenant's ended runs have one total order, that of ``order``, and every list is in it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from operator import attrgetter

import msgspec

from engines.runs.event import COMPLETED

_when = attrgetter("occurred_us")


class Failure(msgspec.Struct, array_like=True, gc=False):
    """What a failed run said: the hash it is grouped by, the reference's, and how text and template begin."""

    signature: str
    sig_v1: str
    sample: str
    template: str


class Run(msgspec.Struct, array_like=True, gc=False):
    """An ended run; ``order`` says which of a tenant's comes first."""

    occurred_us: int
    run_id: str
    source: str
    id: str
    outcome: int
    worker_id: str
    cost_nanousd: int | None = None
    failure: Failure | None = None
    model: str | None = None

    @property
    def costs(self) -> int:
        """What it cost if it is one of those that spikes and overruns are about: completed, and not for nothing."""
        return self.cost_nanousd or 0 if self.outcome == COMPLETED else 0


Order = tuple[int, str, str, str, int, str, int]


def order(run: Run) -> Order:
    """Return the place of *run* among its tenant's; what follows the outcome parts what no producer should send."""
    cost = -1 if run.cost_nanousd is None else run.cost_nanousd
    return (run.occurred_us, run.run_id, run.source, run.id, run.outcome, run.worker_id, cost)


class Series:
    """Runs in order, and what the first so many of them cost."""

    __slots__ = ("_sums", "runs")

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self._sums = [0]
        """What the first so many cost, as far as it was asked for and still is true."""

    def add(self, run: Run) -> None:
        """Take *run* in."""
        at = len(self.runs)
        if self.runs and run.occurred_us <= self.runs[-1].occurred_us:
            at = self.upto(run)
        self.runs.insert(at, run)
        del self._sums[at + 1 :]

    def between(self, first_us: int, last_us: int) -> list[Run]:
        """Return the runs with ``first ≤ occurred_at ≤ last``."""
        return self.runs[self.before(first_us) : self.through(last_us)]

    def newest(self, first_us: int, last_us: int, most: int) -> list[Run]:
        """Return the newest few runs with ``first ≤ occurred_at ≤ last``, *most* at most."""
        end = self.through(last_us)
        return self.runs[max(self.before(first_us), end - most) : end]

    def before(self, us: int) -> int:
        """Return how many occurred before *us*."""
        return bisect_left(self.runs, us, key=_when)

    def through(self, us: int) -> int:
        """Return how many occurred at *us* or before."""
        return bisect_right(self.runs, us, key=_when)

    def ahead_of(self, run: Run) -> int:
        """Return how many are before *run* in order."""
        return bisect_left(self.runs, order(run), key=order)

    def upto(self, run: Run) -> int:
        """Return how many are before *run* in order, or are it."""
        return bisect_right(self.runs, order(run), key=order)

    def cost(self, count: int) -> int:
        """Return what the first *count* runs cost."""
        sums = self._sums
        for run in self.runs[len(sums) - 1 : count]:
            sums.append(sums[-1] + run.costs)
        return sums[count]
