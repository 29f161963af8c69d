"""The bodies of cost pages: what one tenant did in an hour, a day, a month, and its book of closed days."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from engines.core.model import PageKey
from engines.core.time import HOURS_PER_DAY, month_days
from engines.cost.totals import Total, requests

HOUR: Final = "cost.hour"
DAY: Final = "cost.day"
BASE: Final = "cost.base"
MONTH: Final = "cost.month"
LEDGER: Final = "cost.ledger"
SERIES: Final = "cost.series"

ENTITY_TYPES: Final = ("tenant", "user", "feature", "model")
JUDGED_TYPES: Final = ("tenant", "user", "feature")

Totals = dict[str, dict[str, Total]]
"""entity type → entity id → total."""
Sums = dict[str, dict[str, tuple[Total, int]]]
"""entity type → entity id → (sum of the totals of its active days, how many those are)."""
Names = dict[str, set[str]]
"""entity type → entity ids."""
Told = tuple[str, str, str, str | None]
"""What tells the anomalies of one window apart: kind as in the id, entity type, entity id, period."""


def no_totals() -> Totals:
    """Return totals of no entity."""
    return {kind: {} for kind in ENTITY_TYPES}


def _no_names() -> Names:
    return {kind: set() for kind in ENTITY_TYPES}


@dataclass(slots=True)
class Published:
    """What the newest revision told of an anomaly said, as far as a change of it is news (CONTRACT §5).

    Attributes:
        streak_start: day the episode began.
        high: it was HIGH once, so that all its later revisions are facts, too.
        revision: its number.
    """

    anomaly_type: str
    severity: str
    streak_start: int
    cause: str
    status: str
    high: bool
    revision: int


@dataclass(slots=True)
class HourPage:
    """Totals of a tenant's entities in one hour.

    Attributes:
        restated: entities whose totals were corrected after their day closed.
        leaves, changed: into how many parts beside the first its users are spread, and which of those changed.
    """

    totals: Totals = field(default_factory=no_totals)
    restated: Names = field(default_factory=_no_names)
    leaves: int = 0
    changed: set[int] = field(default_factory=set)

    @property
    def entities(self) -> int:
        """How many entities the page holds."""
        return sum(map(len, self.totals.values()))


@dataclass(slots=True)
class DayPage(HourPage):
    """Totals of a tenant's entities on one day, and what judging them needs.

    Attributes:
        newest_us: the tenant's greatest event time in the day.
        streaks: entity type → id → first day of the unbroken run of breach days that ends here; absent: no breach.
        published: newest told state of each anomaly of the day but its drift.
        baselines: entity type → id → (sum, active days) of D-7 … D-1, None until the close fixes it.
        watch: entity type → id → the least total at which judging the entity may tell something new; not stored.
        deferred: entities that a close changed, of which the tenant's next record tells; not stored.
        costs_before: nano-USD by feature of the days of the spike baselines, read when a cause asks; not stored.
        armed: the mark of the settings that ``watch`` was made with; not stored.
    """

    newest_us: int = 0
    streaks: dict[str, dict[str, int]] = field(default_factory=lambda: {kind: {} for kind in JUDGED_TYPES})
    published: dict[Told, Published] = field(default_factory=dict)
    baselines: dict[str, dict[str, tuple[int, int]]] | None = None
    watch: Totals = field(default_factory=no_totals)
    deferred: set[tuple[str, str]] = field(default_factory=set)
    costs_before: dict[str, int] | None = None
    armed: object = None


@dataclass(slots=True)
class BasePage:
    """The spike baselines of an open day: sums over its active days D-14 … D-2, patched by restatements."""

    sums: Sums


@dataclass(slots=True)
class MonthPage:
    """A month's totals of the tenant and of its entities with a monthly budget; only tenants with one have it.

    Attributes:
        newest_us: the tenant's greatest event time in the month.
        published: newest told state of each budget.
        watch, armed: as of a ``DayPage``.
    """

    totals: Totals = field(default_factory=no_totals)
    newest_us: int = 0
    published: dict[Told, Published] = field(default_factory=dict)
    watch: Totals = field(default_factory=no_totals)
    armed: object = None


@dataclass(slots=True)
class Ledger:
    """What is kept of a tenant's days as a whole, so that weeks of them need not be read.

    Attributes:
        days: closed day → the tenant's total.
        drift: closed day → first day of the unbroken run of drifting days that ends there.
        open: days that hold a record and are not closed.
        restated: closed days corrected since they were judged.
        published: day → newest told state of its drift.
    """

    days: dict[int, Total] = field(default_factory=dict)
    drift: dict[int, int] = field(default_factory=dict)
    open: set[int] = field(default_factory=set)
    restated: set[int] = field(default_factory=set)
    published: dict[int, Published] = field(default_factory=dict)


@dataclass(slots=True)
class SeriesPage:
    """What scopes of monthly budgets spent day by day; only there where forecasts are asked for.

    Attributes:
        through: the last day of all of them, a closed one.
        spent: (entity type, entity id) → nano-USD by UTC day, zero days included; the last number is of ``through``.
    """

    through: int = -1
    spent: dict[tuple[str, str], list[int]] = field(default_factory=dict)


Body = HourPage | DayPage | BasePage | MonthPage | Ledger | SeriesPage


def tenant_requests(page: DayPage | MonthPage, tenant_id: str) -> int:
    """Return how many records of *tenant_id* the window of *page* holds."""
    total = page.totals["tenant"].get(tenant_id)
    return 0 if total is None else requests(total)


def each_total(totals: Totals) -> Iterator[tuple[str, str, Total]]:
    """Yield (entity type, entity id, total), in the order of ``ENTITY_TYPES``."""
    for kind in ENTITY_TYPES:
        for entity_id, total in totals[kind].items():
            yield kind, entity_id, total


def day_key(tenant_id: str, day: int) -> PageKey:
    """Return the key of a tenant's day page."""
    return PageKey(tenant_id, DAY, day * HOURS_PER_DAY)


def base_key(tenant_id: str, day: int) -> PageKey:
    """Return the key of the spike baselines of a tenant's day."""
    return PageKey(tenant_id, BASE, day * HOURS_PER_DAY)


def hour_key(tenant_id: str, hour: int) -> PageKey:
    """Return the key of a tenant's hour page."""
    return PageKey(tenant_id, HOUR, hour)


def month_key(tenant_id: str, month: int) -> PageKey:
    """Return the key of a tenant's month page."""
    return PageKey(tenant_id, MONTH, month_days(month).start * HOURS_PER_DAY)


def ledger_key(tenant_id: str) -> PageKey:
    """Return the key of a tenant's ledger, which belongs to no time."""
    return PageKey(tenant_id, LEDGER, 0)


def series_key(tenant_id: str) -> PageKey:
    """Return the key of a tenant's daily spend by scope, which belongs to no time."""
    return PageKey(tenant_id, SERIES, 0)
