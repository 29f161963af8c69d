"""What goes wrong with runs in the made-up weeks: each fault, and what must be told of it, written down beforehand.

One invariant: as with ``incidents``, nothing here is computed by the rules it checks, and everything is far enough from
their lines (CONTRACT §7) that no seed changes what is due.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from streams.demo.incidents import DAYS, FIRST_DAY

OPEN_DAY: Final = FIRST_DAY + DAYS
"""The day that has only begun when the records end."""
_WEEK: Final = 7
_FAILING_FROM: Final = OPEN_DAY - 4
_DEARER_FROM: Final = OPEN_DAY - 5
_CAME_AND_WENT: Final = ("active", "cleared")


@dataclass(frozen=True, slots=True)
class Notice:
    """What must have been told by the end, of one id.

    Attributes:
        kind: type of the pattern or of the prediction.
        day: of a pattern or spike when it last began, of a prediction the UTC day it was made on.
        statuses: every status it was told with, one after another.
    """

    kind: str
    tenant_id: str
    worker_id: str
    day: int
    statuses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong with a worker.

    Attributes:
        due: what must come of it.
        error: what the failing runs say, with other ids and numbers in it each time.
        failing: days and UTC hours in which its runs fail.
        growth: by which share each day's runs are dearer than those of the day before, from *dearer_from* on.
    """

    story: str
    tenant_id: str
    worker_id: str
    due: tuple[Notice, ...]
    error: str = ""
    failing: frozenset[tuple[int, int]] = frozenset()
    dearer_from: int = OPEN_DAY + 1
    growth: float = 0.0

    def times(self, day: int) -> float:
        """Return how many times as much as usual a run of *day* costs."""
        return float((1 + self.growth) ** max(day - self.dearer_from + 1, 0))


def faults(rng: random.Random) -> tuple[Fault, ...]:
    """Return what goes wrong with the runs of one seed's weeks."""
    return (_comes_back(FIRST_DAY + 14 + rng.randrange(5)), _keeps_failing(), _runs_away())


def _comes_back(day: int) -> Fault:
    tenant, worker = "hooli-retail", "catalog-import"
    hours = {(day, hour) for hour in range(15, 20)} | {(day + _WEEK, hour) for hour in range(9, 15)}
    due = Notice("failure_pattern", tenant, worker, day + _WEEK, _CAME_AND_WENT * 2)
    error = "FeedError: https://feeds.supplier-{n}.example/{hex}/items.csv answered HTTP 503 after {ms} ms"
    story = "an import fails with one error, and again a week later"
    return Fault(story, tenant, worker, (due,), error, frozenset(hours))


def _keeps_failing() -> Fault:
    """Four runs a day fail: a third of those of a week have failed on the third day."""
    tenant, worker = "initech-dev", "release-notes"
    hours = {(day, hour) for day in range(_FAILING_FROM, OPEN_DAY + 1) for hour in range(24)}
    pattern = Notice("failure_pattern", tenant, worker, _FAILING_FROM, ("active",))
    likely = _each_day("failure_likelihood", tenant, worker, _FAILING_FROM + 2)
    error = 'LockTimeout: relation "release_{n}" stayed locked for {ms} ms (pid {pid})'
    return Fault("a job fails since Thursday", tenant, worker, (pattern, *likely), error, frozenset(hours))


def _runs_away() -> Fault:
    """The third dearer night is half as dear again as the mean of all before; the second shows where that leads."""
    tenant, worker = "umbrella-research", "paper-digest"
    spikes = tuple(
        Notice("cost_spike", tenant, worker, day, ("provisional", "final"))
        for day in range(_DEARER_FROM + 2, OPEN_DAY + 1)
    )
    overruns = _each_day("cost_overrun", tenant, worker, _DEARER_FROM + 1)
    story = "each night's run costs 18 % more than the last"
    return Fault(story, tenant, worker, (*spikes, *overruns), dearer_from=_DEARER_FROM, growth=0.18)


def _each_day(kind: str, tenant_id: str, worker_id: str, first: int) -> tuple[Notice, ...]:
    """Return a prediction for each day from *first* on; each but the last is superseded by the next."""
    return (
        *(Notice(kind, tenant_id, worker_id, day, ("active", "superseded")) for day in range(first, OPEN_DAY)),
        Notice(kind, tenant_id, worker_id, OPEN_DAY, ("active",)),
    )
