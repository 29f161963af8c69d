"""What the months of budgets will have cost, told at the close of each day (docs/predictions.md).

One invariant: a line is made of the spend of closed days and of settings alone; its floats leave rounded far above what
two machines may differ by, and money leaves as integers.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import msgspec

from engines.core.ids import hashed_id
from engines.core.model import Effects, Outgoing, TableRow
from engines.core.money import NANOUSD_PER_CENT, divide_half_even
from engines.core.tables import SPEND_FORECASTS
from engines.core.time import US_PER_DAY, format_day, month_days, month_of, parse_instant
from engines.cost.anomalies import SOURCE
from engines.cost.book import Book
from engines.cost.finding import MONTHLY
from engines.cost.series import follow, scopes
from engines.cost.totals import requests
from engines.cost.windows import Entity
from engines.prediction.history import History, read
from engines.prediction.outlook import Outlook, OutlookPolicy, outlook
from engines.prediction.reference import NOTE

PREDICTIONS_TOPIC: Final = "predictions"
MONTH_END_SPEND: Final = "month_end_spend"
_POLICY: Final = OutlookPolicy()
_DIGITS: Final = 6
"""Significant digits of a forecast amount: what it rests on has fewer, and logarithms may differ in the fifteenth."""
_REST_MAX: Final = 10**18
"""A billion dollars: no forecast of a young series goes beyond 64 bits."""

_encode = msgspec.json.Encoder(order="sorted").encode
Line = dict[str, object]


def tell(book: Book, day: int, restated: Collection[int], effects: Effects) -> None:
    """Tell at the close of *day* what the months of the tenant's budgets will have cost.

    Nothing is told on the last day of a month, and of a scope whose history is too short.

    Args:
        restated: closed days that were corrected since the close before.
    """
    page = follow(book, day, restated)
    if page is None or day + 1 == month_days(month_of(day)).stop:
        return
    revision = _revision(book, day)
    for scope, budget in sorted(scopes(book, day).items()):
        limit = budget.limit_cents(MONTHLY) * NANOUSD_PER_CENT
        line = _line(book.tenant_id, scope, day, page.spent[scope], limit)
        if line is not None:
            _tell(line | {"revision": revision}, effects)


def prediction_id(tenant_id: str, scope: Entity, as_of_day: int) -> str:
    """Return the id of the forecast of *scope* that is made at the start of a UTC day."""
    return hashed_id("pr_", tenant_id, MONTH_END_SPEND, *scope, format_day(as_of_day))


def _revision(book: Book, day: int) -> int:
    """Return the revision: as of a monthly budget (CONTRACT §5), of the days of the month up to *day*."""
    month = month_days(month_of(day))
    records = sum(requests(book.total(number)) for number in range(month.start, day + 1))
    return 2 * (records + book.settings.count(book.tenant_id, month.stop)) + 1


def _line(tenant_id: str, scope: Entity, day: int, spent: Sequence[int], limit: int) -> Line | None:
    """Return the line without its revision; None when the history is too short."""
    month = month_days(month_of(day))
    history = read(day + 1 - len(spent), spent, _POLICY.level)
    told = outlook(history, month.stop - 1 - day, _POLICY)
    if told is None:
        return None
    exceeds, value = _value(told, sum(spent[month.start - day - 1 :]), limit)
    return {
        "prediction_id": prediction_id(tenant_id, scope, day + 1),
        "tenant_id": tenant_id,
        "prediction_type": MONTH_END_SPEND,
        "subject_type": scope[0],
        "subject_id": scope[1],
        "confidence_score": exceeds,
        "prediction_value": value | {"month": format_day(day)[: len("YYYY-MM")]},
        "contributing_factors": _factors(history, month, day, sum(spent[month.start - day - 1 :])),
        "as_of": format_day(day + 1),
        "expires_at": format_day(day + 2),
        "is_advisory": True,
        "notes": NOTE,
        "status": "active",
    }


def _value(told: Outlook, spent: int, limit: int) -> tuple[float, Line]:
    """Return the probability that the month reaches *limit*, and what is predicted of it."""
    exceeds = 1.0 if spent >= limit else round(min(max(told.exceeds(limit - spent), 0.0), 1.0), 3)
    low, median, high = (spent + _amount(rest) for rest in told.interval())
    return exceeds, {
        "predicted_outcome": MONTH_END_SPEND,
        "spent_nanousd": spent,
        "low_nanousd": low,
        "median_nanousd": median,
        "high_nanousd": high,
        "limit_nanousd": limit,
        "exceeds_probability": exceeds,
    }


def _factors(history: History, month: range, day: int, spent: int) -> list[Line]:
    run_rate = spent * len(month) // (day + 1 - month.start)
    return [
        {"factor": "history_days", "count": len(history.spent)},
        {"factor": "days_left", "count": month.stop - 1 - day},
        {"factor": "run_rate", "value": run_rate // NANOUSD_PER_CENT},
    ]


def _amount(nanousd: float) -> int:
    """Return an amount of money that is 0 or more, rounded to so many significant digits, at most a billion dollars."""
    digits, _, exponent = f"{min(nanousd, _REST_MAX):.{_DIGITS - 1}e}".partition("e")
    number, power = int(digits.replace(".", "")), int(exponent) - _DIGITS + 1
    return number * int(10**power) if power >= 0 else divide_half_even(number, int(10**-power))


def _tell(line: Line, effects: Effects) -> None:
    identifier = str(line["prediction_id"])
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", f"{identifier}:{line['revision']}".encode()),
        ("ce_source", SOURCE.encode()),
        ("ce_type", b"prediction"),
        ("ce_time", str(line["as_of"]).encode()),
        ("content-type", b"application/json"),
    ]
    route = str(line["tenant_id"]).encode()
    effects.rows.append(_row(line))
    effects.outgoing.append(Outgoing(PREDICTIONS_TOPIC, identifier.encode(), _encode(line), headers, route))
    effects.count(f"predictions.{MONTH_END_SPEND}")


def _row(line: Line) -> TableRow:
    as_of_us, sealed = parse_instant(str(line["as_of"])), _encode(line).decode()
    own: Line = {"as_of": as_of_us, "expires_at": as_of_us + US_PER_DAY, "line": sealed}
    return TableRow(SPEND_FORECASTS.name, tuple({**line, **own}[column.name] for column in SPEND_FORECASTS.columns))
