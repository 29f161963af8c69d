"""The calibrated probability that a run fails, told before the run (docs/predictions.md).

How a worker's finished runs ended is counted by UTC day and forgotten by half a week by week. A key with few runs
borrows from the level above it: a tenant's runs on a worker from the worker, a worker from its model, a model from
everyone, as if so many runs had gone as they do there (the mean of a beta-binomial). How many is not fixed: each level
has a few numbers, believed as far as they foretold the runs before. One invariant: an answer depends on what was
added before, in that order, and on nothing else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

Key = tuple[str, ...]

_PPM: Final = 1_000_000
_LEAST: Final = 1e-9


class Scope(StrEnum):
    """Whose runs a probability may rest on."""

    POOLED = "pooled"
    """Everyone's: a worker that many tenants share is known to the next one from its first run on."""
    TENANT = "tenant"
    """The tenant's own, and one number of all others: how often runs fail at all."""


@dataclass(frozen=True, slots=True)
class FailurePolicy:
    """The numbers of the estimate; none was fitted to data.

    Attributes:
        half_life_days: a run counts half after this long; the window of the reference's rule.
        kept_days: what is older counts less than 1/32 and is forgotten; the horizon of late records (CONTRACT §2).
        borrowed: how many runs of its own weigh as much as the level above a key: from "one run tells all" to "keys
            are alike", each four times the one before. (Of tenants: how many expected failures.)
        remembered_runs: over how many runs these numbers are judged: a few hundred decide between them, and what
            held long ago gives way.
        prior_rate: what the first run of all is told; forgotten after a few runs.
    """

    half_life_days: float = 7.0
    kept_days: int = 35
    borrowed: tuple[float, ...] = (1.0, 4.0, 16.0, 64.0, 256.0)
    remembered_runs: float = 1000.0
    prior_rate: float = 0.05


class _Sums(NamedTuple):
    """Decayed sums of a key."""

    failed: float
    finished: float
    expected: float


@dataclass(slots=True)
class _Counts:
    """How the runs of one key ended, by UTC day: failed, finished, expected failures in millionths."""

    days: dict[int, list[int]]
    past: tuple[int, _Sums] | None = None
    """The sums of all days before a day, which is first; None when a day of them changed."""


class _Level(NamedTuple):
    """What one level says of a run: its key, the rate expected of it, and the rates by each number borrowed."""

    key: Key
    expected: float
    rates: list[float]


class Failures:
    """How runs ended, and what that says of the next one: ``probability`` before each run, ``add`` after it."""

    def __init__(self, policy: FailurePolicy = FailurePolicy(), scope: Scope = Scope.POOLED) -> None:
        self.policy = policy
        self.scope = scope
        self._keys: dict[Key, _Counts] = {}
        self._beliefs: dict[str, list[float]] = {}
        """By level, the log likelihood of each number that may be borrowed."""

    def probability(self, tenant_id: str, worker_id: str, model: str | None, day: int) -> float:
        """Return the probability that a run on *worker_id* on UTC *day* fails, by what was added before."""
        return self._told(self._levels(tenant_id, worker_id, model, day)[-1])

    def add(self, tenant_id: str, worker_id: str, model: str | None, day: int, *, failed: bool) -> None:
        """Count a run that has finished (failed, completed or crashed)."""
        for level in self._levels(tenant_id, worker_id, model, day):
            counts = self._keys.setdefault(level.key, _Counts({}))
            if counts.past is not None and day < counts.past[0]:
                counts.past = None
            of_day = counts.days.setdefault(day, [0, 0, 0])
            of_day[0] += failed
            of_day[1] += 1
            of_day[2] += round(level.expected * _PPM)
            self._learn(level, failed=failed)

    def forget(self, day: int) -> None:
        """Drop what no prediction on UTC *day* or after looks at."""
        first = day - self.policy.kept_days
        for key, counts in list(self._keys.items()):
            counts.days = {at: of_day for at, of_day in counts.days.items() if at >= first}
            if not counts.days:
                del self._keys[key]

    def __len__(self) -> int:
        return len(self._keys)

    def _levels(self, tenant: str, worker: str, model: str | None, day: int) -> list[_Level]:
        """Return the levels that a run belongs to, widest first; the last one's rate is the answer."""
        mine = (tenant,) if self.scope is Scope.TENANT else ()
        chain: list[Key] = [("everyone",), ("tenant", tenant)] if mine else [("everyone",)]
        if model is not None:
            chain.append(("model", model, *mine))
        levels: list[_Level] = []
        rate = self.policy.prior_rate
        for key in [*chain, ("worker", worker, *mine)]:
            levels.append(self._shrunk(key, rate, day))
            rate = self._told(levels[-1])
        if self.scope is Scope.POOLED:
            levels.append(self._shifted(("tenant", tenant), rate, day))
            levels.append(self._shrunk(("tenant on worker", tenant, worker), self._told(levels[-1]), day))
        return levels

    def _shrunk(self, key: Key, above: float, day: int) -> _Level:
        """Return the rates of *key*, drawn to the rate of the level above it."""
        failed, finished, _ = self._sums(key, day)
        rates = [(failed + borrowed * above) / (finished + borrowed) for borrowed in self.policy.borrowed]
        return _Level(key, above, rates)

    def _shifted(self, key: Key, rate: float, day: int) -> _Level:
        """Return the *rate* of a worker for one tenant, whose failures were so many times those to be expected."""
        failed, _, expected = self._sums(key, day)
        ratios = [(failed + borrowed) / (expected + borrowed) for borrowed in self.policy.borrowed]
        return _Level(key, rate, [rate * ratio / (1 - rate + rate * ratio) for ratio in ratios])

    def _told(self, level: _Level) -> float:
        """Return the rate of a *level*: the mean of its rates, each as far as its number borrowed is believed."""
        beliefs = self._beliefs.get(level.key[0])
        if beliefs is None:
            return math.fsum(level.rates) / len(level.rates)
        most = max(beliefs)
        weights = [math.exp(belief - most) for belief in beliefs]
        return math.fsum(w * rate for w, rate in zip(weights, level.rates, strict=True)) / math.fsum(weights)

    def _learn(self, level: _Level, *, failed: bool) -> None:
        """Believe the more in what a *level* may borrow the likelier it held what happened."""
        beliefs = self._beliefs.setdefault(level.key[0], [0.0] * len(level.rates))
        kept = 1 - 1 / self.policy.remembered_runs
        for number, rate in enumerate(level.rates):
            beliefs[number] = kept * beliefs[number] + math.log(max(rate if failed else 1 - rate, _LEAST))

    def _sums(self, key: Key, day: int) -> _Sums:
        counts = self._keys.get(key)
        if counts is None:
            return _Sums(0.0, 0.0, 0.0)
        if counts.past is None or counts.past[0] != day:
            counts.past = (day, self._decayed(counts.days, day))
        past = counts.past[1]
        failed, finished, expected = counts.days.get(day, (0, 0, 0))
        return _Sums(past.failed + failed, past.finished + finished, past.expected + expected / _PPM)

    def _decayed(self, days: dict[int, list[int]], day: int) -> _Sums:
        """Return the sums of the days before *day*; in order of time, so that the same days give the same float."""
        sums = [0.0, 0.0, 0.0]
        for at in sorted(at for at in days if day - self.policy.kept_days <= at < day):
            weight = math.exp2((at - day) / self.policy.half_life_days)
            sums = [total + weight * number for total, number in zip(sums, days[at], strict=True)]
        return _Sums(sums[0], sums[1], sums[2] / _PPM)
