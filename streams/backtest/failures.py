"""The backtest of the probability of failure: every run of a file, told before it by what the file says before it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from engines.core.errors import OutlayError
from engines.core.time import day_of, format_instant
from engines.prediction import scores
from engines.prediction.failures import Failures, Scope
from engines.prediction.reference import failure_confidence
from engines.prediction.runs import WINDOW_US
from engines.prediction.scores import Bin, Told

CALIBRATED: Final = "calibrated"
APART: Final = "calibrated, tenants apart"
BASE_RATE: Final = "base rate of the first part"
OWN_RATE: Final = "worker's own rate, 7 days"
REFERENCE: Final = "reference rule, else base rate"
RUNS_MIN: Final = 20
_TOLD_EVERY: Final = 500


class Run(NamedTuple):
    """A finished run of the file."""

    occurred_us: int
    tenant_id: str
    worker_id: str
    model: str | None
    failed: bool


@dataclass(frozen=True, slots=True)
class Score:
    """How one way of telling did on the held-out runs."""

    name: str
    brier: float
    skill: float | None
    log_loss: float
    told_mean: float


@dataclass(frozen=True, slots=True)
class FailureReport:
    """What the backtest found; *scores* begins with the calibrated ones."""

    runs: int
    first_part: int
    held_out: int
    held_out_from: str
    until: str
    failed_first: int
    failed_held_out: int
    scores: list[Score]
    reliability: list[Bin]


def backtest(runs: Sequence[Run], train_share: float, shown: Callable[[int, int], None]) -> FailureReport:
    """Return how well failures were told; the first *train_share* of the runs, by time, is not scored.

    Nothing is fitted to the first part but the base rate; the others tell every run by those before it.

    Raises:
        OutlayError: there are too few runs on either side.
    """
    ordered = sorted(runs, key=lambda run: run.occurred_us)
    cut = int(len(ordered) * train_share)
    if min(cut, len(ordered) - cut) < RUNS_MIN:
        raise OutlayError(f"{len(ordered)} finished runs: a backtest needs {RUNS_MIN} before the cut and after it")
    first, held_out = ordered[:cut], ordered[cut:]
    base = sum(run.failed for run in first) / cut
    told = _told(ordered, base, shown)
    found = {name: probabilities[cut:] for name, probabilities in told.items()}
    reference = scores.brier(found[BASE_RATE])
    return FailureReport(
        runs=len(ordered),
        first_part=cut,
        held_out=len(held_out),
        held_out_from=format_instant(held_out[0].occurred_us),
        until=format_instant(held_out[-1].occurred_us),
        failed_first=sum(run.failed for run in first),
        failed_held_out=sum(run.failed for run in held_out),
        scores=[_score(name, probabilities, reference) for name, probabilities in found.items()],
        reliability=scores.reliability(found[CALIBRATED]),
    )


def _score(name: str, told: list[Told], reference: float) -> Score:
    score = scores.brier(told)
    return Score(
        name=name,
        brier=score,
        skill=scores.skill(score, reference),
        log_loss=scores.log_loss(told),
        told_mean=sum(one.probability for one in told) / len(told),
    )


def _told(runs: Sequence[Run], base: float, shown: Callable[[int, int], None]) -> dict[str, list[Told]]:
    """Return what each way tells of each run, before it."""
    ways: dict[str, _Way] = {
        CALIBRATED: _Calibrated(Scope.POOLED),
        APART: _Calibrated(Scope.TENANT),
        OWN_RATE: _OwnRate(),
        REFERENCE: _Reference(base),
        BASE_RATE: _Constant(base),
    }
    told: dict[str, list[Told]] = {name: [] for name in ways}
    for number, run in enumerate(runs, 1):
        for name, way in ways.items():
            told[name].append(Told(way.probability(run), run.failed))
            way.add(run)
        if number % _TOLD_EVERY == 0 or number == len(runs):
            shown(number, len(runs))
    return told


class _Way(Protocol):
    """A way of telling: ``probability`` before a run, ``add`` after it."""

    def probability(self, run: Run) -> float:
        """Return the probability that *run* fails; its outcome is not looked at."""

    def add(self, run: Run) -> None:
        """Take in how *run* ended."""


class _Calibrated:
    def __init__(self, scope: Scope) -> None:
        self._failures = Failures(scope=scope)
        self._forgotten = 0

    def probability(self, run: Run) -> float:
        return self._failures.probability(run.tenant_id, run.worker_id, run.model, day_of(run.occurred_us))

    def add(self, run: Run) -> None:
        day = day_of(run.occurred_us)
        if day > self._forgotten:
            self._failures.forget(day)
            self._forgotten = day
        self._failures.add(run.tenant_id, run.worker_id, run.model, day, failed=run.failed)


class _Recent:
    """How the runs of each tenant's workers ended in the last seven days: failed, and all."""

    def __init__(self) -> None:
        self._runs: dict[tuple[str, str], deque[Run]] = {}
        self._failed: dict[tuple[str, str], int] = {}

    def before(self, run: Run) -> tuple[int, int]:
        """Return how many of the runs on the worker of *run* failed, and how many there were."""
        key = (run.tenant_id, run.worker_id)
        seen = self._runs.get(key)
        if seen is None:
            return 0, 0
        while seen and seen[0].occurred_us < run.occurred_us - WINDOW_US:
            self._failed[key] -= seen.popleft().failed
        return self._failed[key], len(seen)

    def add(self, run: Run) -> None:
        key = (run.tenant_id, run.worker_id)
        self._runs.setdefault(key, deque()).append(run)
        self._failed[key] = self._failed.get(key, 0) + run.failed


class _OwnRate(_Recent):
    """What most would write first: failures over runs, one of each added so that a new worker has a rate."""

    def probability(self, run: Run) -> float:
        failed, total = self.before(run)
        return (failed + 1) / (total + 2)


class _Reference(_Recent):
    """The reference's rule: its confidence where it speaks; where it does not, the base rate, to be fair to it."""

    def __init__(self, base: float) -> None:
        super().__init__()
        self._base = base

    def probability(self, run: Run) -> float:
        confidence = failure_confidence(*self.before(run))
        return self._base if confidence is None else confidence


class _Constant:
    def __init__(self, rate: float) -> None:
        self._rate = rate

    def probability(self, run: Run) -> float:  # noqa: ARG002 - whatever the run, the rate is the same
        return self._rate

    def add(self, run: Run) -> None:
        """Learn nothing."""
