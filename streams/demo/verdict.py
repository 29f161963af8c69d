"""Whether the demo came out as it had to: what was sent against what the topics told and the database holds.

One invariant: everything is compared exactly, to the nano-dollar and the record; there is no tolerance anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from drivers.postgres.read import DayTotal
from engines.core.model import Position
from engines.core.time import format_day
from streams import fates
from streams.demo.board import Board, Fact, usd
from streams.demo.scenario import DAYS, FIRST_DAY, Month, Planted, Totals

Days = Mapping[tuple[str, int], Totals]
"""Totals by tenant and UTC day."""


class Check(NamedTuple):
    """One thing that had to be so."""

    what: str
    holds: bool
    detail: str


class TenantRow(NamedTuple):
    """A tenant's month, as sent and as PostgreSQL has it."""

    tenant_id: str
    sent: Totals
    stored: Totals

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return self.sent == self.stored


@dataclass(frozen=True, slots=True)
class Ended:
    """How the demo ended.

    Attributes:
        published: records that the broker acknowledged.
        worker_exit: exit code of the worker when it was asked to leave.
    """

    board: Board
    published: int
    positions: Sequence[Position]
    stored: Days
    worker_exit: int

    def count(self, name: str) -> int:
        """Return the counter *name* over all partitions."""
        return sum(position.counts.get(name, 0) for position in self.positions)


def days_of(totals: Iterable[DayTotal]) -> dict[tuple[str, int], Totals]:
    """Return what the database holds in the form of what was sent."""
    epoch = date(1970, 1, 1)
    return {
        (total.tenant_id, (total.day - epoch).days): Totals(
            total.requests,
            total.unpriced_requests,
            total.input_tokens,
            total.cached_input_tokens,
            total.output_tokens,
            total.cost_nanousd or 0,
        )
        for total in totals
    }


def by_tenant(sent: Days, stored: Days) -> list[TenantRow]:
    """Return one row per tenant, dearest first."""
    tenants = {tenant for tenant, _ in (*sent, *stored)}
    rows = [TenantRow(tenant, _sum(tenant, sent), _sum(tenant, stored)) for tenant in tenants]
    return sorted(rows, key=lambda row: (-row.sent.cost_nanousd, row.tenant_id))


def judge_month(month: Month, ended: Ended) -> list[Check]:
    """Return what had to come of the generated month, and whether it did."""
    board = ended.board
    planted = [_planted(spike, board) for spike in month.planted]
    expected = {id_of(spike) for spike in month.planted}
    others = [
        fact
        for fact in board.in_order()
        if (fact.tenant_id, fact.entity_type, fact.entity_id, fact.day) not in expected
    ]
    return [
        *planted,
        Check("nothing else is reported", not others, "; ".join(map(_told, others)) or "no other fact on the topic"),
        _closed(ended),
        _dead(month, ended),
        _counted("duplicates are counted once", ended, fates.DUPLICATES, month.duplicates),
        _counted("nothing is late", ended, fates.LATE, 0),
        _unpriced(month, ended),
        *judge_any(month.totals, ended),
    ]


def judge_any(sent: Days, ended: Ended, whence: str = "sent") -> list[Check]:
    """Return what had to come of any records; *sent* is what their totals should be, known by being *whence*."""
    differing = [key for key in sorted({*sent, *ended.stored}) if sent.get(key) != ended.stored.get(key)]
    places = ", ".join(f"{tenant} {format_day(day)[:10]}" for tenant, day in differing[:5])
    events = ended.count(fates.EVENTS)
    ends = {fate: ended.count(fate) for fate in fates.FATES}
    told = " + ".join(f"{n:,} {fate}" for fate, n in ends.items())
    return [
        Check(
            f"totals in PostgreSQL equal those {whence}",
            not differing,
            f"{len(differing)} tenant days differ: {places}"
            if differing
            else f"{len(sent):,} tenant days, to the nano-dollar",
        ),
        Check(
            "every record came to one end",
            sum(ends.values()) == events == ended.published,
            f"{told} = {events:,} of {ended.published:,} published",
        ),
        Check("the worker left in order", ended.worker_exit == 0, f"exit code {ended.worker_exit}"),
    ]


def id_of(spike: Planted) -> tuple[str, str, str, str]:
    """Return tenant, entity and day of the fact that *spike* must bring."""
    return (spike.tenant_id, spike.entity_type, spike.entity_id, format_day(spike.day)[:10])


def _planted(spike: Planted, board: Board) -> Check:
    found = [
        fact
        for fact in board.facts.values()
        if (fact.tenant_id, fact.entity_type, fact.entity_id, fact.day) == id_of(spike)
    ]
    holds = len(found) == 1 and found[0].status == "final" and found[0].breach_count == spike.days
    detail = "; ".join(map(_told, found)) or "no fact on the topic"
    return Check(f"found: {spike.story}", holds, detail)


def _told(fact: Fact) -> str:
    who = f"{fact.tenant_id} {fact.entity_type} {fact.entity_id}"
    money = f"{usd(fact.current_nanousd or 0)} instead of {usd(fact.expected_nanousd or 0)}"
    return f"{who} on {fact.day}: {money}, {fact.status}, {fact.anomaly_id}"


def _closed(ended: Ended) -> Check:
    wanted = FIRST_DAY + DAYS - 1
    found = {row.closed_through for row in ended.positions if row.next_offset}
    told = ", ".join("none" if day is None else format_day(day)[:10] for day in found)
    return Check("the month is closed, the day after is open", found == {wanted}, f"closed through {told}")


def _dead(month: Month, ended: Ended) -> Check:
    letters = ended.board.dead
    holds = len(letters) == month.dead == ended.count(fates.DEAD)
    told = "; ".join(f"{one.topic}/{one.partition}/{one.offset}: {one.field} {one.reason}" for one in letters[:3])
    return Check("the bad record is on dead-letters", holds, told or "nothing on the topic")


def _counted(what: str, ended: Ended, name: str, wanted: int) -> Check:
    found = ended.count(name)
    return Check(what, found == wanted, f"{found:,} {name}" + ("" if found == wanted else f", {wanted:,} were sent"))


def _unpriced(month: Month, ended: Ended) -> Check:
    wanted = sum(totals.unpriced for totals in month.totals.values())
    reasons = sorted({name for row in ended.positions for name in row.counts if name.startswith("unpriced.")})
    found = {name.removeprefix("unpriced."): ended.count(name) for name in reasons}
    told = ", ".join(f"{n:,} {reason}" for reason, n in found.items()) or "none"
    return Check("records without a price are counted", sum(found.values()) == wanted, told)


def _sum(tenant: str, days: Days) -> Totals:
    mine = [totals for (name, _), totals in days.items() if name == tenant]
    return Totals(
        sum(one.requests for one in mine),
        sum(one.unpriced for one in mine),
        sum(one.input_tokens for one in mine),
        sum(one.cached_input_tokens for one in mine),
        sum(one.output_tokens for one in mine),
        sum(one.cost_nanousd for one in mine),
    )
