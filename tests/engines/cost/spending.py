"""A cost domain fed by hand: it is handed the pages it asks for and no others, and only what it touched is kept."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import Any, TypeVar

from engines.core.model import Context, Effects, PageKey, SettingRow
from engines.core.money import NANOUSD_PER_USD as USD
from engines.core.time import US_PER_DAY, US_PER_HOUR
from engines.cost.domain import CostDomain
from engines.cost.event import CostEvent
from engines.cost.fold import NO_LIMITS, FoldLimits
from engines.cost.pages import (
    LEDGER,
    BasePage,
    DayPage,
    HourPage,
    Ledger,
    MonthPage,
    base_key,
    day_key,
    hour_key,
    ledger_key,
    month_key,
)
from engines.cost.prices import UNKNOWN_MODEL, Unpriced
from engines.cost.rules import REFERENCE, Profile
from engines.cost.settings import EVERY_TENANT

TENANT = "acme"
Held = TypeVar("Held")
Line = dict[str, Any]
Row = tuple[str, str, int | None, bytes]
"""A settings row without its sequence number."""
_ids = count()


class SealedPages:
    """The port ``Pages`` over sealed parts: what was not loaded is not known, what was not touched is not stored."""

    def __init__(self) -> None:
        self.parts: dict[PageKey, dict[int, bytes]] = {}
        self.bodies: dict[PageKey, object | None] = {}
        self.dirty: set[PageKey] = set()

    def known(self, key: PageKey) -> bool:
        return key in self.bodies

    def get(self, key: PageKey) -> object | None:
        return self.bodies[key]

    def put(self, key: PageKey, body: object) -> None:
        assert self.bodies.get(key) is None, f"{key} is there already"
        self.bodies[key] = body
        self.dirty.add(key)

    def touch(self, key: PageKey) -> None:
        assert self.bodies.get(key) is not None, f"{key} is not there"
        self.dirty.add(key)

    def keys(self, kind: str) -> set[PageKey]:
        """Return the keys of the pages of *kind*, stored or not."""
        here = {key for key, body in self.bodies.items() if body is not None}
        return {key for key in self.parts.keys() | here if key.kind == kind}


class OnePrice:
    """Asks the same *price* for everything; None: knows no model."""

    version = "one"

    def __init__(self, price: int | None) -> None:
        self._price = price

    def price_of(self, event: CostEvent) -> int | Unpriced:
        del event
        return UNKNOWN_MODEL if self._price is None else self._price


class Spending:
    """What the shell does with a domain, and nothing else.

    Attributes:
        lines, facts: all that was told, in order.
        forgets: whether every step ends with a commit after which no page is in memory.
    """

    def __init__(
        self,
        profile: Profile = REFERENCE,
        *rows: Row,
        price: int | None = None,
        limits: FoldLimits = NO_LIMITS,
        forgets: bool = True,
    ) -> None:
        self.domain = CostDomain(OnePrice(price), profile, limits)
        self.pages = SealedPages()
        self.closed: int | None = None
        self.lines: list[Line] = []
        self.facts: list[Line] = []
        self.counts: Counter[str] = Counter()
        self.forgets = forgets
        self._rows: list[Row] = list(rows)
        self._settings = self._resolved()

    @property
    def context(self) -> Context:
        """What there is beside pages."""
        return Context(self.closed, self._settings)

    def fold(self, *events: CostEvent) -> list[Line]:
        """Fold *events*; return the anomaly lines told."""
        by_tenant = arrived(*events)
        self._load(lambda: self.domain.missing(self.pages, by_tenant, self.context))
        return self._took(self.domain.fold(self.pages, by_tenant, self.context))

    def close(self, through: int, *, every_day: bool = False) -> list[Line]:
        """Close the days up to *through*, those that the domain has nothing to do on only when *every_day* is asked."""
        told: list[Line] = []
        first = self.first_day() if self.closed is None else self.closed + 1
        while (day := first if every_day else self._next_due(first, through)) <= through:
            tenants = self.tenants()
            self._load(partial(self.domain.close_missing, self.pages, day, tenants, self.context))
            told += self._took(self.domain.close(self.pages, day, tenants, self.context))
            self.closed, first = day, day + 1
        self.closed = through
        return told

    def know(self, *rows: Row) -> None:
        """Get to know more settings *rows*, as whoever takes up before a close does: nothing is judged yet."""
        self._rows += rows
        self._settings = self._resolved()

    def learn(self, *rows: Row) -> list[Line]:
        """Get to know more settings *rows*; return what judging the open windows again tells."""
        self.know(*rows)
        return self.judge_again()

    def judge_again(self) -> list[Line]:
        """Judge every open window; return the lines told."""
        tenants = self.tenants()
        self._load(lambda: self.domain.open_missing(self.pages, tenants, self.context))
        return self._took(self.domain.rejudge(self.pages, tenants, self.context))

    def standing(self, tenant_id: str = TENANT) -> list[tuple[Line, Line | None]]:
        """Return what stands on the open windows."""
        self._load(lambda: self.domain.open_missing(self.pages, [tenant_id], self.context))
        found = self.domain.standing(self.pages, tenant_id, self.context, 0)
        self.commit()
        return found

    def commit(self) -> None:
        """Seal what was touched, and forget everything."""
        for key in self.pages.dirty:
            self.pages.parts.setdefault(key, {}).update(self.domain.pack(key, self.pages.bodies[key]))
        self.pages.dirty.clear()
        self.pages.bodies.clear()

    def tenants(self) -> list[str]:
        """Return who has any state."""
        return sorted(key.tenant_id for key in self.pages.keys(LEDGER))

    def first_day(self) -> int:
        """Return the first day that holds a record."""
        return min((day for tenant in self.tenants() for day in self.ledger(tenant).open), default=0)

    def day(self, day: int, tenant_id: str = TENANT) -> DayPage:
        """Return the page of *day*, which must be there."""
        return self._held(day_key(tenant_id, day), DayPage)

    def base(self, day: int, tenant_id: str = TENANT) -> BasePage:
        """Return the spike baselines of *day*, which must be there."""
        return self._held(base_key(tenant_id, day), BasePage)

    def hour(self, hour: int, tenant_id: str = TENANT) -> HourPage:
        """Return the page of *hour*, which must be there."""
        return self._held(hour_key(tenant_id, hour), HourPage)

    def month(self, month: int, tenant_id: str = TENANT) -> MonthPage:
        """Return the page of *month*, which must be there."""
        return self._held(month_key(tenant_id, month), MonthPage)

    def ledger(self, tenant_id: str = TENANT) -> Ledger:
        """Return the tenant's ledger, which must be there."""
        return self._held(ledger_key(tenant_id), Ledger)

    def page(self, key: PageKey) -> object | None:
        """Return the page at *key* as it stands."""
        if key not in self.pages.bodies and key in self.pages.parts:
            return self.domain.unpack(key, self.pages.parts[key])
        return self.pages.bodies.get(key)

    def _held(self, key: PageKey, kind: type[Held]) -> Held:
        page = self.page(key)
        assert isinstance(page, kind)
        return page

    def _resolved(self) -> object:
        return self.domain.settings([SettingRow(seq, *row) for seq, row in enumerate(self._rows, 1)])

    def _load(self, wanted: Callable[[], set[PageKey]]) -> None:
        while keys := wanted():
            for key in keys:
                assert key not in self.pages.bodies, f"{key} is known"
                parts = self.pages.parts.get(key)
                self.pages.bodies[key] = self.domain.unpack(key, parts) if parts else None

    def _next_due(self, first: int, last: int) -> int:
        due = [
            search.period_of(key.bucket)
            for search in self.domain.searches(first, last)
            for key in self.pages.keys(search.kind)
            if key.bucket in search.buckets
        ]
        return max(min(due, default=last + 1), first) if first <= last else last + 1

    def _took(self, effects: Effects) -> list[Line]:
        told = [json.loads(str(row.values[-1])) for row in effects.rows]
        facts = facts_of(effects)
        own = [{name: value for name, value in fact.items() if name not in OF_FACTS} for fact in facts]
        assert [line for line in told if line in own] == own, "a fact is the line told with it, and more"
        self.lines += told
        self.facts += facts
        self.counts.update(effects.counts)
        if self.forgets:
            self.commit()
        return told


OF_FACTS = {"current_value_cents", "expected_value_cents", "confidence", "observed_at"}
"""What a fact has beside what a line has."""


def spent(day: int, usd: float | None, tenant_id: str = TENANT, hour: int = 12, **more: Any) -> CostEvent:
    """Return a record of *usd* dollars (None: without a price) at *hour* of *day*."""
    members: dict[str, Any] = {"model": "m", "input_tokens": 10, "output_tokens": 1} | more
    return CostEvent(
        id=f"e{next(_ids)}",
        tenant_id=tenant_id,
        source="",
        occurred_at=day * US_PER_DAY + hour * US_PER_HOUR,
        cost_nanousd=None if usd is None else round(usd * USD),
        **members,
    )


def arrived(*events: CostEvent) -> dict[str, list[CostEvent]]:
    """Return *events* as the shell hands them over: by tenant, in the order given."""
    by_tenant: dict[str, list[CostEvent]] = {}
    for event in events:
        by_tenant.setdefault(event.tenant_id, []).append(event)
    return by_tenant


def facts_of(effects: Effects) -> list[Line]:
    return [json.loads(out.value or b"") for out in effects.outgoing if out.topic == "cost-anomaly-facts"]


def of_kind(lines: Sequence[Line], *types: str) -> list[Line]:
    return [line for line in lines if line["anomaly_type"] in types]


def rule(name: str, value: int | str, tenant_id: str = EVERY_TENANT, since: int | None = None) -> Row:
    """Return a rule in force from the start of the day *since*; None: always."""
    return _row("rule", tenant_id, since, name=name, value=value)


def budget(
    kind: str = "tenant",
    entity_id: str = TENANT,
    *,
    daily: int | None = None,
    monthly: int | None = None,
    warn: int = 80,
    active: bool = True,
    since: int | None = None,
) -> Row:
    return _row(
        "budget",
        TENANT,
        since,
        budget_type=kind,
        entity_id=entity_id,
        daily_limit_cents=daily,
        monthly_limit_cents=monthly,
        warn_threshold_pct=warn,
        hard_limit_enabled=False,
        is_active=active,
    )


def tag(name: str, *, active: bool = True, since: int | None = None) -> Row:
    return _row("tag", TENANT, since, tag=name, display_name=name, is_active=active)


def _row(kind: str, tenant_id: str, since: int | None, **body: object) -> Row:
    return kind, tenant_id, None if since is None else since * US_PER_DAY, json.dumps(body).encode()
