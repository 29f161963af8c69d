"""What a series will spend in the days that are left of a month: a distribution, not a number (docs/predictions.md).

The forecast is level times the weekdays to come. How wrong it may be is told by how wrong it would have been: the same
forecast is made again from each day of the past, for as many days ahead, and held against what came (on a log scale,
so that a burst and a lull of the same factor weigh the same). Levels of several half-lives are believed as far as they
would have erred less: where they differ, nobody knows the level, and the interval is wide. Where the past is too short
for so many days ahead, a model of days and of a level that moves stands in for it. One invariant: closed forms and sums
only, nothing is drawn; the same days give the same answer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from engines.prediction.distributions import student_below, where
from engines.prediction.history import DAYS_PER_WEEK, History, LevelPolicy

SHARE: Final = 0.8
"""The share of cases that an interval is to hold."""
_SPREADS_MAX: Final = 60
_BELIEF_MIN: Final = 0.01
"""A view a hundred times less likely than the best is not worth its work."""
_EXPONENT_MAX: Final = 100.0
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
    points_max: int = 20


class Bounds(NamedTuple):
    """The median of something, and the two places that hold ``SHARE`` of it between them."""

    low: float
    median: float
    high: float


@dataclass(frozen=True, slots=True)
class View:
    """What one half-life of the level says: the distribution of x, the log of (cost + usual).

    Attributes:
        belief: how far it is believed; the beliefs of all views add up to 1.
        expected: the log of (expected + usual); errors are counted from it.
        centre, spread, freedom: Student's t of the error, from model and past errors together.
        past: past errors, sorted (quantiles of them); each stands for those around it, ``blur`` wide.
        trust: weight of the past errors themselves, against the t; 0 … 1.
    """

    belief: float
    expected: float
    centre: float
    spread: float
    freedom: int
    past: tuple[float, ...]
    blur: float
    trust: float

    def below(self, x: float) -> float:
        """Return the probability of at most *x*."""
        error = x - self.expected
        model = student_below((error - self.centre) / self.spread, self.freedom)
        if not self.past:
            return model
        scale, erfc = 1 / (self.blur * math.sqrt(2)), math.erfc  # a normal around each, written out: most work is here
        seen = 0.5 * sum([erfc((one - error) * scale) for one in self.past]) / len(self.past)
        return (1 - self.trust) * model + self.trust * seen

    def ends(self) -> tuple[float, float]:
        """Return between which x all but nothing of the distribution lies."""
        reach = _SPREADS_MAX * self.spread
        errors = (self.centre - reach, self.centre + reach, *self.past[:1], *self.past[-1:])
        return self.expected + min(errors), self.expected + max(errors)


@dataclass(frozen=True, slots=True)
class Outlook:
    """The distribution of what the days ahead will cost; amounts in nano-USD.

    Attributes:
        usual: the long-run mean of a day: what makes a day of nothing a number on a log scale.
        views: what each half-life says.
        bounds: median and interval, as logs of (cost + usual).
        width: by how much all is stretched around the median, by what intervals were worth (``widths``).
    """

    usual: float
    views: tuple[View, ...]
    bounds: Bounds
    width: float = 1.0

    def interval(self) -> Bounds:
        """Return the cost of the days ahead: its median, and what holds it in ``SHARE`` of cases; 0 at least."""
        median = self.bounds.median
        return Bounds(*(max(self._amount(median + self.width * (x - median)), 0.0) for x in self.bounds))

    def exceeds(self, left: float) -> float:
        """Return the probability that the days ahead cost more than *left*."""
        if left < 0:
            return 1.0
        median = self.bounds.median
        return 1 - _below(self.views, median + (math.log(left + self.usual) - median) / self.width)

    def reach(self, actual: int) -> float:
        """Return how far *actual* lies from the median, in widths of the interval as it is unstretched; 1 is its end.

        By an interval that begins at nothing, nothing is held.
        """
        x = math.log(actual + self.usual)
        low, median, high = self.bounds
        if actual == 0 and self._amount(low) <= 0:
            return min((median - x) / (median - low), 1.0)
        return abs(x - median) / (high - median if x > median else median - low)

    def stretched(self, width: float) -> Outlook:
        """Return this outlook with another *width*."""
        return replace(self, width=width)

    def _amount(self, x: float) -> float:
        return math.exp(min(x, _EXPONENT_MAX)) - self.usual


def outlook(history: History, days: int, policy: OutlookPolicy) -> Outlook | None:
    """Return what *history* says of the *days* after it (≥ 1); None when it is too short or nothing was ever spent."""
    if len(history.spent) < policy.days_min or not any(history.spent):
        return None
    fits = [_fit(history, days, speed, policy) for speed in range(len(policy.level.half_lives_days))]
    views = tuple(_views(history, days, fits, policy))
    low, high = min(view.ends()[0] for view in views), max(view.ends()[1] for view in views)
    shares = ((1 - SHARE) / 2, 0.5, (1 + SHARE) / 2)
    bounds = Bounds(*(where(lambda x: _below(views, x), share, low, high) for share in shares))
    return Outlook(history.standings[-1].usual, views, bounds)


def _below(views: Sequence[View], x: float) -> float:
    return sum(view.belief * view.below(x) for view in views)


def _views(history: History, days: int, fits: Sequence[_Fit], policy: OutlookPolicy) -> Iterator[View]:
    """Yield what each half-life says; that of n independent forecasts with spread s is believed as s to the minus n.

    That is the likelihood of normal errors, at the spread that fits them best. What has just changed no forecast of so
    many days has met yet: so each is also believed as far as the last week is likely where the level is as it says.
    """
    usual = history.standings[-1].usual
    likely = [_likely(history, speed, of.day) - of.independent * math.log(of.spread) for speed, of in enumerate(fits)]
    beliefs = [math.exp(one - max(likely)) for one in likely]
    beliefs = [belief if belief > _BELIEF_MIN else 0.0 for belief in beliefs]
    for speed, (fit, belief) in enumerate(zip(fits, beliefs, strict=True)):
        if not belief:
            continue
        yield View(
            belief=belief / sum(beliefs),
            expected=math.log(history.expected(len(history.spent) - 1, days, speed) + usual),
            centre=fit.centre,
            spread=fit.spread,
            freedom=max(int(policy.prior_forecasts + fit.independent), 1),
            past=_quantiles(sorted(fit.past), policy.points_max),
            blur=fit.spread / math.sqrt(max(fit.independent, 1.0)),
            trust=fit.independent / (fit.independent + policy.prior_forecasts),
        )


class _Fit(NamedTuple):
    """How wrong the forecast by one half-life would have been, and is held to be.

    Attributes:
        past: the error of each forecast made again.
        independent: as how many they count; those that overlap tell of the same days.
        centre, spread: of the next error.
        day: squared coefficient of variation of a day.
    """

    past: list[float]
    independent: float
    centre: float
    spread: float
    day: float


def _fit(history: History, days: int, speed: int, policy: OutlookPolicy) -> _Fit:
    """Return the past errors by one half-life, and centre and spread of the next.

    The posterior predictive of a normal with unknown mean and variance. Before any error the mean is -variance / 2:
    the forecast is right on average, so the median lies below it.
    """
    past = _past_errors(history, days, speed, policy)
    n = len(past) / days
    day = _day_variation(history, speed, policy)
    model = _model_variance(history, days, speed, day, policy)
    prior, before = policy.prior_forecasts, -model / 2
    mean = math.fsum(past) / len(past) if past else before
    scatter = n * math.fsum((error - mean) ** 2 for error in past) / len(past) if past else 0.0
    weight = prior + n
    centre = _blended(before, mean, prior, n)
    variance = (prior * model + scatter + prior * n / weight * (mean - before) ** 2) / weight
    # The variance of the model has that of its mean in it, so only the part of the past adds its own.
    return _Fit(past, n, centre, math.sqrt(variance * (1 + n / weight**2)), day)


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


def _day_variation(history: History, speed: int, policy: OutlookPolicy) -> float:
    """Return the squared coefficient of variation of a day, as forecasts of one day were wrong."""
    numbers = _again(history, 1, policy)
    squares = math.fsum(_relative_error(history, number, speed) ** 2 for number in numbers)
    return (squares + policy.day_prior * policy.day_variation) / (len(numbers) + policy.day_prior)


def _likely(history: History, speed: int, day: float) -> float:
    """Return the log likelihood, but for a constant, of the last week at the level of a half-life; a day varies so."""
    length, standing = len(history.spent), history.standings[-1]
    days = min(length, DAYS_PER_WEEK)
    came = history.between(length - days, length)
    error = math.log((came + standing.usual) / (standing.levels[speed] * days + standing.usual))
    return -error * error / (2 * math.log1p(day / days))


def _model_variance(history: History, days: int, speed: int, day: float, policy: OutlookPolicy) -> float:
    """Return the variance of the log error that days of their own, and a level that moves, would give.

    A day varies by a; the mean of n days by a/n, and that of the days the level rests on by a/m. The level moves by q
    a day: it is m/4 days old when it is used, and moves for n/3 more on average. a is seen in forecasts of one day, q
    in what those of one week are worse than a alone would make them.
    """
    length = len(history.spent)
    rests_on = 2 * policy.level.half_lives_days[speed] / math.log(2)
    seen = min(float(length), rests_on)
    age = rests_on / 4
    weeks = _past_errors(history, DAYS_PER_WEEK, speed, policy)
    drift = prior = policy.month_drift**2 / (age + 10)  # ten days: the mean way of a month, n/3 of thirty
    if weeks:
        square = min(math.fsum(error * error for error in weeks) / len(weeks), _SQUARED_ERROR_MAX)
        more = math.expm1(square) - day * (1 / DAYS_PER_WEEK + 1 / seen)
        n = len(weeks) / DAYS_PER_WEEK
        drift_seen = max(more, 0.0) / (age + DAYS_PER_WEEK / 3)
        drift = _blended(prior, drift_seen, policy.prior_forecasts, n)
    return math.log1p(day * (1 / days + 1 / seen) + drift * (age + days / 3))


def _blended(prior: float, seen: float, prior_weight: float, seen_weight: float) -> float:
    return (prior_weight * prior + seen_weight * seen) / (prior_weight + seen_weight)


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
