"""Adding accepted records to the totals they belong to, and noticing when one crosses a line.

The loop runs once per record, so it only looks up, adds and compares; everything rarer happens elsewhere. Folding
is in offset order, so the totals at a crossing are those of exactly the records before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from engines.core.model import Context, Effects
from engines.core.ports import Pages
from engines.core.time import HOURS_PER_DAY, US_PER_HOUR, month_of
from engines.cost import parts, spikes, windows
from engines.cost.book import Book
from engines.cost.decode import CostEvent
from engines.cost.detector import CostAnomalyDetector
from engines.cost.lines import entity_values, snapshot_message
from engines.cost.pages import ENTITY_TYPES, HourPage, MonthPage, day_key, hour_key
from engines.cost.prices import PriceBook, Unpriced
from engines.cost.restate import restate
from engines.cost.rules import NEVER
from engines.cost.settings import FeatureTags
from engines.cost.totals import RETRY_ONE, UNPRICED_ONE, Total, line, of_record

OTHER: Final = "~other"
"""Where the spend of entities goes that a tenant's day has no room for."""
CAPPED: Final = "capped"
"""Counts the names that did."""

_NEVER: Final = line(NEVER)
_Names = tuple[str, str | None, str | None, str]


@dataclass(frozen=True, slots=True)
class FoldLimits:
    """What the domain may be told.

    Attributes:
        entities_max: entities of a tenant's day beyond which new ones fall into ``~other``.
        publish_snapshots: publish complete snapshots, and so those that a restatement corrects.
        forecasts: tell at each close what the months of budgets will have cost.
    """

    entities_max: int = 20_000
    publish_snapshots: bool = False
    forecasts: bool = False


NO_LIMITS: Final = FoldLimits()


class Folder:
    """Folds the records of one tenant's stretch of log."""

    def __init__(
        self, book: Book, prices: PriceBook, detector: CostAnomalyDetector, effects: Effects, limits: FoldLimits
    ) -> None:
        self._book = book
        self._prices = prices
        self._detector = detector
        self._effects = effects
        self._limits = limits
        self._slots: dict[int, _Slot] = {}

    def fold(self, events: Sequence[CostEvent]) -> None:
        """Fold *events*, in offset order."""
        book, slots, closed = self._book, self._slots, self._book.closed
        tags = book.settings.feature_tags(book.tenant_id)
        most = 3 * len(events)
        for event in events:
            hour = event.occurred_at // US_PER_HOUR
            slot = slots.get(hour)
            if slot is None:
                slot = slots[hour] = _Slot(book, hour, most, self._limits.entities_max)
            names = (book.tenant_id, event.user_id, event.feature_tag, event.model)
            if tags is not None:
                names = _tagged(names, tags, event.occurred_at)
            if slot.crowded:
                names = self._admitted(slot, names)
            record = _total_of(event, self._prices, self._effects)
            if slot.day <= closed:
                self._restate(event.occurred_at, names, record)
            elif slot.add(names, event.occurred_at, record):
                self._detector.grown(book, slot.day, slot.watched(names), self._effects)
            if slot.month is not None and _add_to_month(slot.month, names, event.occurred_at, record):
                self._judge_month(slot)

    def _restate(self, occurred_at: int, names: _Names, record: Total) -> None:
        named = [(kind, name) for kind, name in zip(ENTITY_TYPES, names, strict=True) if name is not None]
        restate(self._book, occurred_at, named, record, self._detector, self._effects)
        if self._limits.publish_snapshots:
            hour = occurred_at // US_PER_HOUR
            for key in (hour_key(self._book.tenant_id, hour), day_key(self._book.tenant_id, hour // HOURS_PER_DAY)):
                page = self._book.pages.get(key)
                if isinstance(page, HourPage):
                    rows = [entity_values(key, page, entity, 0) for entity in named]
                    self._effects.outgoing += [snapshot_message(values, self._book.closed) for values in rows]

    def _judge_month(self, slot: _Slot) -> None:
        """Judge a month whose budget reached a line; a closed one waits for the next close."""
        if month_of(self._book.closed + 1) <= month_of(slot.day):
            self._detector.judge_month(self._book, month_of(slot.day), self._effects)

    def _admitted(self, slot: _Slot, names: _Names) -> _Names:
        """Return *names*, those that the day has no room for replaced."""
        admitted: list[str | None] = []
        for kind, name in zip(ENTITY_TYPES, names, strict=True):
            full = slot.page.entities >= self._limits.entities_max
            known = name is None or kind == "tenant" or name in slot.page.totals[kind]
            if full and not known and name != OTHER:
                self._effects.count(CAPPED)
                name = OTHER  # noqa: PLW2901
            admitted.append(name)
        tenant_id, user_id, feature_tag, model = admitted
        return (tenant_id or "", user_id, feature_tag, model or "")


class _Slot:
    """One tenant in one hour and its day, found once per stretch.

    Attributes:
        crowded: the day may run out of room for new entities on the way.
        tables: of an open day, per entity type in the order of ``ENTITY_TYPES``: totals of the hour, totals of the day,
            lines.
        month: its month, when a budget asks for it.
    """

    __slots__ = ("_book", "_hour", "crowded", "day", "month", "page", "tables")

    def __init__(self, book: Book, hour: int, most: int, entities_max: int) -> None:
        self.day = hour // HOURS_PER_DAY
        self._book = book
        self._hour = book.hour_page(hour)
        self.month = _month_page(book, self.day)
        self.page = book.closed_page(self.day) if self.day <= book.closed else book.open_page(self.day)
        if self.day > book.closed and self.page.armed is not book.settings.mark:
            _arm(book, self.day)
        self.tables = tuple(
            (self._hour.totals[kind], self.page.totals[kind], self.page.watch[kind]) for kind in ENTITY_TYPES
        )
        self.crowded = self.page.entities + most > entities_max

    def add(self, names: _Names, occurred_at: int, record: Total) -> bool:
        """Add a *record* to the totals it belongs to; return whether it may tell something new of its day or later."""
        page = self.page
        page.newest_us = max(page.newest_us, occurred_at)
        crossed = False
        for (of_hour, of_day, watch), name in zip(self.tables, names):  # noqa: B905 four and four, once per record
            if name is not None:
                of_hour[name] = of_hour.get(name, 0) + record
                total = of_day[name] = of_day.get(name, 0) + record
                if watch and total >= watch.get(name, _NEVER):
                    crossed = True
        if (page.leaves or self._hour.leaves) and names[1] is not None:
            parts.mark(page, "user", names[1])
            parts.mark(self._hour, "user", names[1])
        return crossed or self.day < self._book.last_open

    def watched(self, names: _Names) -> list[tuple[str, str]]:
        """Return the (type, id) of *names* to judge: all when a later day is open, else those at a line they watch."""
        late = self.day < self._book.last_open
        return [
            (kind, name)
            for kind, (_, of_day, watch), name in zip(ENTITY_TYPES, self.tables, names, strict=True)
            if name is not None and (late or of_day.get(name, 0) >= watch.get(name, _NEVER))
        ]


def fold(
    pages: Pages,
    events: Mapping[str, Sequence[CostEvent]],
    prices: PriceBook,
    detector: CostAnomalyDetector,
    context: Context,
    limits: FoldLimits = NO_LIMITS,
) -> Effects:
    """Fold *events*, accepted, by tenant and in offset order, into *pages*; return what became news on the way."""
    effects = Effects()
    for tenant_id, of_tenant in events.items():
        Folder(Book(pages, tenant_id, context), prices, detector, effects, limits).fold(of_tenant)
    return effects


def _arm(book: Book, day: int) -> None:
    opened = spikes.open_day(book, day)
    if opened is not None:
        windows.arm_day(opened)


def _month_page(book: Book, day: int) -> MonthPage | None:
    if not book.settings.has_budgets(book.tenant_id):
        return None
    month = month_of(day)
    page = windows.ensure_month(book, month)
    if page is not None:
        book.touch_month(month)
        if page.armed is not book.settings.mark:
            windows.arm_month(book, month, page)
    return page


def _add_to_month(page: MonthPage, names: _Names, occurred_at: int, record: Total) -> bool:
    """Add a *record* to the totals that are kept of its month; return whether one has reached its line."""
    page.newest_us = max(page.newest_us, occurred_at)
    crossed = False
    for kind, name in zip(ENTITY_TYPES, names, strict=True):
        if name is not None and name in page.totals[kind]:
            total = page.totals[kind][name] = page.totals[kind][name] + record
            crossed = crossed or total >= page.watch[kind].get(name, _NEVER)
    return crossed


def _tagged(names: _Names, tags: FeatureTags, occurred_at: int) -> _Names:
    """Return *names* with the feature tag as the tenant's settings take it."""
    tenant_id, user_id, tag, model = names
    return (tenant_id, user_id, None if tag is None else tags.taken(tag, occurred_at), model)


def _total_of(event: CostEvent, prices: PriceBook, effects: Effects) -> Total:
    """Return what *event* adds to each total it belongs to, priced if it does not say what it cost."""
    price = event.cost_nanousd
    rare = event.cached_input_tokens + RETRY_ONE if event.is_retry else event.cached_input_tokens
    if price is None:
        found = prices.price_of(event)
        if isinstance(found, Unpriced):
            effects.count(f"unpriced.{found.reason}")
            price = 0
            rare += UNPRICED_ONE
        else:
            price = found
    return of_record(price, event.input_tokens, event.output_tokens) + rare
