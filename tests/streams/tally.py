"""A domain of its own, as small as one can be: sums of amounts by tenant and day. What the shell does with any."""

import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from engines.core.model import (
    NEW_READERS,
    Context,
    Effects,
    Invalid,
    Outgoing,
    PageKey,
    Record,
    Search,
    SettingRow,
    TableRow,
    TopicPartition,
)
from engines.core.ports import Event, Pages
from engines.core.time import HOURS_PER_DAY, US_PER_DAY, US_PER_HOUR

TOPIC, TOLD = "costs", "told"
TP = TopicPartition(TOPIC, 0)
DAY, LEDGER = "tally.day", "tally.ledger"
ECHO_DAYS = 3
"""A tenant's days are told of at the close of this many days after them, too, silent as those may be."""
PARTS = 3
START = 20_000
Told = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    id: str
    tenant_id: str
    occurred_at: int
    amount: int
    source: str = ""


@dataclass
class Day:
    """Amounts by id, and the parts of them that changed since they were packed."""

    amounts: dict[str, int] = field(default_factory=dict)
    changed: set[int] = field(default_factory=set)


@dataclass
class Ledger:
    """Days with amounts, days corrected after their close, and the setting that open days were judged by."""

    days: set[int] = field(default_factory=set)
    restated: list[int] = field(default_factory=list)
    judged: int = 0


class Tally:
    """The port ``Domain``. A setting of a tenant or of ``*`` is told with everything; its number is all it says."""

    topic = TOPIC
    period_us = US_PER_DAY
    lateness_us: int | None = None

    def decode(self, record: Record) -> Event | Invalid:
        try:
            return Entry(**json.loads(record.value or b""))
        except (ValueError, TypeError) as error:
            return Invalid(None, str(error))

    def stamp(self, event: Event) -> bytes:
        entry = cast("Entry", event)
        name = json.dumps([entry.tenant_id, entry.source, entry.id, entry.occurred_at // US_PER_DAY])
        return hashlib.sha256(name.encode()).digest()[:16] + zlib.crc32(repr(entry).encode()).to_bytes(4, "big")

    def money(self, event: Event) -> int | None:
        return cast("Entry", event).amount

    def next_due(self, closed_through: int | None) -> int | None:
        return None if closed_through is None else (closed_through + 2) * US_PER_DAY + US_PER_HOUR

    def closable_through(self, watermark_us: int) -> int:
        return (watermark_us - US_PER_HOUR) // US_PER_DAY - 1

    def ids_closed_through(self, closed: int) -> int | None:
        return closed

    def settings(self, rows: Sequence[SettingRow]) -> object:
        return {row.tenant_id: row.seq for row in rows}

    def concerned(self, rows: Sequence[SettingRow]) -> frozenset[str] | None:
        tenants = frozenset(row.tenant_id for row in rows)
        return None if "*" in tenants else tenants

    def missing(self, pages: Pages, events: Mapping[str, Sequence[Event]], context: Context) -> set[PageKey]:
        del context
        days = {day_key(tenant, e.occurred_at // US_PER_DAY) for tenant, of in events.items() for e in of}
        return {key for key in days | {ledger_key(tenant) for tenant in events} if not pages.known(key)}

    def fold(self, pages: Pages, events: Mapping[str, Sequence[Event]], context: Context) -> Effects:
        for tenant, of_tenant in events.items():
            ledger = _body(pages, ledger_key(tenant), Ledger)
            for entry in cast("Sequence[Entry]", of_tenant):
                number = entry.occurred_at // US_PER_DAY
                day = _body(pages, day_key(tenant, number), Day)
                assert entry.id not in day.amounts, "counted twice"
                day.amounts[entry.id] = entry.amount
                day.changed.add(part_of(entry.id))
                ledger.days.add(number)
                if context.closed_through is not None and number <= context.closed_through:
                    ledger.restated.append(number)
        return Effects()

    def tenants_scope(self) -> tuple[str, range]:
        return LEDGER, range(1)

    def closing_scope(self, period: int) -> tuple[str, range]:
        del period
        return self.tenants_scope()

    def searches(self, first: int, last: int) -> Sequence[Search]:
        hours = HOURS_PER_DAY
        return (
            Search(DAY, range(first * hours, (last + 1) * hours), lambda bucket: bucket // hours),
            Search(
                DAY,
                range((first - ECHO_DAYS) * hours, (last + 1 - ECHO_DAYS) * hours),
                lambda bucket: bucket // hours + ECHO_DAYS,
            ),
        )

    def close_missing(self, pages: Pages, period: int, tenants: Sequence[str], context: Context) -> set[PageKey]:
        del context
        wanted = {key for tenant in tenants for key in (ledger_key(tenant), *_told_keys(tenant, period))}
        return {key for key in wanted if not pages.known(key)}

    def close(self, pages: Pages, period: int, tenants: Sequence[str], context: Context) -> Effects:
        effects = Effects()
        for tenant in tenants:
            sums = [_sum(pages.get(key)) for key in _told_keys(tenant, period)]
            if any(sums):
                effects.outgoing.append(_told(tenant, "close", period, sums, _in_force(context, tenant)))
        return effects

    def open_missing(self, pages: Pages, tenants: Sequence[str], context: Context) -> set[PageKey]:
        del context
        return {key for key in map(ledger_key, tenants) if not pages.known(key)}

    def rejudge(self, pages: Pages, tenants: Sequence[str], context: Context) -> Effects:
        effects = Effects()
        for tenant in tenants:
            ledger, seq = pages.get(ledger_key(tenant)), _in_force(context, tenant)
            if isinstance(ledger, Ledger) and ledger.judged != seq:
                ledger.judged = seq
                pages.touch(ledger_key(tenant))
                effects.outgoing.append(_told(tenant, "again", 0, [], seq))
        return effects

    def standing(
        self, pages: Pages, tenant_id: str, context: Context, watermark_us: int
    ) -> list[tuple[Told, Told | None]]:
        del watermark_us
        ledger, closed = pages.get(ledger_key(tenant_id)), context.closed_through or 0
        days = sorted(ledger.days) if isinstance(ledger, Ledger) else []
        return [({"tenant": tenant_id, "day": day}, None) for day in days if day > closed]

    def day_keys(self, tenant_id: str, period: int) -> Iterable[PageKey]:
        return [day_key(tenant_id, period)]

    def pack(self, key: PageKey, body: object, readers: int = NEW_READERS) -> Sequence[tuple[int, bytes]]:
        del key, readers
        if isinstance(body, Ledger):
            return [(0, json.dumps([sorted(body.days), body.restated, body.judged]).encode())]
        day = cast("Day", body)
        changed, day.changed = sorted(day.changed), set()
        return [
            (part, json.dumps({name: n for name, n in day.amounts.items() if part_of(name) == part}).encode())
            for part in changed
        ]

    def unpack(self, key: PageKey, parts: Mapping[int, bytes]) -> object:
        if key.kind == LEDGER:
            days, restated, judged = json.loads(parts[0])
            return Ledger(set(days), restated, judged)
        return Day({name: n for part in parts.values() for name, n in json.loads(part).items()})

    def project(self, key: PageKey, body: object, as_of: int) -> Iterable[TableRow]:
        del key, body, as_of
        return ()

    def weight(self, body: object) -> int:
        return len(body.amounts) if isinstance(body, Day) else 1


def day_key(tenant: str, day: int) -> PageKey:
    return PageKey(tenant, DAY, day * HOURS_PER_DAY)


def ledger_key(tenant: str) -> PageKey:
    return PageKey(tenant, LEDGER, 0)


def part_of(name: str) -> int:
    return zlib.crc32(name.encode()) % PARTS


Body = TypeVar("Body", Day, Ledger)


def _body(pages: Pages, key: PageKey, make: type[Body]) -> Body:
    body = pages.get(key)
    if body is None:
        body = make()
        pages.put(key, body)
    assert isinstance(body, make)
    pages.touch(key)
    return body


def _told_keys(tenant: str, day: int) -> list[PageKey]:
    return [day_key(tenant, day - ECHO_DAYS), day_key(tenant, day)]


def _sum(body: object) -> int:
    return sum(body.amounts.values()) if isinstance(body, Day) else 0


def _in_force(context: Context, tenant: str) -> int:
    rows = cast("dict[str, int]", context.settings)
    return max(rows.get(tenant, 0), rows.get("*", 0))


def _told(tenant: str, what: str, day: int, sums: Sequence[int], seq: int) -> Outgoing:
    value = json.dumps({"tenant": tenant, "what": what, "day": day, "sums": sums, "seq": seq}).encode()
    return Outgoing(TOLD, tenant.encode(), value, (), tenant.encode())
