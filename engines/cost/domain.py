"""The cost domain as the shell sees it: which pages a record needs, what folding and closing do (port ``Domain``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, cast

from engines.core.model import Effects, Invalid, PageKey, Record, TableRow
from engines.core.ports import Event, Pages
from engines.core.tables import SNAPSHOTS
from engines.core.time import HOURS_PER_DAY, US_PER_DAY, US_PER_HOUR
from engines.cost import pages as bodies
from engines.cost.anomalies import Rules
from engines.cost.decode import CostEvent, decode
from engines.cost.detector import CostAnomalyDetector
from engines.cost.event import stamp
from engines.cost.fold import fold
from engines.cost.history import SNAPSHOT_WINDOW, opening_keys, sums
from engines.cost.pages import (
    DAY,
    DayPage,
    HourPage,
    day_key,
    each_total,
    hour_key,
)
from engines.cost.prices import PriceBook, Unpriced
from engines.cost.totals import apart, is_active

TOPIC: Final = "costs"
GRACE_US: Final = US_PER_HOUR
"""How long after its end a day stays open (CONTRACT §2)."""


class CostDomain:
    """Totals and spikes of what LLM usage costs, over the topic ``costs``."""

    topic = TOPIC

    def __init__(self, prices: PriceBook, rules: Rules) -> None:
        self._prices = prices
        self._detector = CostAnomalyDetector(rules)

    def decode(self, record: Record) -> Event | Invalid:
        """Return the cost record in *record*, or why it is none."""
        return decode(record.value, record.headers, record.timestamp * 1000)

    def stamp(self, event: Event) -> bytes:
        """Return the identity of *event* (CONTRACT §3) and the checksum of its known fields."""
        return stamp(event)  # type: ignore[arg-type]  # a cast costs a call per record

    def money(self, event: Event) -> int | None:
        """Return the cost of *event*: given, or by its price; None when it has none."""
        record = cast("CostEvent", event)
        if record.cost_nanousd is not None:
            return record.cost_nanousd
        price = self._prices.price_of(record)
        return None if isinstance(price, Unpriced) else price

    def next_due(self, closed_through: int | None) -> int | None:
        """Return the watermark at which the day after *closed_through* closes."""
        return None if closed_through is None else (closed_through + 2) * US_PER_DAY + GRACE_US

    def closable_through(self, watermark_us: int) -> int:
        """Return the last day whose end and grace *watermark_us* has reached."""
        return (watermark_us - GRACE_US) // US_PER_DAY - 1

    def missing(self, pages: Pages, events: Mapping[str, Sequence[Event]]) -> set[PageKey]:
        """Return the pages that folding *events* needs: their hours, their days and neighbours, history of new days."""
        wanted: set[PageKey] = set()
        days: set[tuple[str, int]] = set()
        for tenant_id, of_tenant in events.items():
            for hour in {event.occurred_at // US_PER_HOUR for event in of_tenant}:
                days.add((tenant_id, hour // HOURS_PER_DAY))
                wanted.add(hour_key(tenant_id, hour))
        for tenant_id, day in days:
            today = day_key(tenant_id, day)
            wanted.update((today, day_key(tenant_id, day - 1), day_key(tenant_id, day + 1)))
            if pages.known(today) and pages.get(today) is None:
                wanted.update(opening_keys(tenant_id, day))
        return {key for key in wanted if not pages.known(key)}

    def fold(self, pages: Pages, events: Mapping[str, Sequence[Event]]) -> Effects:
        """Fold *events* into totals and judge spikes as they cross."""
        return fold(pages, cast("Mapping[str, Sequence[CostEvent]]", events), self._prices, self._detector)

    def standing(self, pages: Pages, tenant_id: str, day: int) -> list[tuple[dict[str, object], dict[str, object]]]:
        """Return the provisional anomaly lines and facts of an open *day*, as they stand now."""
        return self._detector.standing(pages, tenant_id, day)

    def close_scope(self, day: int) -> tuple[str, range]:
        """Return where the tenants are whom the close of *day* must visit: those with a page of it."""
        return DAY, range(day * HOURS_PER_DAY, day * HOURS_PER_DAY + 1)

    def close_missing(self, pages: Pages, day: int, tenants: Sequence[str]) -> set[PageKey]:
        """Return the day pages that the close of *day* reads."""
        wanted = {day_key(tenant_id, day - back) for tenant_id in tenants for back in (0, *SNAPSHOT_WINDOW)}
        return {key for key in wanted if not pages.known(key)}

    def close(self, pages: Pages, day: int, tenants: Sequence[str]) -> Effects:
        """Fix snapshot baselines and judgements of *day*."""
        effects = Effects()
        for tenant_id in tenants:
            page = pages.get(day_key(tenant_id, day))
            if isinstance(page, DayPage):
                page.baselines = sums(pages, tenant_id, day, SNAPSHOT_WINDOW)
                pages.touch(day_key(tenant_id, day))
                self._detector.close(pages, tenant_id, day, effects)
        return effects

    def day_keys(self, tenant_id: str, day: int) -> Iterable[PageKey]:
        """Return the keys of a tenant's day page and of its hours."""
        first = day * HOURS_PER_DAY
        return [day_key(tenant_id, day), *(hour_key(tenant_id, first + hour) for hour in range(HOURS_PER_DAY))]

    def pack(self, key: PageKey, body: object) -> bytes:
        """Return the sealed bytes of a page."""
        del key
        return bodies.pack(cast("HourPage | DayPage", body))

    def unpack(self, key: PageKey, body: bytes) -> object:
        """Return the page sealed in *body*."""
        return bodies.unpack(key.kind, body, self._detector.rules.profile)

    def weight(self, body: object) -> int:
        """Return how many entities a page holds."""
        return sum(map(len, cast("HourPage | DayPage", body).totals.values()))

    def project(self, key: PageKey, body: object, as_of: int) -> Iterable[TableRow]:
        """Return a snapshot row for each entity of a page."""
        page = cast("HourPage | DayPage", body)
        baselines = page.baselines if isinstance(page, DayPage) else None
        window = "day" if key.kind == DAY else "hour"
        start_us = key.bucket * US_PER_HOUR
        for kind, entity_id, total in each_total(page.totals):
            sums = apart(total)
            money, days = (baselines or {}).get(kind, {}).get(entity_id, (0, 0))
            yield TableRow(
                SNAPSHOTS.name,
                (
                    key.tenant_id,
                    window,
                    start_us,
                    kind,
                    entity_id,
                    *sums[:-1],
                    sums.cost_nanousd if is_active(total) else None,
                    money // days if days else None,
                    False,
                    as_of,
                ),
            )
