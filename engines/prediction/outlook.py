"""What a series will spend in the days that are left of a month: a distribution, not a number (docs/predictions.md).

The forecast is level times the weekdays to come. How wrong it may be is told by how wrong it would have been: the same
forecast is made again from each day of the past, for as many days ahead, and held against what came (on a log scale,
so that a burst and a lull of the same factor weigh the same). Of several half-lives of the level the one that would
have erred least is taken. Where the past is too short for so many days ahead, a model of days and of a level that
moves stands in for it. One invariant: closed forms and sums only, nothing is drawn; the same days give the same answer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from engines.prediction.distributions import normal_below, student_below, where
from engines.prediction.history import DAYS_PER_WEEK, History, LevelPolicy

SHARE: Final = 0.8
"""The share of cases that an interval is to hold."""
_SPREADS_MAX: Final = 60
_EXPONENT_MAX: Final = 50.0
_RELATIVE_ERROR_MAX: Final = 5.0
_SQUARED_ERROR_MAX: Final = 4.0


@dataclass(frozen=True, slots=True)
class OutlookPolicy:
    """The numbers of the forecast; set by what they mean, none fitted to a series.

    Attributes:
        prior_forecasts: how many independent past forecasts weigh as much as the model: four, as a month holds four
            weeks; with fewer than that, quantiles of them would be guesses.
        day_variation: the squared coefficient of variation of a day before any was seen: 1, an exponential day.
        day_prior: how many days that weighs as much as: a working week.
        month_drift: how far the level is held to move within a month before the series shows it: a quarter.
        first_days: how many days must have been seen before a forecast of the past is held against what came.
        days_min: how many days must have been seen for any forecast.
        past_days_max: how far back forecasts are made again: a year and a day; longer ago says little.
        points_max: past errors are summed up by so many quantiles: bounded work.
    """

    level: LevelPolicy = field(default_factory=LevelPolicy)
    prior_forecasts: float = 4.0
    day_variation: float = 1.0
    day_prior: float = 5.0
    month_drift: float = 0.25
    first_days: int = 7
    days_min: int = 3
    past_days_max: int = 366
    points_max: int = 40


class Bounds(NamedTuple):
    """The median of something, and the two places that hold ``SHARE`` of it between them."""

    low: float
    median: float
    high: float


@dataclass(frozen=True, slots=True)
class Errors:
    """The distribution of z, the log of (cost + usual) over (expected + usual).

    Attributes:
        centre, spread, freedom: Student's t, from model and past errors together.
        past: past errors, sorted (quantiles of them); each stands for those around it, ``blur`` wide.
        trust: weight of the past errors themselves, against the t; 0 … 1.
    """

    centre: float
    spread: float
    freedom: int
    past: tuple[float, ...]
    blur: float
    trust: float

    def below(self, z: float) -> float:
        """Return the probability that the error is at most *z*."""
        model = student_below((z - self.centre) / self.spread, self.freedom)
        if not self.past:
            return model
        seen = sum(normal_below((z - error) / self.blur) for error in self.past) / len(self.past)
        return (1 - self.trust) * model + self.trust * seen

    def at(self, share: float) -> float:
        """Return the error that a *share* of the distribution lies under."""
        low, high = self.centre - _SPREADS_MAX * self.spread, self.centre + _SPREADS_MAX * self.spread
        if self.past:
            low, high = min(low, self.past[0] - self.blur), max(high, self.past[-1] + self.blur)
        return where(self.below, share, low, high)


@dataclass(frozen=True, slots=True)
class Outlook:
    """The distribution of what the days ahead will cost; amounts in nano-USD.

    Attributes:
        expected: what level and weekdays say.
        usual: the long-run mean of a day: what makes a day of nothing a number on a log scale.
        errors: how wrong that may be.
        bounds: median and interval of the errors.
        width: by how much errors are stretched around their median, by what intervals were worth (``widths``).
    """

    expected: float
    usual: float
    errors: Errors
    bounds: Bounds
    width: float = 1.0

    def interval(self) -> Bounds:
        """Return the cost of the days ahead: its median, and what holds it in ``SHARE`` of cases; 0 at least."""
        median = self.bounds.median
        return Bounds(*(max(self._amount(median + self.width * (z - median)), 0.0) for z in self.bounds))

    def exceeds(self, left: float) -> float:
        """Return the probability that the days ahead cost more than *left*."""
        if left < 0:
            return 1.0
        median = self.bounds.median
        return 1 - self.errors.below(median + (self._error(left) - median) / self.width)

    def reach(self, actual: int) -> float:
        """Return how far *actual* lies from the median, in widths of the interval as it is unstretched; 1 is its end.

        By an interval that begins at nothing, nothing is held.
        """
        z = self._error(actual)
        low, median, high = self.bounds
        if actual == 0 and self._amount(low) <= 0:
            return min((median - z) / (median - low), 1.0)
        return abs(z - median) / (high - median if z > median else median - low)

    def stretched(self, width: float) -> Outlook:
        """Return this outlook with another *width*."""
        return replace(self, width=width)

    def _error(self, amount: float) -> float:
        return math.log((amount + self.usual) / (self.expected + self.usual))

    def _amount(self, z: float) -> float:
        return (self.expected + self.usual) * math.exp(min(z, _EXPONENT_MAX)) - self.usual


def outlook(history: History, days: int, policy: OutlookPolicy) -> Outlook | None:
    """Return what *history* says of the *days* after it (≥ 1); None when it is too short or nothing was ever spent."""
    length = len(history.spent)
    if length < policy.days_min or not any(history.spent):
        return None
    fits = [_fit(history, days, speed, policy) for speed in range(len(policy.level.half_lives_days))]
    fit = min(fits, key=lambda one: one.spread)
    speed = fits.index(fit)
    independent = len(fit.past) / days  # forecasts that overlap tell of the same days
    errors = Errors(
        centre=fit.centre,
        spread=fit.spread,
        freedom=max(int(policy.prior_forecasts + independent), 1),
        past=_quantiles(sorted(fit.past), policy.points_max),
        blur=fit.spread / math.sqrt(max(independent, 1.0)),
        trust=independent / (independent + policy.prior_forecasts),
    )
    bounds = Bounds(*(errors.at(share) for share in ((1 - SHARE) / 2, 0.5, (1 + SHARE) / 2)))
    return Outlook(history.expected(length - 1, days, speed), history.standings[-1].usual, errors, bounds)


class _Fit(NamedTuple):
    """How wrong the forecast by one half-life would have been, and is held to be."""

    past: list[float]
    centre: float
    spread: float


def _fit(history: History, days: int, speed: int, policy: OutlookPolicy) -> _Fit:
    """Return the past errors by one half-life, and centre and spread of the next.

    The posterior predictive of a normal with unknown mean and variance. Before any error the mean is -variance / 2:
    the forecast is right on average, so the median lies below it.
    """
    past = _past_errors(history, days, speed, policy)
    n = len(past) / days
    model = _model_variance(history, days, speed, policy)
    prior, before = policy.prior_forecasts, -model / 2
    mean = math.fsum(past) / len(past) if past else before
    scatter = n * math.fsum((error - mean) ** 2 for error in past) / len(past) if past else 0.0
    weight = prior + n
    centre = (prior * before + n * mean) / weight
    variance = (prior * model + scatter + prior * n / weight * (mean - before) ** 2) / weight
    # The variance of the model has that of its mean in it, so only the part of the past adds its own.
    return _Fit(past, centre, math.sqrt(variance * (1 + n / weight**2)))


def _past_errors(history: History, days: int, speed: int, policy: OutlookPolicy) -> list[float]:
    """Return the errors of the forecasts of so many *days* from each day of the past, on the log scale."""
    errors = []
    for number in _again(history, days, policy):
        usual = history.standings[number].usual
        came = history.between(number + 1, number + 1 + days)
        errors.append(math.log((came + usual) / (history.expected(number, days, speed) + usual)))
    return errors


def _again(history: History, days: int, policy: OutlookPolicy) -> range:
    """Return the numbers of the days whose forecast of so many *days* can be made again and held against what came."""
    length = len(history.spent)
    return range(max(policy.first_days - 1, length - policy.past_days_max), length - days)


def _model_variance(history: History, days: int, speed: int, policy: OutlookPolicy) -> float:
    """Return the variance of the log error that days of their own, and a level that moves, would give.

    A day varies by a; the mean of n days by a/n, and that of the days the level rests on by a/m. The level moves by q
    a day: it is m/4 days old when it is used, and moves for n/3 more on average. a is seen in forecasts of one day, q
    in what those of one week are worse than a alone would make them.
    """
    length = len(history.spent)
    rests_on = 2 * policy.level.half_lives_days[speed] / math.log(2)
    seen = min(float(length), rests_on)
    age = rests_on / 4
    numbers = _again(history, 1, policy)
    squares = math.fsum(_relative_error(history, number, speed) ** 2 for number in numbers)
    day = (squares + policy.day_prior * policy.day_variation) / (len(numbers) + policy.day_prior)
    weeks = _past_errors(history, DAYS_PER_WEEK, speed, policy)
    drift = prior = policy.month_drift**2 / (age + 10)  # ten days: the mean way of a month, n/3 of thirty
    if weeks:
        square = min(math.fsum(error * error for error in weeks) / len(weeks), _SQUARED_ERROR_MAX)
        more = math.expm1(square) - day * (1 / DAYS_PER_WEEK + 1 / seen)
        n = len(weeks) / DAYS_PER_WEEK
        drift_seen = max(more, 0.0) / (age + DAYS_PER_WEEK / 3)
        drift = (policy.prior_forecasts * prior + n * drift_seen) / (policy.prior_forecasts + n)
    return math.log1p(day * (1 / days + 1 / seen) + drift * (age + days / 3))


def _relative_error(history: History, number: int, speed: int) -> float:
    """Return by which share of it the day after day *number* missed its forecast; bounded, as one burst is not all."""
    expected = history.expected(number, 1, speed)
    missed = (history.spent[number + 1] - expected) / max(expected, history.standings[number].usual)
    return min(missed, _RELATIVE_ERROR_MAX)


def _quantiles(errors: list[float], most: int) -> tuple[float, ...]:
    """Return *errors*, sorted, or so many of their quantiles."""
    if len(errors) <= most:
        return tuple(errors)
    return tuple(errors[int((number + 0.5) * len(errors) / most)] for number in range(most))
