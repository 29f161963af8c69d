"""The bodies of runs pages: what ended on a tenant's days, and what was told of it.

One invariant: every list of runs here is in their order, that of ``engines.runs.series``.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, field
from typing import Final
from zlib import crc32

from engines.core.model import PageKey
from engines.core.time import HOURS_PER_DAY, US_PER_HOUR
from engines.runs.event import FAILED
from engines.runs.series import Order, Run, Series, order

DAY: Final = "runs.day"
SUMS: Final = "runs.sums"
LEDGER: Final = "runs.ledger"
DUE: Final = "runs.due"

PARTS: Final = 16
"""Into how many parts sums are spread by worker, and what was told of patterns by signature."""
NEWEST_FAILED: Final = 5
NEWEST_COSTS: Final = 3


@dataclass(slots=True)
class DayPage:
    """A tenant's ended runs of one UTC day, all of them and by what they are asked for.

    Attributes:
        ended, failed, costs: by worker. failures: with an error, by signature.
        changed: hours of the day that are to be written; they are the page's parts.
    """

    all: Series = field(default_factory=Series)
    ended: dict[str, Series] = field(default_factory=dict)
    failed: dict[str, Series] = field(default_factory=dict)
    costs: dict[str, Series] = field(default_factory=dict)
    failures: dict[str, Series] = field(default_factory=dict)
    changed: set[int] = field(default_factory=set)

    def add(self, run: Run) -> None:
        """Take *run* in."""
        self.all.add(run)
        _series(self.ended, run.worker_id).add(run)
        if run.outcome == FAILED:
            _series(self.failed, run.worker_id).add(run)
        if run.costs:
            _series(self.costs, run.worker_id).add(run)
        if run.failure is not None:
            _series(self.failures, run.failure.signature).add(run)
        self.changed.add(run.occurred_us // US_PER_HOUR % HOURS_PER_DAY)


@dataclass(slots=True)
class Sums:
    """What the runs of one worker come to, on a day or over several.

    Attributes:
        newest_failed, newest_costs: the newest few, oldest first: all that a prediction names one by one.
    """

    ended: int = 0
    failed: int = 0
    cost_runs: int = 0
    cost_nanousd: int = 0
    newest_failed: list[Run] = field(default_factory=list)
    newest_costs: list[Run] = field(default_factory=list)

    def add(self, run: Run) -> None:
        """Count *run*."""
        self.ended += 1
        if run.outcome == FAILED:
            self.failed += 1
            _keep(self.newest_failed, run, NEWEST_FAILED)
        if run.costs:
            self.cost_runs += 1
            self.cost_nanousd += run.costs
            _keep(self.newest_costs, run, NEWEST_COSTS)

    def join(self, later: Sums) -> None:
        """Add what *later* days come to."""
        self.ended += later.ended
        self.failed += later.failed
        self.cost_runs += later.cost_runs
        self.cost_nanousd += later.cost_nanousd
        self.newest_failed = (self.newest_failed + later.newest_failed)[-NEWEST_FAILED:]
        self.newest_costs = (self.newest_costs + later.newest_costs)[-NEWEST_COSTS:]


@dataclass(slots=True)
class SumsPage:
    """What a tenant's workers come to on one UTC day.

    Attributes:
        changed: parts to be written.
        carried: worker → days → the sums of so many days before; not stored, dropped when one of them changes.
    """

    workers: dict[str, Sums] = field(default_factory=dict)
    changed: set[int] = field(default_factory=set)
    carried: dict[str, dict[int, Sums]] = field(default_factory=dict)

    def add(self, run: Run) -> None:
        """Count *run*."""
        sums = self.workers.get(run.worker_id)
        if sums is None:
            sums = self.workers[run.worker_id] = Sums()
        sums.add(run)
        self.changed.add(part_of(run.worker_id))


@dataclass(slots=True)
class ToldPattern:
    """A failure pattern that was told and may still change, or go on.

    Attributes:
        starts: when activations began, oldest first: of those that may still change, and of the one before them.
        newest_us: of its failures, the newest. last_us: of those in the last activation, the newest.
        until_us: the first instant at which that activation is over, if nothing more comes.
        since_us, cleared, acknowledged, revision: what was told last. final: it was told for good that it is over.
    """

    starts: list[int]
    newest_us: int
    last_us: int
    until_us: int
    since_us: int = -1
    cleared: bool = False
    acknowledged: bool = False
    final: bool = False
    revision: int = -1


@dataclass(slots=True)
class ToldSpike:
    """A cost spike that was told and may still change."""

    run: Run
    withdrawn: bool
    revision: int


@dataclass(slots=True)
class ToldPrediction:
    """A prediction that held, of (type, worker, day), and may still change; *status* is None until it is told."""

    status: str | None = None
    revision: int = -1


PredictionKey = tuple[str, str, int]
"""prediction type, worker, UTC day."""


@dataclass(slots=True)
class Ledger:
    """What is kept of a tenant as a whole.

    Attributes:
        before: how many runs ended on days that are in ``days`` no more; days: on each UTC day of late.
        due: hours in which something is due and a page says so.
        unsettled: the patterns that are not told for good to be over; not stored, each pattern says so itself.
        changed: parts to be written: 0 is all but the patterns.
    """

    before: int = 0
    days: dict[int, int] = field(default_factory=dict)
    due: set[int] = field(default_factory=set)
    spikes: dict[Order, ToldSpike] = field(default_factory=dict)
    predictions: dict[PredictionKey, ToldPrediction] = field(default_factory=dict)
    patterns: dict[str, ToldPattern] = field(default_factory=dict)
    unsettled: set[str] = field(default_factory=set)
    changed: set[int] = field(default_factory=set)


@dataclass(slots=True)
class DuePage:
    """That something of a tenant is due in an hour; what it is says the ledger."""


Body = DayPage | SumsPage | Ledger | DuePage


def part_of(name: str) -> int:
    """Return the part of sums that holds a worker, or that of patterns, less one, that holds a signature."""
    return crc32(name.encode()) % PARTS


def day_key(tenant_id: str, day: int) -> PageKey:
    """Return the key of a tenant's runs of a day."""
    return PageKey(tenant_id, DAY, day * HOURS_PER_DAY)


def sums_key(tenant_id: str, day: int) -> PageKey:
    """Return the key of the sums of a tenant's day."""
    return PageKey(tenant_id, SUMS, day * HOURS_PER_DAY)


def ledger_key(tenant_id: str) -> PageKey:
    """Return the key of a tenant's ledger, which belongs to no time."""
    return PageKey(tenant_id, LEDGER, 0)


def due_key(tenant_id: str, hour: int) -> PageKey:
    """Return the key of the page that says that something is due in *hour*."""
    return PageKey(tenant_id, DUE, hour)


def _series(by: dict[str, Series], name: str) -> Series:
    found = by.get(name)
    if found is None:
        found = by[name] = Series()
    return found


def _keep(newest: list[Run], run: Run, most: int) -> None:
    insort(newest, run, key=order)
    del newest[:-most]
