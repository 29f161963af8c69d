"""Pages in plain dicts and records of a given price: what tests of the cost rules need, and nothing else."""

import json
from collections.abc import Mapping
from itertools import count
from typing import Any

from engines.core.model import Effects, PageKey
from engines.core.time import US_PER_DAY, US_PER_HOUR
from engines.cost.domain import CostDomain
from engines.cost.event import CostEvent
from engines.cost.pages import DayPage, day_key
from engines.cost.prices import UNKNOWN_MODEL, Unpriced
from engines.cost.rules import REFERENCE, USD, Profile

TENANT = "acme"
_ids = count()


class MemoryPages:
    """The port ``Pages``: of every key but those in ``unknown`` it is known whether there is a page."""

    def __init__(self, bodies: Mapping[PageKey, object] | None = None) -> None:
        self.bodies = dict(bodies or {})
        self.touched: list[PageKey] = []
        self.unknown: set[PageKey] = set()

    def known(self, key: PageKey) -> bool:
        return key not in self.unknown

    def get(self, key: PageKey) -> object | None:
        if key in self.unknown:
            raise KeyError(key)
        return self.bodies.get(key)

    def put(self, key: PageKey, body: object) -> None:
        self.bodies[key] = body
        self.touch(key)

    def touch(self, key: PageKey) -> None:
        self.touched.append(key)

    def day(self, day: int, tenant_id: str = TENANT) -> DayPage:
        """Return the page of *day*, which must be there."""
        page = self.bodies[day_key(tenant_id, day)]
        assert isinstance(page, DayPage)
        return page


class OnePrice:
    """Asks the same *price* for everything; None: knows no model."""

    version = "one"

    def __init__(self, price: int | None) -> None:
        self._price = price

    def price_of(self, event: CostEvent) -> int | Unpriced:
        del event
        return UNKNOWN_MODEL if self._price is None else self._price


def domain(profile: Profile = REFERENCE, price: int | None = None) -> CostDomain:
    """Return the cost domain under *profile*, with one *price*, in nano-USD, or none."""
    return CostDomain(OnePrice(price), profile)


def spent(day: int, usd: float | None, tenant_id: str = TENANT, hour: int = 12, **more: Any) -> CostEvent:
    """Return a record of *usd* dollars (None: without a price) at *hour* of *day*."""
    return CostEvent(
        id=f"e{next(_ids)}",
        tenant_id=tenant_id,
        source="",
        occurred_at=day * US_PER_DAY + hour * US_PER_HOUR,
        model="m",
        input_tokens=10,
        output_tokens=1,
        cost_nanousd=None if usd is None else round(usd * USD),
        **more,
    )


def arrived(*events: CostEvent) -> dict[str, list[CostEvent]]:
    """Return *events* as the shell hands them over: by tenant, in the order given."""
    by_tenant: dict[str, list[CostEvent]] = {}
    for event in events:
        by_tenant.setdefault(event.tenant_id, []).append(event)
    return by_tenant


def facts(effects: Effects) -> list[dict[str, Any]]:
    """Return the facts that *effects* publish."""
    return [json.loads(out.value or b"") for out in effects.outgoing]
