"""Forecasts of a month's end, made on every day of past months, and what came of them.

One invariant: months go by for all series together, and a forecast uses days before it, months that were over by
then, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from engines.core.time import month_days, month_of
from engines.prediction.history import History, read
from engines.prediction.outlook import Outlook, OutlookPolicy, outlook
from engines.prediction.widths import Widths

Series = Mapping[str, tuple[int, list[int]]]
"""Daily spend by name: the UTC day of the first number, and nano-USD by day to the end of the file."""

AWAKE_DAYS: Final = 28
"""A series that has cost nothing for so long is not forecast: that it goes on costing nothing is no news."""
_WEEK: Final = 7


@dataclass(frozen=True, slots=True)
class Case:
    """One forecast, made at the end of *day*, and what came of it; amounts in nano-USD.

    Attributes:
        outlook: what was told of the days left, with the width that was known then.
        plain: the same with no width learnt.
        days_left: of the month, 1 at least.
        month_so_far: spend by day from the first of the month to *day*.
        month_before: spend by day of the month before, None when the series had not begun by its first day.
        last_week: spend by day of the seven days to *day*.
        seen_days: how many days the series was known for.
        usual_month: what so many days as the month has cost on average until the month before; until *day*, when the
            series had not begun by then.
        actual: what the days left cost.
    """

    series: str
    day: int
    outlook: Outlook
    plain: Outlook
    days_left: int
    month_so_far: list[int]
    month_before: list[int] | None
    last_week: list[int]
    seen_days: int
    usual_month: float
    actual: int

    @property
    def spent(self) -> int:
        """What the month has cost so far."""
        return sum(self.month_so_far)


def whole_months(series: Series) -> list[int]:
    """Return the months that the files cover to their last day, from the first in which anything was spent."""
    begun = min(first + _begun(spent) for first, spent in series.values())
    last = max(first + len(spent) - 1 for first, spent in series.values())
    return [month for month in range(month_of(begun), month_of(last) + 1) if month_days(month)[-1] <= last]


def cases(series: Series, months: list[int], shown: Callable[[int, int], None]) -> dict[int, list[Case]]:
    """Return the cases of each of *months*; *shown* is told how many months of how many are done."""
    policy, widths = OutlookPolicy(), Widths()
    histories = {name: read(first, spent, policy.level) for name, (first, spent) in sorted(series.items())}
    found: dict[int, list[Case]] = {}
    for number, month in enumerate(months, 1):
        found[month] = []
        for name, history in histories.items():
            for day in month_days(month)[:-1]:
                case = _case(name, history, day, policy, widths)
                if case is not None:
                    found[month].append(case)
        for case in found[month]:
            widths.learn(case.days_left, case.seen_days, case.plain.reach(case.actual))
        shown(number, len(months))
    return found


def _case(name: str, history: History, day: int, policy: OutlookPolicy, widths: Widths) -> Case | None:
    """Return the forecast at the end of *day*; None when nothing can be told, or is asked."""
    known, days = history.until(day), month_days(month_of(day))
    days_left = days[-1] - day
    if not any(known.spent[-AWAKE_DAYS:]):
        return None
    plain = outlook(known, days_left, policy)
    if plain is None:
        return None
    length, of_month = len(known.spent), day - days[0] + 1
    width = widths.width(days_left, length)
    before = month_days(month_of(day) - 1)
    begun = length - of_month  # days known before this month
    basis = known.spent[:begun] or known.spent
    return Case(
        series=name,
        day=day,
        outlook=plain.stretched(width),
        plain=plain,
        days_left=days_left,
        month_so_far=([0] * -begun + known.spent)[-of_month:],
        month_before=known.spent[begun - len(before) : begun] if begun >= len(before) else None,
        last_week=known.spent[-_WEEK:],
        seen_days=length,
        usual_month=sum(basis) / len(basis) * len(days),
        actual=history.between(length, length + days_left),
    )


def _begun(spent: list[int]) -> int:
    return next((number for number, spend in enumerate(spent) if spend), len(spent))
