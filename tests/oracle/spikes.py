"""Totals and ABSOLUTE_SPIKE by batch, from all accepted records of one tenant (CONTRACT §6, spec §3).

Ratios are exact fractions. A day's flag depends on its own total and on the days D-14 … D-2 alone; the streak is
read from the flags, so nothing here has a memory.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from tests.oracle.records import DAY_US, HOUR_US, Record

USD = 10**9
Profile = Literal["standard", "reference"]
Entity = tuple[str, str]  # entity_type, entity_id


@dataclass(frozen=True)
class Accepted:
    """A counted record and its cost in nano-USD; None when it has no price."""

    record: Record
    cost_nanousd: int | None


@dataclass
class Totals:
    """What one entity did in one window."""

    requests: int = 0
    unpriced_requests: int = 0
    retry_requests: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    priced_nanousd: int = 0

    def add(self, accepted: Accepted) -> None:
        """Count one record."""
        record = accepted.record
        self.requests += 1
        self.retry_requests += record.is_retry
        self.input_tokens += record.input_tokens
        self.cached_input_tokens += record.cached_input_tokens
        self.output_tokens += record.output_tokens
        if accepted.cost_nanousd is None:
            self.unpriced_requests += 1
        else:
            self.priced_nanousd += accepted.cost_nanousd

    @property
    def active(self) -> bool:
        """Whether the window counts for a baseline: at least one priced record, a zero one too."""
        return self.requests > self.unpriced_requests

    @property
    def cost_nanousd(self) -> int | None:
        """The spend, or None when nothing was priced."""
        return self.priced_nanousd if self.active else None


Days = Mapping[int, Totals]


@dataclass(frozen=True)
class Spike:
    """One entity's spike on one day."""

    entity: Entity
    day: int
    totals: Totals
    mean: Fraction
    streak: int
    at_once: Fraction | None

    @property
    def streak_start(self) -> int:
        """The first day of the run of flagged days."""
        return self.day - self.streak + 1

    @property
    def threshold_pct(self) -> int:
        """The threshold of the rule that fired (CONTRACT §5)."""
        if self.streak >= 2:
            return 40
        assert self.at_once is not None
        return 200 if self.at_once >= 3 else 100


def entities(record: Record) -> list[Entity]:
    """Return the entities that *record* counts for."""
    found = [("tenant", record.tenant_id), ("model", record.model)]
    if record.user_id is not None:
        found.append(("user", record.user_id))
    if record.feature_tag is not None:
        found.append(("feature", record.feature_tag))
    return found


def daily_totals(records: Iterable[Accepted]) -> dict[Entity, dict[int, Totals]]:
    """Return the totals by entity and UTC day, of the records of one tenant."""
    return _totals(records, DAY_US)


def hourly_totals(records: Iterable[Accepted]) -> dict[Entity, dict[int, Totals]]:
    """Return the totals by entity and hour since the epoch, of the records of one tenant."""
    return _totals(records, HOUR_US)


def _totals(records: Iterable[Accepted], width_us: int) -> dict[Entity, dict[int, Totals]]:
    result: dict[Entity, dict[int, Totals]] = {}
    for accepted in records:
        window = accepted.record.occurred_us // width_us
        for entity in entities(accepted.record):
            result.setdefault(entity, {}).setdefault(window, Totals()).add(accepted)
    return result


def active_costs(days: Days, first: int, last: int) -> list[int]:
    """Return the spend of each active day in *first* … *last*, both included."""
    return [days[day].priced_nanousd for day in range(first, last + 1) if day in days and days[day].active]


def spikes(records: Sequence[Accepted], profile: Profile, *, after: int | None = None) -> list[Spike]:
    """Return the spikes of one tenant on all its days, or only on those later than the day *after*."""
    found = []
    for entity, days in daily_totals(records).items():
        if entity[0] == "model":
            continue
        for day in days:
            if after is None or day > after:
                spike = _spike(entity, days, day, profile)
                if spike is not None:
                    found.append(spike)
    return found


def _spike(entity: Entity, days: Days, day: int, profile: Profile) -> Spike | None:
    if not _breached(days, day, profile):
        return None
    streak = 1
    while _breached(days, day - streak, profile):
        streak += 1
    mean, _ = _baseline(days, day) or (Fraction(0), 0)
    at_once = _ratio_at_once(days[day].priced_nanousd, mean, profile)
    if streak < 2 and at_once is None:
        return None
    return Spike(entity, day, days[day], mean, streak, at_once)


def _baseline(days: Days, day: int) -> tuple[Fraction, int] | None:
    costs = active_costs(days, day - 14, day - 2)
    if sum(costs) == 0:
        return None
    return Fraction(sum(costs), len(costs)), len(costs)


def _breached(days: Days, day: int, profile: Profile) -> bool:
    if day not in days:
        return False
    baseline = _baseline(days, day)
    if baseline is None:
        return False
    mean, active_days = baseline
    today = days[day].priced_nanousd
    if today < mean * Fraction(140, 100):
        return False
    if profile == "reference":
        return True
    excess = today - mean
    if excess < 5 * USD:
        return False
    return active_days >= 3 or (today >= 3 * mean and excess >= 25 * USD)


def _ratio_at_once(today: int, mean: Fraction, profile: Profile) -> Fraction | None:
    """Return the ratio of a flagged day that fires without a day before it, else None."""
    if profile == "reference":
        return None
    if today >= 3 * mean or (today >= 2 * mean and today - mean >= 25 * USD):
        return today / mean
    return None
