"""The daily spend of the scopes of monthly budgets, kept up to the last closed day: what forecasts are made of.

One invariant: every number is that of a closed day's totals, and how a series goes on is a function of the tenant's own
days. So neither the order of records, nor what else is in a partition, shows in it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from engines.core.model import PageKey
from engines.core.time import month_of
from engines.cost.book import SNAPSHOT_WINDOW, Book
from engines.cost.finding import MONTHLY
from engines.cost.pages import SeriesPage, day_key, series_key
from engines.cost.settings import Budget
from engines.cost.totals import cost
from engines.cost.windows import Entity, monthly_budgets

DAYS_MAX: Final = 366
"""Days that a series holds: a year, whatever its length; what is longer ago says little (docs/predictions.md)."""
READ_DAYS: Final = 35
"""Days that a series begins with, or reads again after a gap: so far back records may still come (CONTRACT §2)."""
SCOPES_MAX: Final = 50
"""Budgets of a tenant that are forecast: more at one close would hold its partition up for seconds."""

_TENANT: Final = "tenant"


def scopes(book: Book, day: int) -> Mapping[Entity, Budget]:
    """Return the monthly budgets of *day*: of too many the tenant's own one and those of the greatest limits."""
    limited = monthly_budgets(book, month_of(day))
    if len(limited) <= SCOPES_MAX:
        return limited

    def place(scope: Entity) -> tuple[bool, int, Entity]:
        return scope[0] != _TENANT, -limited[scope].limit_cents(MONTHLY), scope

    return {scope: limited[scope] for scope in sorted(limited, key=place)[:SCOPES_MAX]}


def reads(book: Book, day: int) -> Iterator[PageKey]:
    """Yield what ``follow`` reads at the close of *day*: of a tenant that is silent, or has no budget, nothing."""
    restated = book.ledger.restated
    if not _concerned(book, day, restated):
        return
    key = series_key(book.tenant_id)
    yield key
    if not book.pages.known(key):
        return
    page = _page(book) or SeriesPage()
    days: set[int] = set()
    for scope in scopes(book, day):
        if scope[0] != _TENANT:  # the tenant's own totals are in its ledger
            days |= _plan(book, page, scope, day, restated)[1]
    yield from (day_key(book.tenant_id, number) for number in book.held(days))


def follow(book: Book, day: int, restated: Collection[int]) -> SeriesPage | None:
    """Bring the tenant's series up to *day*, which closes, and return them; None when there is nothing to tell of it.

    Args:
        restated: closed days that were corrected since the close before.
    """
    if not _concerned(book, day, restated):
        return None
    found, limited = _page(book), scopes(book, day)
    page = found or SeriesPage()
    spent: dict[Entity, list[int]] = {}
    for scope in sorted(limited):
        days, fresh = _plan(book, page, scope, day, restated)
        if days:
            spent[scope] = _spent(book, scope, days, fresh, page)
    if not spent and not page.spent:
        return None
    page.spent = spent
    awake = _awake(book, day)
    page.through = day if awake else page.through
    if found is None:
        book.pages.put(series_key(book.tenant_id), page)
    else:
        book.pages.touch(series_key(book.tenant_id))
    return page if awake else None


def _page(book: Book) -> SeriesPage | None:
    page = book.pages.get(series_key(book.tenant_id))
    return page if isinstance(page, SeriesPage) else None


def _concerned(book: Book, day: int, restated: Collection[int]) -> bool:
    return book.settings.has_budgets(book.tenant_id) and (bool(restated) or _awake(book, day))


def _awake(book: Book, day: int) -> bool:
    """Whether *day* closes because of the tenant: longer silences are visited only when others in its partition spend.

    A series stands still then, and goes on over the gap with the tenant's next record.
    """
    return bool(book.held((day, *(day - back for back in SNAPSHOT_WINDOW))))


def _plan(
    book: Book, page: SeriesPage, scope: Entity, day: int, restated: Collection[int]
) -> tuple[Sequence[int], set[int]]:
    """Return the days that the series of *scope* is to hold at the close of *day*, and which of them are to be read."""
    through, length = page.through, len(page.spent.get(scope, ()))
    if not _awake(book, day):
        days = range(through + 1 - length, through + 1)
        return days, _in(days, restated)
    again = range(max(day + 1 - READ_DAYS, 0), day + 1)
    if not length or through + 1 < again.start:
        return again, set(again)
    days = range(max(through + 1 - length, day + 1 - DAYS_MAX), day + 1)
    # A gap is a silence, or forecasts were turned off meanwhile: then days before it may have been corrected, too.
    new: Iterable[int] = (day,) if through == day - 1 else again
    return days, _in(days, (*restated, *new))


def _spent(book: Book, scope: Entity, days: Sequence[int], fresh: Collection[int], page: SeriesPage) -> list[int]:
    known = page.spent.get(scope, [])
    before = page.through + 1 - len(known)
    return [_read(book, scope, number) if number in fresh else known[number - before] for number in days]


def _read(book: Book, scope: Entity, day: int) -> int:
    kind, name = scope
    if kind == _TENANT:
        return cost(book.total(day))
    page = book.day(day)
    return 0 if page is None else cost(page.totals[kind].get(name, 0))


def _in(days: Sequence[int], numbers: Iterable[int]) -> set[int]:
    return {number for number in numbers if number in days}
