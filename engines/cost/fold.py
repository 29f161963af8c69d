"""Adding accepted records to the totals they belong to, and noticing when one crosses a line.

The loop runs once per record, so it only looks up, adds and compares; everything rarer happens elsewhere. Folding
is in offset order, so the totals at a crossing are those of exactly the records before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from engines.core.model import Effects
from engines.core.ports import Pages
from engines.core.time import HOURS_PER_DAY, US_PER_HOUR
from engines.cost.decode import CostEvent
from engines.cost.detector import CostAnomalyDetector
from engines.cost.history import open_day
from engines.cost.pages import ENTITY_TYPES, DayPage, HourPage, day_key, hour_key
from engines.cost.prices import PriceBook, Unpriced
from engines.cost.rules import NEVER
from engines.cost.totals import RETRY_ONE, UNPRICED_ONE, Total, line, of_record

_NEVER: Final = line(NEVER)


class _Slot:
    """One tenant in one hour and its day, found once per segment.

    Attributes:
        tables: per entity type, in the order of ``ENTITY_TYPES``: totals of the hour, totals of the day, lines.
    """

    __slots__ = ("day", "page", "tables")

    def __init__(self, pages: Pages, detector: CostAnomalyDetector, tenant_id: str, hour: int) -> None:
        self.day = hour // HOURS_PER_DAY
        of_hour = _hour_page(pages, tenant_id, hour)
        self.page = _day_page(pages, detector, tenant_id, self.day)
        self.tables = tuple(
            (of_hour.totals[kind], self.page.totals[kind], self.page.watch[kind]) for kind in ENTITY_TYPES
        )


def _hour_page(pages: Pages, tenant_id: str, hour: int) -> HourPage:
    key = hour_key(tenant_id, hour)
    body = pages.get(key)
    if isinstance(body, HourPage):
        pages.touch(key)
        return body
    page = HourPage()
    pages.put(key, page)
    return page


def _day_page(pages: Pages, detector: CostAnomalyDetector, tenant_id: str, day: int) -> DayPage:
    key = day_key(tenant_id, day)
    body = pages.get(key)
    if isinstance(body, DayPage):
        pages.touch(key)
        return body
    page = open_day(pages, tenant_id, day)
    page.watch_all(detector.rules.profile)
    pages.put(key, page)
    return page


def fold(
    pages: Pages, events: Mapping[str, Sequence[CostEvent]], prices: PriceBook, detector: CostAnomalyDetector
) -> Effects:
    """Fold *events*, accepted, by tenant and in offset order, into *pages*; return what became news on the way."""
    effects = Effects()
    for tenant_id, of_tenant in events.items():
        slots: dict[int, _Slot] = {}
        for event in of_tenant:
            hour = event.occurred_at // US_PER_HOUR
            slot = slots.get(hour)
            if slot is None:
                slot = slots[hour] = _Slot(pages, detector, tenant_id, hour)
            names = (tenant_id, event.user_id, event.feature_tag, event.model)
            if _add(slot, names, event.occurred_at, _total_of(event, prices, effects)):
                detector.crossed(pages, tenant_id, slot.day, _watched(slot, names), effects)
    return effects


def _add(slot: _Slot, names: Sequence[str | None], occurred_at: int, record: Total) -> bool:
    """Add a *record* to the totals it belongs to; return whether a total of the day has reached its line."""
    slot.page.newest_us = max(slot.page.newest_us, occurred_at)
    crossed = False
    for (of_hour, of_day, watch), name in zip(slot.tables, names):  # noqa: B905 four and four, once per record
        if name is not None:
            of_hour[name] = of_hour.get(name, 0) + record
            total = of_day[name] = of_day.get(name, 0) + record
            if watch and total >= watch.get(name, _NEVER):
                crossed = True
    return crossed


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


def _watched(slot: _Slot, names: Sequence[str | None]) -> list[tuple[str, str]]:
    """Return the (type, id) of the entities in *names* whose total has reached the line it watches."""
    return [
        (kind, name)
        for kind, (_, of_day, watch), name in zip(ENTITY_TYPES, slot.tables, names, strict=True)
        if name is not None and of_day.get(name, 0) >= watch.get(name, _NEVER)
    ]
