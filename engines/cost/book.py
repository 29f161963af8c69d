"""One tenant's state as a judgement sees it: its days, whether closed or open, its months, and what is in force."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Final, TypeVar, cast

from engines.core.model import Context, PageKey
from engines.core.ports import Pages
from engines.core.time import month_days, month_of
from engines.cost.pages import (
    ENTITY_TYPES,
    JUDGED_TYPES,
    BasePage,
    DayPage,
    HourPage,
    Ledger,
    MonthPage,
    Sums,
    base_key,
    day_key,
    each_total,
    hour_key,
    ledger_key,
    month_key,
    tenant_requests,
)
from engines.cost.settings import CostSettings
from engines.cost.totals import Total, is_active, requests

SPIKE_WINDOW: Final = range(2, 15)
"""Days before D that make its spike baseline: D-14 … D-2 (reference, cost_anomaly_detector)."""
SNAPSHOT_WINDOW: Final = range(1, 8)
"""Days before D that make its snapshot baseline, and after which a restatement is judged no more (CONTRACT §2, §5)."""
DRIFT_WINDOW: Final = range(7)
"""Days before D whose mean drifts: D-6 … D (reference, cost_anomaly_detector)."""
DRIFT_BASELINE: Final = range(8, 29)
"""Days before D they are held against: D-28 … D-8."""
REVISION_WINDOW: Final = range(30)
"""Days before D whose records count for a revision: D-29 … D (CONTRACT §5)."""
KEPT_DAYS: Final = 80
"""Days a ledger keeps: a record of 35 days ago may have a day judged that looks back as far again."""

_NOTHING_CLOSED: Final = -1
_Read = TypeVar("_Read")


class Book:
    """A tenant's pages, as far as they are known, behind one interface.

    Attributes:
        closed: the last closed day.
        last_open: the newest open day that holds a record.
        settings: rows in force.

    A *lenient* one takes pages that are not known yet for absent: it is asked which pages those are.
    """

    __slots__ = ("_lenient", "_remembered", "closed", "last_open", "ledger", "pages", "settings", "tenant_id")

    def __init__(self, pages: Pages, tenant_id: str, context: Context, *, lenient: bool = False) -> None:
        self.pages = pages
        self.tenant_id = tenant_id
        self.closed = _NOTHING_CLOSED if context.closed_through is None else context.closed_through
        self.settings = cast("CostSettings", context.settings)
        found = self._body(ledger_key(tenant_id))
        self.ledger = found if isinstance(found, Ledger) else Ledger()
        self.last_open = max(self.ledger.open, default=_NOTHING_CLOSED)
        self._remembered: dict[Hashable, object] = {}
        self._lenient = lenient

    @property
    def exists(self) -> bool:
        """Whether the tenant has any state."""
        return isinstance(self._body(ledger_key(self.tenant_id)), Ledger)

    def opened(self, day: int) -> None:
        """Take in that *day* holds a record and is open."""
        self.ledger.open.add(day)
        self.last_open = max(self.last_open, day)
        self.keep()

    def keep(self) -> None:
        """Store the ledger with the next commit."""
        key = ledger_key(self.tenant_id)
        if self.exists:
            self.pages.touch(key)
        else:
            self.pages.put(key, self.ledger)

    def day(self, day: int) -> DayPage | None:
        """Return the page of *day*, None when the tenant has none or it is not known."""
        held = day in self.ledger.days or day in self.ledger.open
        body = self._body(day_key(self.tenant_id, day), exists=held)
        return body if isinstance(body, DayPage) else None

    def base(self, day: int) -> BasePage | None:
        """Return the spike baselines of an open *day*."""
        body = self._body(base_key(self.tenant_id, day), exists=day in self.ledger.open)
        return body if isinstance(body, BasePage) else None

    def month(self, month: int) -> MonthPage | None:
        """Return the page of *month*, None when the tenant has none or it is not known."""
        body = self._body(month_key(self.tenant_id, month))
        return body if isinstance(body, MonthPage) else None

    def total(self, day: int) -> Total:
        """Return the tenant's total on *day*, closed or open; 0 when there is none."""
        if day in self.ledger.days:
            return self.ledger.days[day]
        page = self.day(day) if day in self.ledger.open else None
        return 0 if page is None else page.totals["tenant"].get(self.tenant_id, 0)

    def fix(self, day: int, total: Total) -> None:
        """Take in the tenant's *total* of a closed *day*, which may correct an earlier one."""
        self.ledger.days[day] = total
        self._remembered.clear()

    def remembered(self, what: Hashable, last: int, read: Callable[[], _Read]) -> _Read:
        """Return what *read* finds in days up to *last*: read once, as long as they are closed and not corrected."""
        if last > self.closed:
            return read()
        if what not in self._remembered:
            self._remembered[what] = read()
        return cast("_Read", self._remembered[what])

    def records(self, day: int) -> int:
        """Return the tenant's records in the days that count for a revision of *day*."""
        return sum(requests(self.total(day - back)) for back in REVISION_WINDOW)

    def month_records(self, page: MonthPage) -> int:
        """Return the tenant's records in the month of *page*."""
        return tenant_requests(page, self.tenant_id)

    def held(self, days: Iterable[int]) -> list[int]:
        """Return those of *days* that hold a record of the tenant."""
        return [day for day in days if day in self.ledger.days or day in self.ledger.open]

    def open_months(self) -> list[int]:
        """Return the months that are not closed and hold a record of the tenant, oldest first."""
        months = {month_of(day) for day in self.ledger.open}
        current = month_of(self.closed + 1)
        if self.held(month_days(current)):
            months.add(current)
        return sorted(months)

    def sums(self, day: int, window: range) -> Sums:
        """Return the sums of every entity over its active days in *window* days before *day*."""
        found: Sums = {}
        for back in window:
            page = self.day(day - back)
            if page is None:
                continue
            for kind, entity_id, total in each_total(page.totals):
                if is_active(total):
                    of_kind = found.setdefault(kind, {})
                    money, days = of_kind.get(entity_id, (0, 0))
                    of_kind[entity_id] = (money + total, days + 1)
        return found

    def hour_page(self, hour: int) -> HourPage:
        """Return the page of *hour*, a new one if there is none, to be stored with the next commit."""
        key = hour_key(self.tenant_id, hour)
        body = self.pages.get(key)
        if isinstance(body, HourPage):
            self.pages.touch(key)
            return body
        page = HourPage()
        self.pages.put(key, page)
        return page

    def closed_page(self, day: int) -> DayPage:
        """Return the page of a closed *day*, a new one if there is none, to be stored with the next commit."""
        page = self.day(day)
        if page is None:
            page = DayPage(baselines={kind: {} for kind in ENTITY_TYPES})
            self.pages.put(day_key(self.tenant_id, day), page)
        self.touch_day(day)
        return page

    def open_page(self, day: int) -> DayPage:
        """Return the page of an open *day*, a new one with its spike baselines if there is none."""
        page = self.day(day) if day in self.ledger.open else None
        if page is None:
            page = DayPage()
            sums = self.sums(day, SPIKE_WINDOW)
            base = BasePage({kind: of_kind for kind, of_kind in sums.items() if kind in JUDGED_TYPES})
            self.pages.put(day_key(self.tenant_id, day), page)
            self.pages.put(base_key(self.tenant_id, day), base)
            self.opened(day)
        self.touch_day(day)
        return page

    def touch_day(self, day: int) -> None:
        """Store the page of *day* with the next commit."""
        self.pages.touch(day_key(self.tenant_id, day))

    def touch_month(self, month: int) -> None:
        """Store the page of *month* with the next commit."""
        self.pages.touch(month_key(self.tenant_id, month))

    def _body(self, key: PageKey, *, exists: bool = False) -> object | None:
        """Return the body of a page, None when there is none; of one that *exists* but was not loaded: it is a bug."""
        if self.pages.known(key):
            return self.pages.get(key)
        if exists and not self._lenient:
            raise LookupError(f"{key.kind} {key.bucket} of {key.tenant_id} is read and was not asked for")
        return None
