"""One tenant's runs as judging them needs: counts, sums and lists over any window, from days kept as pages.

One invariant: whatever is asked of a window is exact to the microsecond. Days that lie in it as a whole come from their
sums; its first day and its last from their runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from engines.core.model import Context
from engines.core.ports import Pages
from engines.core.time import US_PER_DAY, US_PER_HOUR, day_of
from engines.patterns import spikes
from engines.patterns.activations import THRESHOLD, WINDOW_US
from engines.prediction.reference import CostTrend, trend_of
from engines.prediction.runs import WINDOW_US as PREDICTION_WINDOW_US
from engines.runs.acknowledgements import RunsSettings
from engines.runs.pages import (
    NEWEST_COSTS,
    NEWEST_FAILED,
    DayPage,
    DuePage,
    Ledger,
    Sums,
    SumsPage,
    ToldPattern,
    day_key,
    due_key,
    ledger_key,
    part_of,
    sums_key,
)
from engines.runs.series import Run, Series

_NOTHING = Series()


@dataclass(frozen=True, slots=True)
class FailureWindow:
    """How a worker's runs ended in seven days; *errors* are of the newest failures, newest first."""

    ended: int
    failed: int
    errors: list[str | None]


class RunBook:
    """A tenant's pages. All that is asked for was loaded: see ``engines.runs.needs``."""

    def __init__(self, pages: Pages, tenant_id: str, context: Context) -> None:
        self.pages = pages
        self.tenant_id = tenant_id
        self.settings = cast("RunsSettings", context.settings)
        self.settled_us = 0 if context.closed_through is None else (context.closed_through + 1) * US_PER_HOUR
        """Every record before this instant has come."""
        self._days: dict[int, DayPage | None] = {}
        self._sums: dict[int, SumsPage | None] = {}
        self._key = ledger_key(tenant_id)
        ledger = pages.get(self._key)
        if ledger is None:
            ledger = Ledger()
            pages.put(self._key, ledger)
        self.ledger = cast("Ledger", ledger)

    def day(self, day: int) -> DayPage | None:
        """Return the runs that ended on *day*, None when none did."""
        if day not in self._days:
            known = self.pages.get(day_key(self.tenant_id, day)) if day in self.ledger.days else None
            self._days[day] = cast("DayPage | None", known)
        return self._days[day]

    def sums(self, day: int) -> SumsPage | None:
        """Return the sums of *day*, None when nothing ended on it."""
        if day not in self._sums:
            known = self.pages.get(sums_key(self.tenant_id, day)) if day in self.ledger.days else None
            self._sums[day] = cast("SumsPage | None", known)
        return self._sums[day]

    def add(self, run: Run) -> None:
        """Take in a run that ended."""
        day = day_of(run.occurred_us)
        page, sums = self.day(day), self.sums(day)
        if page is None or sums is None:
            page = self._days[day] = DayPage()
            sums = self._sums[day] = SumsPage()
            self.pages.put(day_key(self.tenant_id, day), page)
            self.pages.put(sums_key(self.tenant_id, day), sums)
        else:
            self.pages.touch(day_key(self.tenant_id, day))
            self.pages.touch(sums_key(self.tenant_id, day))
        page.add(run)
        sums.add(run)
        self.ledger.days[day] = self.ledger.days.get(day, 0) + 1
        self.touch()
        later = self.sums(day + 1)  # a record comes an hour late at most, so no day after that can be there
        if later is not None:
            later.carried.pop(run.worker_id, None)

    def touch(self) -> None:
        """Have the ledger written, but for its patterns."""
        self.ledger.changed.add(0)
        self.pages.touch(self._key)

    def touch_pattern(self, signature: str) -> None:
        """Have what was told of a pattern written."""
        self.ledger.changed.add(1 + part_of(signature))
        self.pages.touch(self._key)

    def is_due(self, instant_us: int) -> None:
        """Have the tenant visited when *instant_us* is settled."""
        hour = (instant_us - 1) // US_PER_HOUR
        if hour not in self.ledger.due:
            self.ledger.due.add(hour)
            self.touch()
            self.pages.put(due_key(self.tenant_id, hour), DuePage())

    def ended_through(self, us: int) -> int:
        """Return how many of the tenant's runs ended at *us* or before, since ever."""
        day, page = day_of(us), self.day(day_of(us))
        return self._ended_before(day) + (0 if page is None else page.all.through(us))

    def place_of(self, run: Run) -> int:
        """Return how many of the tenant's runs ended before *run* or are it."""
        day = day_of(run.occurred_us)
        page = self.day(day)
        return self._ended_before(day) + (0 if page is None else page.all.upto(run))

    def costs_before(self, run: Run) -> tuple[int, int]:
        """Return how many cost runs its worker had before *run* within 30 days, and what they cost."""
        of_day = self._series(day_of(run.occurred_us), "costs", run.worker_id).ahead_of(run)
        return self._costs(run.worker_id, run.occurred_us, spikes.WINDOW_US, of_day)

    def costs_from(self, run: Run) -> Iterator[tuple[Run, int, int]]:
        """Yield *run* and its worker's cost runs after it, each with what ``costs_before`` says of it."""
        day = day_of(run.occurred_us)
        for of in (day, day + 1):
            series = self._series(of, "costs", run.worker_id)
            for at in range(series.ahead_of(run), len(series.runs)):
                later = series.runs[at]
                yield later, *self._costs(run.worker_id, later.occurred_us, spikes.WINDOW_US, at)

    def runs_from(self, kind: str, run: Run, day: int) -> list[Run]:
        """Return its worker's runs of *day* from *run* on: all that ended, or those of *kind* costs."""
        series = self._series(day, kind, run.worker_id)
        return series.runs[series.ahead_of(run) :]

    def key_runs(self, kind: str, worker_id: str, day: int) -> list[Run]:
        """Return a worker's runs of *day*: all that ended, or the cost runs when *kind* is costs."""
        page = self.day(day)
        return [] if page is None else getattr(page, kind).get(worker_id, _NOTHING).runs

    def trend(self, worker_id: str, us: int) -> CostTrend:
        """Return what the worker's runs cost in the seven days to *us*."""
        of_day = self._series(day_of(us), "costs", worker_id).through(us)
        runs, cost = self._costs(worker_id, us, PREDICTION_WINDOW_US, of_day)
        newest = self._newest(worker_id, us, "costs", NEWEST_COSTS)
        return trend_of([run.costs for run in newest], runs, cost)

    def ends(self, worker_id: str, us: int) -> tuple[int, int]:
        """Return how many of the worker's runs ended in the seven days to *us*, and how many of them failed."""
        day, first_us = day_of(us), us - PREDICTION_WINDOW_US
        carried = self._carried(worker_id, day, PREDICTION_WINDOW_US // US_PER_DAY)
        counts = []
        for name, of_days in (("ended", carried.ended), ("failed", carried.failed)):
            first, last = self._series(day_of(first_us), name, worker_id), self._series(day, name, worker_id)
            counts.append(len(first.runs) - first.before(first_us) + of_days + last.through(us))
        return counts[0], counts[1]

    def failure_window(self, worker_id: str, us: int) -> FailureWindow:
        """Return how the worker's runs ended in the seven days to *us*."""
        newest = self._newest(worker_id, us, "failed", NEWEST_FAILED)
        errors = [None if run.failure is None else run.failure.sample for run in newest]
        return FailureWindow(*self.ends(worker_id, us), errors)

    def failures(self, signature: str, first_us: int, last_us: int) -> list[Run]:
        """Return the failures of *signature* with ``first ≤ occurred_at ≤ last``, in order; of a few days at most."""
        of_days = (self._series(day, "failures", signature) for day in range(day_of(first_us), day_of(last_us) + 1))
        return [run for series in of_days for run in series.between(first_us, last_us)]

    def failure_times(self, signature: str, us: int, last_us: int) -> list[int]:
        """Return the instants of the failures of *signature* from *us* through *last*, and of the newest few before.

        Those few are all that says whether the pattern was active just before *us*: see ``activations``.
        """
        first_us, before = us - WINDOW_US - 1, list[int]()
        for day in range(day_of(us), day_of(first_us) - 1, -1):
            series = self._series(day, "failures", signature)
            newest = series.newest(first_us, us - 1, THRESHOLD - len(before))
            before = [run.occurred_us for run in newest] + before
            if len(before) == THRESHOLD:
                break
        return before + [run.occurred_us for run in self.failures(signature, us, last_us)]

    def patterns_of(self, worker_id: str, us: int) -> int:
        """Return how many patterns are active at *us* whose earliest failure is of the worker."""
        first_us, signatures = us - 2 * WINDOW_US, set[str]()
        for day in range(day_of(first_us), day_of(us) + 1):
            failed = self._series(day, "failed", worker_id).between(first_us, us)
            signatures |= {run.failure.signature for run in failed if run.failure is not None}
        return sum(self._named(signature, us) == worker_id for signature in signatures)

    def told(self, signature: str) -> ToldPattern | None:
        """Return what was told of the pattern of *signature*."""
        return self.ledger.patterns.get(signature)

    def close(self, hour: int, first_day: int) -> None:
        """Forget that anything was due up to *hour*, and merge the counts of days before *first_day*, out of reach."""
        self.ledger.due = {due for due in self.ledger.due if due > hour}
        for day in [day for day in self.ledger.days if day < first_day]:
            self.ledger.before += self.ledger.days.pop(day)
        self.touch()

    def _ended_before(self, day: int) -> int:
        return self.ledger.before + sum(count for of, count in self.ledger.days.items() if of < day)

    def _costs(self, worker_id: str, us: int, window_us: int, of_day: int) -> tuple[int, int]:
        """Return count and cost of the worker's cost runs from ``us - window`` on: of *us*' day the first *of_day*."""
        day, first_us = day_of(us), us - window_us
        carried = self._carried(worker_id, day, window_us // US_PER_DAY)
        first, last = self._series(day_of(first_us), "costs", worker_id), self._series(day, "costs", worker_id)
        older, of_first = first.before(first_us), len(first.runs)
        cost = first.cost(of_first) - first.cost(older) + carried.cost_nanousd + last.cost(of_day)
        return of_first - older + carried.cost_runs + of_day, cost

    def _named(self, signature: str, us: int) -> str | None:
        """Return the worker that the pattern of *signature* names at *us*, None when it is not active then."""
        newest = self.failure_times(signature, us + 1, us)
        if len(newest) < THRESHOLD:
            return None
        first_us = newest[-1] - WINDOW_US
        for day in range(day_of(first_us), day_of(us) + 1):
            series = self._series(day, "failures", signature)
            at = series.before(first_us)
            if at < len(series.runs):
                return series.runs[at].worker_id
        return None

    def _carried(self, worker_id: str, day: int, days: int) -> Sums:
        """Return the worker's sums of the days before *day* that a window of so many *days* has as a whole."""
        page = self.sums(day)
        known = None if page is None else page.carried.setdefault(worker_id, {}).get(days)
        if known is not None:
            return known
        carried = Sums()
        for earlier in range(day - days + 1, day):
            sums = self.sums(earlier)
            if sums is not None and worker_id in sums.workers:
                carried.join(sums.workers[worker_id])
        if page is not None:
            page.carried[worker_id][days] = carried
        return carried

    def _newest(self, worker_id: str, us: int, name: str, most: int) -> list[Run]:
        """Return the worker's newest few runs in the seven days to *us*, newest first."""
        day, first_us = day_of(us), us - PREDICTION_WINDOW_US
        found = self._series(day, name, worker_id).newest(first_us, us, most)
        if len(found) < most:
            carried = self._carried(worker_id, day, PREDICTION_WINDOW_US // US_PER_DAY)
            found = (carried.newest_failed if name == "failed" else carried.newest_costs) + found
        if len(found) < most:
            found = self._series(day_of(first_us), name, worker_id).newest(first_us, us, most) + found
        return found[-most:][::-1]

    def _series(self, day: int, name: str, worker_id: str) -> Series:
        page = self.day(day)
        return _NOTHING if page is None else getattr(page, name).get(worker_id, _NOTHING)
