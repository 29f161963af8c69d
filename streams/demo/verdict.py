"""Whether the demo came out as it had to: what was sent against what the topics told and the database holds.

One invariant: everything is compared exactly, to the nano-dollar and the record; there is no tolerance anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from drivers.postgres.read import DayTotal
from engines.core.model import Position
from engines.core.time import format_day
from engines.cost.domain import TOPIC
from streams import fates
from streams.demo.board import Board, Fact
from streams.demo.incidents import DAYS, FIRST_DAY, Due, Incident
from streams.demo.scenario import Month, Totals
from streams.demo.words import usd, what, why

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
        stored_notices: what the database holds of runs, by id.
        worker_exit: exit code of the worker when it was asked to leave.
    """

    board: Board
    published: int
    positions: Sequence[Position]
    stored: Days
    worker_exit: int
    stored_notices: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    def count(self, name: str, topic: str | None = None) -> int:
        """Return the counter *name* over all partitions of *topic*, None: of all topics."""
        mine = [position for position in self.positions if topic in {None, position.topic}]
        return sum(position.counts.get(name, 0) for position in mine)


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
    """Return what had to come of the generated weeks, and whether it did."""
    board = ended.board
    expected = {id_of(due) for incident in month.incidents for due in incident.due}
    others = [fact for fact in board.in_order() if _id(fact) not in expected]
    return [
        *(_planted(incident, board) for incident in month.incidents),
        Check("nothing else is reported", not others, "; ".join(map(_told, others)) or "no other fact on the topic"),
        _closed(ended),
        _dead(month, ended),
        _counted("duplicates are counted once", ended, fates.DUPLICATES, month.duplicates),
        _counted("records of closed days correct them", ended, fates.RESTATED, month.restated),
        _counted("what is too old is set apart", ended, fates.LATE, month.late),
        _unpriced(month, ended),
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


Id = tuple[str, str, str, str, str]


def id_of(due: Due) -> Id:
    """Return type, tenant, entity and day of the fact that must come."""
    return (due.anomaly_type, due.tenant_id, due.entity_type, due.entity_id, format_day(due.day)[:10])


def _id(fact: Fact) -> Id:
    return (fact.anomaly_type, fact.tenant_id, fact.entity_type, fact.entity_id, fact.day)


def _planted(incident: Incident, board: Board) -> Check:
    wanted = {id_of(due): due for due in incident.due}
    found = [fact for fact in board.in_order() if _id(fact) in wanted]
    holds = len(found) == len(wanted) == len({_id(fact) for fact in found})
    holds = holds and all(_as_due(wanted[_id(fact)], fact) for fact in found)
    missing = [
        f"{kind} of {entity} on {day} is missing" for kind, _, _, entity, day in wanted.keys() - set(map(_id, found))
    ]
    return Check(f"found: {incident.story}", holds, "; ".join([*_last_told(found), *sorted(missing)]))


def _as_due(due: Due, fact: Fact) -> bool:
    told = (fact.status, fact.severity, fact.derived_cause, fact.breach_count, fact.restated)
    return told == ("final", "HIGH", due.cause, due.breach_count, due.restated)


def _last_told(found: Sequence[Fact]) -> list[str]:
    more = f"{len(found)} facts, the last: " if len(found) > 1 else ""
    return [more + _told(fact) for fact in found[-1:]]


def _told(fact: Fact) -> str:
    who = f"{fact.tenant_id} {fact.entity_type} {fact.entity_id}"
    money = f"{usd(fact.current_nanousd or 0)} instead of {usd(fact.expected_nanousd or 0)}"
    restated = ", restated" if fact.restated else ""
    return f"{what(fact)} of {who}, {fact.day}: {money}; {why(fact)}; {fact.status}{restated}"


def _closed(ended: Ended) -> Check:
    wanted = FIRST_DAY + DAYS - 1
    found = {row.closed_through for row in ended.positions if row.next_offset and row.topic == TOPIC}
    told = ", ".join("none" if day is None else format_day(day)[:10] for day in found)
    return Check("the weeks are closed, the day after is open", found == {wanted}, f"closed through {told}")


def _dead(month: Month, ended: Ended) -> Check:
    letters = [letter for letter in ended.board.dead if letter.topic == TOPIC]
    holds = len(letters) == month.dead == ended.count(fates.DEAD, TOPIC)
    told = "; ".join(f"{one.topic}/{one.partition}/{one.offset}: {one.field} {one.reason}" for one in letters[:3])
    return Check("the bad record is on dead-letters", holds, told or "nothing on the topic")


def _counted(what: str, ended: Ended, name: str, wanted: int) -> Check:
    found = ended.count(name, TOPIC)
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
