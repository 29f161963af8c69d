"""A domain whose windows close by the hour and take in nothing afterwards: what the shell does with lateness.

It tells of a tenant's hour when the first record comes, and what it came to when it is due: some hours later.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from engines.core.model import NEW_READERS, Context, Effects, Outgoing, PageKey, Search
from engines.core.ports import Event, Pages
from engines.core.time import HOURS_PER_DAY, US_PER_DAY, US_PER_HOUR
from tests.streams.desk import Raw
from tests.streams.tally import START, TOLD, Entry, Tally, Told

HOUR, DUE, LEDGER = "hourly.hour", "hourly.due", "hourly.ledger"
GRACE_US = US_PER_HOUR
DUE_AFTER = 3
"""What an hour came to is told at the close of so many hours after it."""
FIRST = START * HOURS_PER_DAY
START_US = START * US_PER_DAY


@dataclass
class Counted:
    """Amounts of one hour."""

    amounts: list[int] = field(default_factory=list)


class Hourly(Tally):
    """The port ``Domain``, in its own hours; records, identities and settings are those of a tally."""

    period_us = US_PER_HOUR
    lateness_us: int | None = GRACE_US

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []
        """Hours since the first one among which it was asked for one to close."""
        self.visited: list[tuple[int, tuple[str, ...]]] = []
        """Hours closed, and whose."""

    def next_due(self, closed_through: int | None) -> int | None:
        return None if closed_through is None else (closed_through + 2) * US_PER_HOUR + GRACE_US

    def closable_through(self, watermark_us: int) -> int:
        return (watermark_us - GRACE_US) // US_PER_HOUR - 1

    def ids_closed_through(self, closed: int) -> int | None:
        return (closed + 1) // HOURS_PER_DAY - 1

    def missing(self, pages: Pages, events: Mapping[str, Sequence[Event]], context: Context) -> set[PageKey]:
        del context
        keys = {
            key
            for tenant, of_tenant in events.items()
            for event in of_tenant
            for key in _keys(tenant, event.occurred_at // US_PER_HOUR)
        }
        return {key for key in keys if not pages.known(key)}

    def fold(self, pages: Pages, events: Mapping[str, Sequence[Event]], context: Context) -> Effects:
        effects = Effects()
        for tenant, of_tenant in events.items():
            for entry in cast("Sequence[Entry]", of_tenant):
                hour = entry.occurred_at // US_PER_HOUR
                assert hour > (context.closed_through or 0), "what is closed took a record in"
                for key in _keys(tenant, hour):
                    if pages.get(key) is None:
                        pages.put(key, Counted())
                counted = pages.get(_hour_key(tenant, hour))
                assert isinstance(counted, Counted)
                if not counted.amounts:
                    effects.outgoing.append(_told(tenant, "first", hour, [entry.amount]))
                counted.amounts.append(entry.amount)
                pages.touch(_hour_key(tenant, hour))
        return effects

    def tenants_scope(self) -> tuple[str, range]:
        return LEDGER, range(1)

    def closing_scope(self, period: int) -> tuple[str, range]:
        return DUE, range(period, period + 1)

    def searches(self, first: int, last: int) -> Sequence[Search]:
        self.asked.append((first - FIRST, last - FIRST))
        return (Search(DUE, range(first, last + 1), lambda bucket: bucket),)

    def close_missing(self, pages: Pages, period: int, tenants: Sequence[str], context: Context) -> set[PageKey]:
        del context
        return {key for tenant in tenants if not pages.known(key := _hour_key(tenant, period - DUE_AFTER))}

    def close(self, pages: Pages, period: int, tenants: Sequence[str], context: Context) -> Effects:
        del context
        self.visited.append((period - FIRST, tuple(tenants)))
        effects = Effects()
        for tenant in tenants:
            counted = pages.get(_hour_key(tenant, period - DUE_AFTER))
            assert isinstance(counted, Counted)
            effects.outgoing.append(_told(tenant, "final", period - DUE_AFTER, counted.amounts))
        return effects

    def open_missing(self, pages: Pages, tenants: Sequence[str], context: Context) -> set[PageKey]:
        del pages, tenants, context
        return set()

    def rejudge(self, pages: Pages, tenants: Sequence[str], context: Context) -> Effects:
        del pages, tenants, context
        return Effects()

    def standing(
        self, pages: Pages, tenant_id: str, context: Context, watermark_us: int
    ) -> list[tuple[Told, Told | None]]:
        del pages, context
        return [({"tenant": tenant_id, "watermark_us": watermark_us}, None)]

    def day_keys(self, tenant_id: str, period: int) -> Iterable[PageKey]:
        return [_hour_key(tenant_id, period)]

    def pack(self, key: PageKey, body: object, readers: int = NEW_READERS) -> Sequence[tuple[int, bytes]]:
        del key, readers
        return [(0, json.dumps(cast("Counted", body).amounts).encode())]

    def unpack(self, key: PageKey, parts: Mapping[int, bytes]) -> object:
        del key
        return Counted(json.loads(parts[0]))

    def weight(self, body: object) -> int:
        del body
        return 1


def at(name: str, us: int, *, tenant: str = "acme", amount: int = 1, append_ms: int = 0) -> Raw:
    """Return a record of *amount* that occurred *us* after the first day began."""
    value = {"id": name, "tenant_id": tenant, "occurred_at": START_US + us, "amount": amount}
    return Raw(json.dumps(value).encode(), append_ms)


def _hour_key(tenant: str, hour: int) -> PageKey:
    return PageKey(tenant, HOUR, hour)


def _keys(tenant: str, hour: int) -> tuple[PageKey, ...]:
    return _hour_key(tenant, hour), PageKey(tenant, DUE, hour + DUE_AFTER), PageKey(tenant, LEDGER, 0)


def _told(tenant: str, what: str, hour: int, amounts: Sequence[int]) -> Outgoing:
    value = json.dumps({"tenant": tenant, "what": what, "hour": hour - FIRST, "amounts": amounts}).encode()
    return Outgoing(TOLD, tenant.encode(), value, (), tenant.encode())
