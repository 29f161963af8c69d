"""Which pages folding, closing and judging read. The ledger says which days exist, so absent ones are not asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from engines.core.model import PageKey
from engines.core.time import HOURS_PER_DAY, month_days, month_of
from engines.cost import series, windows
from engines.cost.book import DRIFT_BASELINE, SNAPSHOT_WINDOW, SPIKE_WINDOW, Book
from engines.cost.detector import restated_days
from engines.cost.drift import drift_of
from engines.cost.pages import base_key, day_key, hour_key, month_key


def of_records(book: Book, hours: Iterable[int]) -> Iterator[PageKey]:
    """Yield what folding records of *hours* reads."""
    days: set[int] = set()
    for hour in hours:
        days.add(hour // HOURS_PER_DAY)
        yield hour_key(book.tenant_id, hour)
    yield from of_open(book)
    for day in days:
        if day <= book.closed:
            yield from _days(book, range(day - len(SNAPSHOT_WINDOW), day + 1))
        elif day not in book.ledger.open:
            yield from _days(book, (day - back for back in SPIKE_WINDOW))
            yield from _open_day(book, day)
    yield from _months(book, {month_of(day) for day in days})


def of_open(book: Book) -> Iterator[PageKey]:
    """Yield what judging the open days of a tenant reads."""
    for day in book.ledger.open:
        yield day_key(book.tenant_id, day)
        yield base_key(book.tenant_id, day)
        yield from _open_day(book, day)


def of_open_windows(book: Book) -> Iterator[PageKey]:
    """Yield what judging the open days and months of a tenant reads."""
    yield from of_open(book)
    yield from _months(book, book.open_months())


def of_close(book: Book, day: int, *, hours: bool, forecasts: bool) -> Iterator[PageKey]:
    """Yield what the close of *day* reads; *hours* too where snapshots are published, and series for *forecasts*."""
    ledger, again = book.ledger, restated_days(book, day)
    if day in ledger.open:
        yield day_key(book.tenant_id, day)
        yield base_key(book.tenant_id, day)
        yield from _days(book, (day - back for back in SNAPSHOT_WINDOW))
        yield from _days(book, (after for after in ledger.open if after > day))  # runs of breach days that go on there
        if hours:
            yield from (hour_key(book.tenant_id, day * HOURS_PER_DAY + hour) for hour in range(HOURS_PER_DAY))
    for number in again:
        yield from _days(book, range(number - SPIKE_WINDOW[-1], day + 1))
    if again:
        yield from of_open_windows(book)
    for number in (*again, day):
        if number in ledger.published or drift_of(book, number).breaches:
            yield from _days(book, range(number - DRIFT_BASELINE[-1], number + 1))
    months = {month_of(number) for number in again}
    if day == month_days(month_of(day)).stop - 1:
        months.add(month_of(day))
    yield from _months(book, months)
    if forecasts:
        yield from series.reads(book, day)


def _open_day(book: Book, day: int) -> Iterator[PageKey]:
    """Yield what judging an open *day* reads of others: the day before, and the days its drift is made of."""
    yield from _days(book, (day - 1,))
    if day in book.ledger.published or _may_drift(book, day):
        yield from _days(book, range(day - DRIFT_BASELINE[-1], day))


def _may_drift(book: Book, day: int) -> bool:
    """Whether enough days in a row may drift by *day*: of open days it is not known yet."""
    start = book.ledger.drift.get(book.closed)
    length = 0 if start is None else book.closed - start + 1
    required = book.settings.rules(book.tenant_id, day + 1).profile.drift_days_required
    return length + day - book.closed >= required


def _months(book: Book, months: Iterable[int]) -> Iterator[PageKey]:
    if not book.settings.has_budgets(book.tenant_id):
        return
    for month in months:
        key = month_key(book.tenant_id, month)
        yield key
        if book.pages.known(key) and windows.untracked(book, month):
            yield from _days(book, month_days(month))


def _days(book: Book, days: Iterable[int]) -> Iterator[PageKey]:
    return (day_key(book.tenant_id, day) for day in book.held(days))
