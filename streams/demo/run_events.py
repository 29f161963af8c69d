"""Events of runs over the same five weeks, made of a seed, with faults planted in them.

One invariant: healthy workers vary too little for any rule to speak (CONTRACT §7), whatever the seed: runs of one cost
at most an eighth more than others, and at most one a day fails, none in a worker's first week. At the end nothing falls
due between the last hour that closes and the watermark, so that a worker and a replay end alike.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

from engines.core.time import US_PER_DAY, US_PER_HOUR, US_PER_MINUTE, US_PER_SECOND, format_instant
from streams.demo.faults import OPEN_DAY, Fault, faults
from streams.demo.incidents import FIRST_DAY
from streams.demo.workers import WORKERS, Worker

_LAST_END_US: Final = OPEN_DAY * US_PER_DAY + 7 * US_PER_HOUR
_LAST_START_US: Final = OPEN_DAY * US_PER_DAY + 8 * US_PER_HOUR + 6 * US_PER_MINUTE
"""Closes the hours up to 07:00."""
_COPY_SHARE: Final = 0.012
_SLOW_SHARE: Final = 0.01
_DELAY_US_MAX: Final = 4 * US_PER_MINUTE
_SLOW_US_MAX: Final = 50 * US_PER_MINUTE
"""With the five minutes of the watermark and a copy's ten within the hour's grace (CONTRACT §2)."""
_COPY_US_MAX: Final = 10 * US_PER_MINUTE
_LATE_US: Final = 5 * US_PER_HOUR
_FAILING_DAYS: Final = 0.3
_CRASHING_DAYS: Final = 0.25
_HEALTHY_DAYS: Final = 7
_STARTS_BEFORE_US: Final = (20 * US_PER_SECOND, 9 * US_PER_MINUTE)
_EARLIER_US: Final = 2 * US_PER_MINUTE
"""A nightly run ends so much earlier than that before it: what it supersedes is still valid."""

_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class RunEvents:
    """The events in the order in which they reach the broker, and how many come to which end.

    Attributes:
        late: runs that were told of too late to be counted.
    """

    faults: tuple[Fault, ...]
    lines: list[bytes] = field(default_factory=list)
    accepted: int = 0
    duplicates: int = 0
    dead: int = 0
    late: int = 0


@dataclass(frozen=True, slots=True)
class _Run:
    worker: Worker
    run_id: str
    outcome: str
    end_us: int
    seconds_us: int
    error: str | None = None
    cents: float | None = None


def run_events(seed: int) -> RunEvents:
    """Return the events that *seed* makes."""
    rng = random.Random(f"runs {seed}")  # noqa: S311 -- to be repeated, not to be secret
    made = RunEvents(faults(rng))
    arrivals: list[tuple[int, bytes]] = []
    for run in _runs(rng, made.faults):
        for at_us, line in _events(run):
            delay_us = rng.randrange(_SLOW_US_MAX if rng.random() < _SLOW_SHARE else _DELAY_US_MAX)
            arrivals.append((at_us + delay_us, line))
            made.accepted += 1
            if rng.random() < _COPY_SHARE:
                made.duplicates += 1
                arrivals.append((at_us + delay_us + rng.randrange(_COPY_US_MAX), line))
    arrivals += _odd(made)
    lasts = [_last(tenant_id) for tenant_id in sorted({worker.tenant_id for worker in WORKERS})]
    made.accepted += len(lasts)
    made.lines = [*(line for _, line in sorted(arrivals)), *lasts]
    return made


def _runs(rng: random.Random, planted: tuple[Fault, ...]) -> Iterator[_Run]:
    for worker in WORKERS:
        here = [fault for fault in planted if (fault.tenant_id, fault.worker_id) == (worker.tenant_id, worker.name)]
        for day in range(FIRST_DAY, OPEN_DAY + 1):
            odd = rng.choice(worker.hours) if day >= FIRST_DAY + _HEALTHY_DAYS else None
            for hour in worker.hours:
                run = _run(rng, worker, day, hour, here)
                if run.end_us >= _LAST_END_US:
                    continue
                yield _failed_oddly(rng, run) if hour == odd else run


def _run(rng: random.Random, worker: Worker, day: int, hour: int, here: list[Fault]) -> _Run:
    end_us = day * US_PER_DAY + hour * US_PER_HOUR + worker.minute * US_PER_MINUTE
    end_us += rng.randrange(30 * US_PER_SECOND) - (day - FIRST_DAY) * _EARLIER_US * (len(worker.hours) == 1)
    run_id = f"{worker.name}-{day - FIRST_DAY:02d}{hour:02d}-{rng.randrange(1 << 24):06x}"
    seconds_us = rng.randrange(*_STARTS_BEFORE_US)
    for fault in here:
        if (day, hour) in fault.failing:
            return _Run(worker, run_id, "run-failed", end_us, seconds_us, _said(rng, fault.error))
    cents = worker.cents
    if cents is not None:
        cents *= rng.uniform(1 - worker.spread, 1 + worker.spread)
        for fault in here:
            cents *= fault.times(day)
        cents = round(cents, 2)
    return _Run(worker, run_id, "run-completed", end_us, seconds_us, None, cents)


def _failed_oddly(rng: random.Random, run: _Run) -> _Run:
    """Return *run* as it ends on a day on which something goes wrong once."""
    worker, chance = run.worker, rng.random()
    if worker.error is not None and chance < _FAILING_DAYS:
        return _Run(worker, run.run_id, "run-failed", run.end_us, run.seconds_us, _said(rng, worker.error))
    if worker.crashes and chance < _CRASHING_DAYS:
        return _Run(worker, run.run_id, "run-crashed", run.end_us, run.seconds_us)
    return run


def _said(rng: random.Random, error: str) -> str:
    return error.format(
        n=rng.randrange(10, 90), hex=f"{rng.randrange(1 << 32):08x}", ms=rng.randrange(5_000, 60_000),
        pid=rng.randrange(1_000, 30_000),
    )  # fmt: skip


def _events(run: _Run) -> Iterator[tuple[int, bytes]]:
    """Yield the start of *run* and its end; neither has an id of its own."""
    start_us = run.end_us - run.seconds_us
    yield start_us, _line(run, "run-started", start_us)
    yield run.end_us, _line(run, run.outcome, run.end_us, error=run.error, cost_cents=run.cents)


def _odd(made: RunEvents) -> Iterator[tuple[int, bytes]]:
    """Yield an event of a type that nobody knows, and the end of a run that comes hours after others."""
    worker = WORKERS[-1]
    middle_us = (FIRST_DAY + OPEN_DAY) // 2 * US_PER_DAY + 12 * US_PER_HOUR
    run = _Run(worker, f"{worker.name}-odd", "run-completed", middle_us, 0)
    yield middle_us, _line(run, "run-aborted", middle_us)
    yield middle_us + _LATE_US, _line(run, run.outcome, middle_us, cost_cents=worker.cents)
    made.dead = made.late = 1


def _last(tenant_id: str) -> bytes:
    """Return the start by which *tenant_id* is seen to have gone on."""
    worker = next(worker for worker in WORKERS if worker.tenant_id == tenant_id)
    return _line(_Run(worker, f"{worker.name}-last", "", _LAST_START_US, 0), "run-started", _LAST_START_US)


def _line(run: _Run, kind: str, at_us: int, **more: object) -> bytes:
    members = {
        "type": kind,
        "run_id": run.run_id,
        "tenant_id": run.worker.tenant_id,
        "worker_id": run.worker.name,
        "occurred_at": format_instant(at_us),
        "model": run.worker.model,
        **more,
    }
    return _encode({name: member for name, member in members.items() if member is not None})
