"""Adding accepted records to the totals they belong to, and noticing when one crosses a line.

The loop runs once per record, so it only looks up, adds and compares; everything rarer happens elsewhere. Folding
is in offset order, so the totals at a crossing are those of exactly the records before it.
"""

from __future__ import annotations

from collections.abc import Sequence

from engines.core.model import Effects
from engines.core.ports import Pages
from engines.core.time import HOURS_PER_DAY, US_PER_HOUR
from engines.cost.decode import CostEvent
from engines.cost.detector import CostAnomalyDetector
from engines.cost.history import open_day
from engines.cost.pages import (
    CACHED,
    COST,
    RETRIES,
    UNPRICED,
    WATCH,
    DayPage,
    HourPage,
    Total,
    day_key,
    hour_key,
    new_total,
)
from engines.cost.prices import PriceBook, Unpriced

_Pair = tuple[Total, Total]


class _Slot:
    """The totals of one tenant in one hour and its day, by entity, found once per segment."""

    __slots__ = ("_day", "_detector", "_hour", "day", "features", "models", "page", "tenant", "users")

    def __init__(self, pages: Pages, detector: CostAnomalyDetector, tenant_id: str, hour: int) -> None:
        self.day = hour // HOURS_PER_DAY
        self._detector = detector
        self._hour = _hour_page(pages, tenant_id, hour)
        self.page = self._day = _day_page(pages, tenant_id, self.day)
        self.tenant = self._pair("tenant", tenant_id)
        self.users: dict[str, _Pair] = {}
        self.features: dict[str, _Pair] = {}
        self.models: dict[str, _Pair] = {}

    def _pair(self, kind: str, entity_id: str) -> _Pair:
        hour, day = self._hour.totals[kind].get(entity_id), self._day.totals[kind].get(entity_id)
        if hour is None:
            hour = self._hour.totals[kind][entity_id] = new_total()
        if day is None:
            day = self._day.totals[kind][entity_id] = new_total()
            if kind != "model":
                self._day.watch(kind, entity_id, day, self._detector.rules.profile)
        return hour, day

    def pairs(self, event: CostEvent) -> list[_Pair]:
        """Return the totals that *event* adds to: its tenant's, model's, and user's and feature's if it names them."""
        model, user_id, feature_tag = event.model, event.user_id, event.feature_tag
        pairs = [self.tenant, self.models.get(model) or self._new(self.models, "model", model)]
        if user_id is not None:
            pairs.append(self.users.get(user_id) or self._new(self.users, "user", user_id))
        if feature_tag is not None:
            pairs.append(self.features.get(feature_tag) or self._new(self.features, "feature", feature_tag))
        return pairs

    def _new(self, known: dict[str, _Pair], kind: str, entity_id: str) -> _Pair:
        pair = known[entity_id] = self._pair(kind, entity_id)
        return pair


def _hour_page(pages: Pages, tenant_id: str, hour: int) -> HourPage:
    key = hour_key(tenant_id, hour)
    body = pages.get(key)
    if isinstance(body, HourPage):
        pages.touch(key)
        return body
    page = HourPage()
    pages.put(key, page)
    return page


def _day_page(pages: Pages, tenant_id: str, day: int) -> DayPage:
    key = day_key(tenant_id, day)
    body = pages.get(key)
    if isinstance(body, DayPage):
        pages.touch(key)
        return body
    page = open_day(pages, tenant_id, day)
    pages.put(key, page)
    return page


def fold(pages: Pages, events: Sequence[CostEvent], prices: PriceBook, detector: CostAnomalyDetector) -> Effects:
    """Fold *events*, accepted and in offset order, into *pages*; return what became news on the way."""
    effects = Effects()
    slots: dict[tuple[str, int], _Slot] = {}
    for event in events:
        occurred_at = event.occurred_at
        where = (event.tenant_id, occurred_at // US_PER_HOUR)
        slot = slots.get(where)
        if slot is None:
            slot = slots[where] = _Slot(pages, detector, *where)
        slot.page.newest_us = max(slot.page.newest_us, occurred_at)
        cost = event.cost_nanousd
        price = cost if cost is not None else prices.price_of(event)
        if isinstance(price, Unpriced):
            effects.count(f"unpriced.{price.reason}")
            cost = None
        else:
            cost = price
        pairs = slot.pairs(event)
        cached = event.cached_input_tokens
        if cached or cost is None or event.is_retry:
            _add_rare(pairs, unpriced=cost is None, cached=cached, retry=event.is_retry)
        if _add(pairs, event.input_tokens, event.output_tokens, cost or 0):
            detector.crossed(pages, event.tenant_id, slot.day, _watching(slot, event), effects)
    return effects


def _add(pairs: Sequence[_Pair], tokens_in: int, tokens_out: int, cost: int) -> bool:
    """Add what every record has to the totals; return whether a day total has reached a line it watches."""
    crossed = False
    for hour, day in pairs:  # literal indices: this runs some four times a record
        hour[0] += 1
        day[0] += 1
        hour[3] += tokens_in
        day[3] += tokens_in
        hour[5] += tokens_out
        day[5] += tokens_out
        hour[6] += cost
        total = day[6] = day[6] + cost
        if total >= day[7]:
            crossed = True
    return crossed


def _add_rare(pairs: Sequence[_Pair], *, unpriced: bool, cached: int, retry: bool) -> None:
    for pair in pairs:
        for total in pair:
            total[UNPRICED] += unpriced
            total[RETRIES] += retry
            total[CACHED] += cached


def _watching(slot: _Slot, event: CostEvent) -> list[tuple[str, str, Total]]:
    """Return the judged entities of *event* whose day total has reached the line it watches."""
    entities = [("tenant", event.tenant_id, slot.tenant[1])]
    if event.user_id is not None:
        entities.append(("user", event.user_id, slot.users[event.user_id][1]))
    if event.feature_tag is not None:
        entities.append(("feature", event.feature_tag, slot.features[event.feature_tag][1]))
    return [entity for entity in entities if entity[2][COST] >= entity[2][WATCH]]
