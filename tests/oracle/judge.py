"""What stands in a window of one tenant: every rule asked about every entity (CONTRACT §2, §6)."""

from collections.abc import Mapping

from tests.oracle import budgets, daylevel, drift, spikes
from tests.oracle.findings import BUDGET, DRIFT, SPIKE, UNPRICED, Finding, Key, Window, day_window, month_of
from tests.oracle.totals import Book, Entity

Told = Mapping[Key, Finding]


def open_windows(book: Book) -> list[Window]:
    """Return what is judged while open: the days and months that are not closed and hold a record."""
    months = dict.fromkeys(month_of(day) for day in sorted(book.of(book.tenant)))
    return [*map(day_window, book.open_days()), *(month for month in months if not book.closed(month.last))]


def fix_flags(book: Book, day: int) -> None:
    """Give a day that closes, or is judged again, its breach flags by the totals as they stand."""
    book.flags = {flag for flag in book.flags if flag[2] != day}
    entities = [entity for entity in book.on(day) if entity[0] in spikes.ENTITY_TYPES]
    book.flags |= {(SPIKE, entity, day) for entity in entities if spikes.breached(book, entity, day)}
    if drift.drifting(book, day):
        book.flags.add((DRIFT, book.tenant, day))


def findings(book: Book, window: Window, told: Told, *, closing: bool) -> list[Finding]:
    """Return what holds in the window, and what was told of it and holds no more.

    Args:
        told: what was last told, without what was withdrawn since.
        closing: at the window's close and after it everything is judged, before it what may be told early.
    """
    if window.period == "monthly":
        return _budgets(book, window, told)
    found = [*_of_day(book, window.first, told), *_budgets(book, Window(*window[:2], "daily"), told)]
    if closing:
        found += _at_close(book, window.first, told)
    return found


def _of_day(book: Book, day: int, told: Told) -> list[Finding]:
    window = day_window(day)
    found = [
        spikes.judge(book, entity, day, told=Key(SPIKE, entity, window) in told)
        for entity in book.on(day)
        if entity[0] in spikes.ENTITY_TYPES
    ]
    found.append(drift.judge(book, day, told=Key(DRIFT, book.tenant, window) in told))
    return [finding for finding in found if finding is not None]


def _at_close(book: Book, day: int, told: Told) -> list[Finding]:
    window = day_window(day)
    found = [
        daylevel.judge(book, entity, day, told=Key(daylevel.kind_of(entity), entity, window) in told)
        for entity in book.on(day)
    ]
    found.append(daylevel.unpriced(book, day, told=Key(UNPRICED, book.tenant, window) in told))
    return [finding for finding in found if finding is not None]


def _budgets(book: Book, window: Window, told: Told) -> list[Finding]:
    removed: list[Entity] = [key.entity for key in told if key.kind == BUDGET and key.window == window]
    entities = dict.fromkeys([*budgets.scopes(book, window), *removed])
    found = [budgets.judge(book, entity, window, told.get(Key(BUDGET, entity, window))) for entity in entities]
    return [finding for finding in found if finding is not None]
