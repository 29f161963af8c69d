"""What a series of daily spend has been like: its level, its week, and where both stood on each day before.

One invariant: what is said of a day is made of that day and days before it, so a forecast from any past day can be
made again, and be held against what came.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

DAYS_PER_WEEK: Final = 7


@dataclass(frozen=True, slots=True)
class LevelPolicy:
    """The numbers that smooth a series; none was fitted to data.

    Attributes:
        half_lives_days: how fast a level is let go: within a week, a month or a quarter; the series decides which.
        week_half_life_days: eight weeks: each weekday's share rests on some eleven of its kind.
        week_prior: how many days of a kind must have been seen for half belief in their share: a month of them.
        factor_min: least share of a weekday in an average day; so that a working-day series has a level on Sundays.
    """

    half_lives_days: tuple[float, ...] = (4.0, 14.0, 42.0)
    week_half_life_days: float = 56.0
    week_prior: float = 4.0
    factor_min: float = 0.05


@dataclass(frozen=True, slots=True)
class Standing:
    """How a series stood at the end of a day: spend per average day (by half-life), weekdays' shares, long-run mean."""

    levels: tuple[float, ...]
    factors: tuple[float, ...]
    usual: float


@dataclass(frozen=True, slots=True)
class History:
    """A series up to a day.

    Attributes:
        last_day: the UTC day the last number is of.
        spent: spend by day in nano-USD, zero days included, from the series' first day that cost anything.
        standings: as of the end of each of these days.
    """

    last_day: int
    spent: list[int]
    standings: list[Standing]
    _sums: list[int]

    def until(self, day: int) -> History:
        """Return what was known at the end of UTC *day*."""
        length = max(len(self.spent) - (self.last_day - day), 0)
        return History(day, self.spent[:length], self.standings[:length], self._sums[: length + 1])

    def between(self, first: int, after: int) -> int:
        """Return the spend of the days numbered *first* to *after* - 1, the series' first day being number 0."""
        return self._sums[after] - self._sums[first]

    def expected(self, number: int, days: int, speed: int) -> float:
        """Return the spend that was to be expected, at the end of day *number*, of the *days* after it.

        *speed* is the number of the half-life to go by.
        """
        standing = self.standings[number]
        weekday = (self.last_day - (len(self.spent) - 1 - number)) % DAYS_PER_WEEK
        weeks, rest = divmod(days, DAYS_PER_WEEK)
        partial = sum(standing.factors[(weekday + ahead) % DAYS_PER_WEEK] for ahead in range(1, rest + 1))
        return standing.levels[speed] * (weeks * DAYS_PER_WEEK + partial)


def read(first_day: int, spent: Sequence[int], policy: LevelPolicy) -> History:
    """Return the history of a series that spent *spent* nano-USD on the UTC days from *first_day* on.

    Days before the first that cost anything tell nothing, and are left out.
    """
    begun = next((number for number, spend in enumerate(spent) if spend), len(spent))
    kept = list(spent[begun:])
    smoothing = _Smoothing(policy)
    first_kept = first_day + begun
    standings = [smoothing.add((first_kept + number) % DAYS_PER_WEEK, spend) for number, spend in enumerate(kept)]
    return History(first_day + len(spent) - 1, kept, standings, [0, *accumulate(kept)])


class _Smoothing:
    """Decayed sums of a series, day by day."""

    def __init__(self, policy: LevelPolicy) -> None:
        self._policy = policy
        self._levels_kept = [0.5 ** (1 / half_life) for half_life in policy.half_lives_days]
        self._week_kept = 0.5 ** (1 / policy.week_half_life_days)
        self._levels = [[0.0, 0.0] for _ in self._levels_kept]
        self._of_weekday = [[0.0, 0.0] for _ in range(DAYS_PER_WEEK)]
        self._factors: tuple[float, ...] = (1.0,) * DAYS_PER_WEEK

    def add(self, weekday: int, spend: int) -> Standing:
        """Take in the next day; how much of an average day it is, the days before it decide."""
        share = max(self._factors[weekday], self._policy.factor_min)
        for sums, kept in zip(self._levels, self._levels_kept, strict=True):
            sums[0] = sums[0] * kept + spend
            sums[1] = sums[1] * kept + share
        for sums in self._of_weekday:
            sums[0] *= self._week_kept
            sums[1] *= self._week_kept
        self._of_weekday[weekday][0] += spend
        self._of_weekday[weekday][1] += 1
        usual = sum(sums[0] for sums in self._of_weekday) / sum(sums[1] for sums in self._of_weekday)
        self._factors = self._shares(usual)
        return Standing(tuple(sums[0] / sums[1] for sums in self._levels), self._factors, usual)

    def _shares(self, usual: float) -> tuple[float, ...]:
        """Return each weekday's spend over the usual one, drawn to 1 by ``week_prior`` days; their mean is 1."""
        prior = self._policy.week_prior
        shares = [(spend + prior * usual) / ((days + prior) * usual) for spend, days in self._of_weekday]
        mean = sum(shares) / DAYS_PER_WEEK
        return tuple(share / mean for share in shares)
