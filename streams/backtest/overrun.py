"""The backtest of month-end spend: how often intervals held what came, and how well overruns were foretold."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Final, NamedTuple

from engines.core.errors import OutlayError
from engines.core.time import format_day, month_days
from engines.prediction import scores
from engines.prediction.distributions import normal_below
from engines.prediction.outlook import SHARE
from engines.prediction.reference import predict_cost_overrun
from engines.prediction.runs import FinishedRun
from engines.prediction.scores import Bin, Told
from streams.backtest.cases import Case, Series, cases, whole_months

CALIBRATED: Final = "calibrated"
PLAIN: Final = "calibrated, widths not learnt"
RUN_RATE: Final = "run-rate"
RUN_RATE_SPREAD: Final = "run-rate, normal spread of days"
SEASONAL: Final = "seasonal naive (last month's rest)"
REFERENCE: Final = "reference rule on days"
BASE_RATE: Final = "base rate of the first months"

MONTHS_MIN: Final = 2
BUDGET_SHARES: Final = ((4, 5), (1, 1), (5, 4))
"""Budgets to be told of, in usual months: one that is mostly broken, one that is as likely as not, one mostly kept."""
_BUDGET_DAYS_MIN: Final = 28
"""So long a series must be known for its usual month to make a budget."""
_STRETCHES: Final = ((1, 7), (8, 14), (15, 21), (22, 31))
_NORMAL: Final = 1.2815515655446004
_EDGES: Final = tuple(tenth / 10 for tenth in range(11))


class Interval(NamedTuple):
    """What the days left are said to cost, nano-USD; *low* and *high* None for a way that tells a number only."""

    low: float | None
    middle: float
    high: float | None


@dataclass(frozen=True, slots=True)
class IntervalScore:
    """How one way's intervals did; *width*, *score* and *error* are means in usual months."""

    name: str
    coverage: float | None
    below: float | None
    above: float | None
    width: float | None
    score: float | None
    error: float


@dataclass(frozen=True, slots=True)
class Coverage:
    """How often the calibrated intervals of so many days left held what came."""

    days_from: int
    days_to: int
    forecasts: int
    coverage: float


@dataclass(frozen=True, slots=True)
class BudgetScore:
    """How well one way told that a budget is overrun."""

    name: str
    brier: float
    skill: float | None
    log_loss: float
    told_mean: float


@dataclass(frozen=True, slots=True)
class OverrunReport:
    """What the backtest found on the held-out months."""

    series: int
    first_months: list[str]
    held_out_months: list[str]
    forecasts: int
    share: float
    intervals: list[IntervalScore]
    coverage: list[Coverage]
    budget_cases: int
    overruns: int
    budgets: list[BudgetScore]
    reliability: list[Bin]


class Budgeted(NamedTuple):
    """A case and a budget that was not yet overrun: how much of it was left, nano-USD."""

    case: Case
    left: float

    @property
    def overrun(self) -> bool:
        """Whether it was in the end."""
        return self.case.actual > self.left


def backtest(
    series: Series, train_share: float, shown: Callable[[int, int], None], budget_nanousd: int | None = None
) -> tuple[OverrunReport, list[Case]]:
    """Return how well the month's end was told, and the held-out cases.

    Args:
        series: daily spend; a month is whole when the file goes on to its last day.
        train_share: the share of the whole months that is not scored; they only teach, base rates and widths.
        shown: told how many months of how many are done.
        budget_nanousd: a monthly budget to be told of, for every series; else ``BUDGET_SHARES`` of what is usual.

    Raises:
        OutlayError: there are too few months.
    """
    months = whole_months(series)
    if len(months) < MONTHS_MIN:
        raise OutlayError(f"{len(months)} whole months of spend: a backtest needs {MONTHS_MIN}, one to begin with")
    cut = min(max(round(len(months) * train_share), 1), len(months) - 1)
    found = cases(series, months, shown)
    first = [case for month in months[:cut] for case in found[month]]
    held_out = [case for month in months[cut:] for case in found[month]]
    if not held_out:
        raise OutlayError("nothing was spent shortly before or in the held-out months: there is nothing to tell")
    names = [format_day(month_days(month)[0])[:7] for month in months]
    asked = list(_budgeted(held_out, budget_nanousd))
    told = _told(asked, list(_budgeted(first, budget_nanousd)))
    report = OverrunReport(
        series=len(series),
        first_months=names[:cut],
        held_out_months=names[cut:],
        forecasts=len(held_out),
        share=SHARE,
        intervals=[_interval_score(name, way, held_out) for name, way in INTERVALS.items()],
        coverage=list(_coverage(held_out)),
        budget_cases=len(asked),
        overruns=sum(one.overrun for one in asked),
        budgets=_budget_scores(told),
        reliability=scores.reliability(told[CALIBRATED], _EDGES),
    )
    return report, held_out


def calibrated(case: Case) -> Interval:
    """Return the calibrated interval, as ``SHARE`` asks."""
    return Interval(*case.outlook.interval())


def plain(case: Case) -> Interval:
    """Return the same without learnt widths."""
    return Interval(*case.plain.interval())


def run_rate(case: Case) -> Interval:
    """Return the mean day of the month so far times the days left, and the spread of that many such days."""
    mean, spread = fmean(case.month_so_far), pstdev(case.month_so_far)
    middle, wide = mean * case.days_left, _NORMAL * spread * math.sqrt(case.days_left)
    return Interval(max(middle - wide, 0.0), middle, middle + wide)


def seasonal(case: Case) -> Interval:
    """Return what as many last days of the month before cost; the run-rate when there is none."""
    if case.month_before is None:
        return Interval(None, run_rate(case).middle, None)
    return Interval(None, float(sum(case.month_before[-case.days_left :])), None)


INTERVALS: Final[dict[str, Callable[[Case], Interval]]] = {
    CALIBRATED: calibrated,
    PLAIN: plain,
    RUN_RATE_SPREAD: run_rate,
    SEASONAL: seasonal,
}


def _interval_score(name: str, way: Callable[[Case], Interval], held_out: Sequence[Case]) -> IntervalScore:
    told = [(case, way(case)) for case in held_out]
    error = fmean(abs(interval.middle - case.actual) / case.usual_month for case, interval in told)
    bounds = [(c.actual, i.low, i.high, c.usual_month) for c, i in told if i.low is not None and i.high is not None]
    if not bounds:
        return IntervalScore(name, None, None, None, None, None, error)
    below = sum(actual < low for actual, low, _, _ in bounds) / len(bounds)
    above = sum(actual > high for actual, _, high, _ in bounds) / len(bounds)
    return IntervalScore(
        name=name,
        coverage=1 - below - above,
        below=below,
        above=above,
        width=fmean((high - low) / usual for _, low, high, usual in bounds),
        score=fmean(scores.interval_score(low, high, actual, SHARE) / usual for actual, low, high, usual in bounds),
        error=error,
    )


def _coverage(held_out: Sequence[Case]) -> Iterable[Coverage]:
    for first, last in _STRETCHES:
        inside = [(case, calibrated(case)) for case in held_out if first <= case.days_left <= last]
        if inside:
            held = sum((i.low or 0) <= case.actual <= (i.high or 0) for case, i in inside)
            yield Coverage(first, last, len(inside), held / len(inside))


def _budgeted(found: Iterable[Case], budget_nanousd: int | None) -> Iterable[Budgeted]:
    """Yield each case with each budget that is not overrun yet: of one that is, nothing is left to be told."""
    for case in found:
        if budget_nanousd is not None:
            budgets = [float(budget_nanousd)]
        elif case.seen_days - len(case.month_so_far) >= _BUDGET_DAYS_MIN:
            budgets = [case.usual_month * part / of for part, of in BUDGET_SHARES]
        else:
            continue
        yield from (Budgeted(case, budget - case.spent) for budget in budgets if budget >= case.spent)


def _told(asked: Sequence[Budgeted], first: Sequence[Budgeted]) -> dict[str, list[Told]]:
    """Return what each way told of each budget."""
    base = sum(one.overrun for one in first) / len(first) if first else 0.5
    tell: dict[str, Callable[[Budgeted], float]] = {
        CALIBRATED: lambda one: one.case.outlook.exceeds(one.left),
        PLAIN: lambda one: one.case.plain.exceeds(one.left),
        RUN_RATE: lambda one: float(run_rate(one.case).middle > one.left),
        RUN_RATE_SPREAD: _run_rate_exceeds,
        SEASONAL: lambda one: float(seasonal(one.case).middle > one.left),
        REFERENCE: lambda one: _reference_confidence(one.case),
        BASE_RATE: lambda _: base,
    }
    return {name: [Told(way(one), one.overrun) for one in asked] for name, way in tell.items()}


def _budget_scores(told: dict[str, list[Told]]) -> list[BudgetScore]:
    if not told[BASE_RATE]:
        return []
    reference = scores.brier(told[BASE_RATE])
    return [
        BudgetScore(
            name=name,
            brier=scores.brier(probabilities),
            skill=scores.skill(scores.brier(probabilities), reference),
            log_loss=scores.log_loss(probabilities),
            told_mean=fmean(one.probability for one in probabilities),
        )
        for name, probabilities in told.items()
    ]


def _run_rate_exceeds(one: Budgeted) -> float:
    middle = run_rate(one.case).middle
    spread = pstdev(one.case.month_so_far) * math.sqrt(one.case.days_left)
    return 1 - normal_below((one.left - middle) / spread) if spread else float(middle > one.left)


def _reference_confidence(case: Case) -> float:
    """Return what the reference's rule would say of the last seven days, each taken for a run: it knows no budget."""
    days = [FinishedRun(0, "", "completed", None, spend) for spend in reversed(case.last_week)]
    prediction = predict_cost_overrun(days)
    return 0.0 if prediction is None else prediction.confidence
