"""The cost domain as the shell sees it: which pages a record needs, what folding and closing do (port ``Domain``)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final, cast

from engines.core.model import NEW_READERS, Context, Effects, Invalid, PageKey, Record, Search, SettingRow, TableRow
from engines.core.ports import Event, Pages
from engines.core.tables import SNAPSHOTS
from engines.core.time import HOURS_PER_DAY, US_PER_DAY, US_PER_HOUR, month_days, month_of
from engines.cost import month_ends, needs, packing, settings
from engines.cost.book import SNAPSHOT_WINDOW, Book
from engines.cost.decode import CostEvent, decode
from engines.cost.detector import CostAnomalyDetector
from engines.cost.event import stamp
from engines.cost.fold import NO_LIMITS, FoldLimits, fold
from engines.cost.lines import snapshot_message, snapshot_values
from engines.cost.pages import (
    DAY,
    LEDGER,
    MONTH,
    BasePage,
    HourPage,
    SeriesPage,
    day_key,
    hour_key,
    ledger_key,
)
from engines.cost.prices import PriceBook, Unpriced
from engines.cost.rules import Profile

TOPIC: Final = "costs"
GRACE_US: Final = US_PER_HOUR
"""How long after its end a day stays open (CONTRACT §2)."""
_DAYS_PER_ENTITY: Final = 8
"""So many days' spend take the room of one entity's total."""


class CostDomain:
    """Totals and anomalies of what LLM usage costs, over the topic ``costs``.

    Args:
        prices: what a record costs that does not say so.
        start: the profile in force where no settings row says otherwise.
        limits: what may be set; with ``publish_snapshots`` a close publishes its snapshots on ``cost-snapshots``, with
            ``forecasts`` on ``predictions`` what the months of budgets will have cost.
    """

    topic = TOPIC
    period_us = US_PER_DAY
    lateness_us = None

    def __init__(self, prices: PriceBook, start: Profile, limits: FoldLimits = NO_LIMITS) -> None:
        self._prices = prices
        self._start = start
        self._limits = limits
        self._detector = CostAnomalyDetector()

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

    def settings(self, rows: Sequence[SettingRow]) -> settings.CostSettings:
        """Return the rows as they are looked up."""
        return settings.CostSettings(rows, self._start)

    def concerned(self, rows: Sequence[SettingRow]) -> frozenset[str] | None:
        """Return whose open windows *rows* may judge differently; None: everybody's."""
        return settings.concerned(rows)

    def next_due(self, closed_through: int | None) -> int | None:
        """Return the watermark at which the day after *closed_through* closes."""
        return None if closed_through is None else (closed_through + 2) * US_PER_DAY + GRACE_US

    def closable_through(self, watermark_us: int) -> int:
        """Return the last day whose end and grace *watermark_us* has reached."""
        return (watermark_us - GRACE_US) // US_PER_DAY - 1

    def ids_closed_through(self, closed: int) -> int | None:
        """Return the last closed day: only restatements ask for its identities."""
        return closed

    def missing(self, pages: Pages, events: Mapping[str, Sequence[Event]], context: Context) -> set[PageKey]:
        """Return the pages that folding *events* needs."""
        wanted: set[PageKey] = set()
        for tenant_id, of_tenant in events.items():
            hours = {event.occurred_at // US_PER_HOUR for event in of_tenant}
            wanted |= _unknown(pages, tenant_id, context, partial(needs.of_records, hours=hours))
        return wanted

    def fold(self, pages: Pages, events: Mapping[str, Sequence[Event]], context: Context) -> Effects:
        """Fold *events* into totals and judge open windows as they cross lines."""
        records = cast("Mapping[str, Sequence[CostEvent]]", events)
        return fold(pages, records, self._prices, self._detector, context, self._limits)

    def tenants_scope(self) -> tuple[str, range]:
        """Return where every tenant with any state is found: each has a ledger."""
        return LEDGER, range(1)

    def closing_scope(self, period: int) -> tuple[str, range]:
        """Return where every tenant is found: drift and restatements visit silent ones, too."""
        del period
        return self.tenants_scope()

    def searches(self, first: int, last: int) -> Sequence[Search]:
        """Return where to look for a day to close: a week after the last record drift and restatements end."""
        stop = (last + 1) * HOURS_PER_DAY
        days = range(max(first - len(SNAPSHOT_WINDOW), 0) * HOURS_PER_DAY, stop)
        months = range(month_days(month_of(first)).start * HOURS_PER_DAY, stop)
        return [Search(DAY, days, _day), Search(MONTH, months, _month_end)]

    def close_missing(self, pages: Pages, period: int, tenants: Sequence[str], context: Context) -> set[PageKey]:
        """Return the pages that the close of the day *period* reads."""
        wanted: set[PageKey] = set()
        for tenant_id in tenants:
            needed = partial(
                needs.of_close,
                day=period,
                hours=self._limits.publish_snapshots,
                forecasts=self._limits.forecasts,
            )
            wanted |= _unknown(pages, tenant_id, context, needed)
        return wanted

    def close(self, pages: Pages, period: int, tenants: Sequence[str], context: Context) -> Effects:
        """Fix snapshot baselines and judgements of the day *period*, and judge restated days before it again."""
        effects = Effects()
        for tenant_id in tenants:
            book = Book(pages, tenant_id, context)
            held, restated = period in book.ledger.open, frozenset(book.ledger.restated)
            self._detector.close(book, period, effects)
            if held and self._limits.publish_snapshots:
                self._publish_day(book, period, effects)
            if self._limits.forecasts:
                month_ends.tell(book, period, restated, effects)
        return effects

    def open_missing(self, pages: Pages, tenants: Sequence[str], context: Context) -> set[PageKey]:
        """Return the pages that judging the open windows of *tenants* reads."""
        wanted: set[PageKey] = set()
        for tenant_id in tenants:
            wanted |= _unknown(pages, tenant_id, context, needs.of_open_windows)
        return wanted

    def rejudge(self, pages: Pages, tenants: Sequence[str], context: Context) -> Effects:
        """Judge the open windows of *tenants* again."""
        effects = Effects()
        for tenant_id in tenants:
            self._detector.rejudge(Book(pages, tenant_id, context), effects)
        return effects

    def standing(
        self, pages: Pages, tenant_id: str, context: Context, watermark_us: int
    ) -> list[tuple[dict[str, object], dict[str, object] | None]]:
        """Return the anomaly lines and facts of the tenant's open windows as they stand now: which are, closes say."""
        del watermark_us
        return self._detector.standing(Book(pages, tenant_id, context))

    def day_keys(self, tenant_id: str, period: int) -> Iterable[PageKey]:
        """Return the keys of a tenant's day page and of its hours: what is projected."""
        first = period * HOURS_PER_DAY
        return [day_key(tenant_id, period), *(hour_key(tenant_id, first + hour) for hour in range(HOURS_PER_DAY))]

    def pack(self, key: PageKey, body: object, readers: int = NEW_READERS) -> Sequence[tuple[int, bytes]]:
        """Return the changed parts of a page, sealed for *readers*."""
        del key
        return packing.pack(body, packing.version_for(readers))

    def unpack(self, key: PageKey, parts: Mapping[int, bytes]) -> object:
        """Return the page sealed in *parts*."""
        return packing.unpack(key.kind, parts)

    def weight(self, body: object) -> int:
        """Return how many entities a page holds."""
        if isinstance(body, HourPage):
            return body.entities
        if isinstance(body, SeriesPage):
            return sum(map(len, body.spent.values())) // _DAYS_PER_ENTITY
        return sum(map(len, body.sums.values())) if isinstance(body, BasePage) else 1

    def project(self, key: PageKey, body: object, as_of: int) -> Iterable[TableRow]:
        """Return a snapshot row for each entity of an hour or day page; other pages have none."""
        if not isinstance(body, HourPage):
            return
        for values in snapshot_values(key, body, as_of):
            yield TableRow(SNAPSHOTS.name, values)

    def _publish_day(self, book: Book, day: int, effects: Effects) -> None:
        for key in self.day_keys(book.tenant_id, day):
            body = book.pages.get(key)
            if isinstance(body, HourPage):
                effects.outgoing += [snapshot_message(values, day) for values in snapshot_values(key, body, 0)]


def _unknown(
    pages: Pages, tenant_id: str, context: Context, needed: Callable[[Book], Iterator[PageKey]]
) -> set[PageKey]:
    """Return those of the pages a tenant's work reads that are not known; first of all its ledger."""
    ledger = ledger_key(tenant_id)
    if not pages.known(ledger):
        return {ledger}
    return {key for key in needed(Book(pages, tenant_id, context, lenient=True)) if not pages.known(key)}


def _day(bucket: int) -> int:
    return bucket // HOURS_PER_DAY


def _month_end(bucket: int) -> int:
    return month_days(month_of(bucket // HOURS_PER_DAY)).stop - 1
