"""Records of closed days: they correct totals, and open windows see that at once.

The judgement of their own day waits for the next close (CONTRACT §2).
"""

from __future__ import annotations

from collections.abc import Sequence

from engines.core.model import Effects
from engines.core.time import HOURS_PER_DAY, US_PER_HOUR, month_of
from engines.cost import parts
from engines.cost.book import SNAPSHOT_WINDOW, SPIKE_WINDOW, Book
from engines.cost.detector import CostAnomalyDetector
from engines.cost.pages import JUDGED_TYPES, DayPage, HourPage, base_key
from engines.cost.totals import Total, cost, is_active

Named = Sequence[tuple[str, str]]
"""(entity type, entity id) of what a record belongs to."""


def restate(
    book: Book, occurred_at: int, named: Named, record: Total, detector: CostAnomalyDetector, effects: Effects
) -> None:
    """Add a *record* to the totals of its closed hour and day, and judge the open days that read that day."""
    hour = occurred_at // US_PER_HOUR
    day = hour // HOURS_PER_DAY
    _correct(book.hour_page(hour), named, record)
    page = book.closed_page(day)
    for entity in named:
        _bear(book, page, day, entity)
    was_active = {entity: is_active(page.totals[entity[0]].get(entity[1], 0)) for entity in named}
    _correct(page, named, record)
    page.newest_us = max(page.newest_us, occurred_at)
    book.fix(day, page.totals["tenant"][book.tenant_id])
    book.ledger.restated.add(day)
    book.keep()
    for entity in named:
        _patch(book, day, entity, page.totals[entity[0]][entity[1]], record, was_active=was_active[entity])
    detector.touched(book, day, named, effects)


def closed_month(book: Book, day: int) -> bool:
    """Whether the month of *day* is closed: its last day is."""
    return month_of(book.closed + 1) > month_of(day)


def _correct(page: HourPage, named: Named, record: Total) -> None:
    for kind, name in named:
        page.totals[kind][name] = page.totals[kind].get(name, 0) + record
        page.restated[kind].add(name)
        parts.mark(page, kind, name)


def _bear(book: Book, page: DayPage, day: int, entity: tuple[str, str]) -> None:
    """Fix the snapshot baseline of a row born after the close of its day."""
    kind, name = entity
    if page.baselines is None or name in page.totals[kind]:
        return
    earlier = [book.day(day - back) for back in SNAPSHOT_WINDOW]
    totals = [total for each in earlier if each is not None and is_active(total := each.totals[kind].get(name, 0))]
    if totals:
        page.baselines.setdefault(kind, {})[name] = (sum(map(cost, totals)), len(totals))


def _patch(book: Book, day: int, entity: tuple[str, str], total: Total, record: Total, *, was_active: bool) -> None:
    """Let the spike baselines of open days see that an entity's *total* of *day* grew by *record*."""
    kind, name = entity
    if kind not in JUDGED_TYPES or not is_active(total):
        return
    for number in book.ledger.open:
        base = book.base(number)
        if base is None or number - day not in SPIKE_WINDOW:
            continue
        money, days = base.sums.setdefault(kind, {}).get(name, (0, 0))
        if opened := book.day(number):
            opened.costs_before = None
        base.sums[kind][name] = (money + record, days) if was_active else (money + total, days + 1)
        book.pages.touch(base_key(book.tenant_id, number))
