"""The pre-scan: what becomes of each record of a chunk, and where closes cut it.

Pure but for the identity index it is given. It decides fates one by one in offset order (CONTRACT §1-§3) and moves
the watermark, so that what follows can fold in bulk: the chunk's size never shows in an output. Who is a copy is
settled in a second step, for identities of closed days must be loaded first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter

from engines.core.model import Effects, Invalid, Outgoing, Record, TopicPartition
from engines.core.ports import Domain, Event
from engines.core.time import US_PER_DAY, format_instant
from streams import fates
from streams.homes import Homes
from streams.identity import IDENTITY_BYTES, Identities, copies_among, may_repeat
from streams.lateness import HORIZON_DAYS, Lateness

GAP_MS = 60_000
"""A silence in the log longer than this moves the watermark by its length."""
DISORDER_US = 300_000_000
"""How far the watermark stays behind the greatest event time."""
_FEW = 4
"""Up to so many days of a chunk are quicker picked out one after the other than all in one pass."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The event-time part of a position."""

    watermark_us: int | None
    last_append_ms: int | None
    closed_through: int | None


@dataclass(slots=True)
class Segment:
    """A stretch of log between two closes: folded as one, then periods up to ``cursor.closed_through`` are closed.

    ``events`` are the accepted ones by tenant, each tenant's in offset order: tenants share no state.
    """

    events: Mapping[str, list[Event]] = field(default_factory=dict)
    effects: Effects = field(default_factory=Effects)
    ids: dict[int, bytes] = field(default_factory=dict)
    next_offset: int = 0
    cursor: Cursor = Cursor(None, None, None)


class Scanner:
    """Scans the chunks of one partition."""

    def __init__(
        self,
        tp: TopicPartition,
        domain: Domain,
        homes: Homes,
        identities: Identities,
        dedup_days: int = HORIZON_DAYS,
    ) -> None:
        self.tp = tp
        self.domain = domain
        self.homes = homes
        self.identities = identities
        self.lateness = Lateness(domain, dedup_days)

    def read(self, records: Sequence[Record], cursor: Cursor, poison: Mapping[int, str]) -> Scan:
        """Return the scan of *records*, to be settled when the identities of its ``unknown`` days are loaded.

        Args:
            records: in offset order.
            cursor: event time as the records before left it.
            poison: reasons by offset of records that the failure ladder gave up on.
        """
        scan = Scan(self, cursor)
        scan.take(records, poison)
        return scan


_Arrival = tuple[Event, bytes, int]
"""An event that is counted unless it is a copy, its stamp and its UTC day."""
_Told = tuple[int, Outgoing]
"""A message about the record at an offset."""


class Scan:
    """One pass over a chunk: where event time stands, and what is known of the records so far.

    A segment's arrivals are those before its entry in ``_ends``.
    """

    __slots__ = (
        "_arrived",
        "_closed",
        "_due",
        "_ends",
        "_last_append_ms",
        "_open_us",
        "_restating",
        "_scanner",
        "_segment",
        "_segments",
        "_told",
        "_watermark",
    )

    def __init__(self, scanner: Scanner, cursor: Cursor) -> None:
        self._scanner = scanner
        self._watermark = cursor.watermark_us
        self._last_append_ms = cursor.last_append_ms
        self._closed = cursor.closed_through
        self._open_us = scanner.lateness.open_us(self._closed)
        self._due = None if self._closed is None else scanner.domain.next_due(self._closed)
        self._segment = Segment()
        self._segments = [self._segment]
        self._told: list[list[_Told]] = [[]]
        self._arrived: list[_Arrival] = []
        self._restating: dict[int, _Told] = {}
        """Late lines of arrivals of closed days, by place: they are told if it is no copy that arrived."""
        self._ends: list[int] = []

    @property
    def unknown(self) -> list[int]:
        """Closed days of which the identities must be loaded before it is settled who is a copy."""
        return self._scanner.identities.unknown(sorted({self._arrived[at][2] for at in self._restating}))

    def take(self, records: Sequence[Record], poison: Mapping[int, str]) -> None:
        """Decide what becomes of each record, but for whether it is a copy of an earlier one."""
        scanner = self._scanner
        decode, stamp, home_of = scanner.domain.decode, scanner.domain.stamp, scanner.homes.home_of
        here, arrived = scanner.tp.partition, self._arrived
        for record in records:
            event = decode(record) if record.offset not in poison else Invalid(None, poison[record.offset])
            if isinstance(event, Invalid):
                self._tell(fates.DEAD, record, fates.dead_letter(*scanner.tp, record, event))
                continue
            if home_of(event.tenant_id) != here:
                self._tell(fates.FORWARDED, record, fates.forwarded(*scanner.tp, record, event.tenant_id))
                continue
            append_ms = record.timestamp
            if self._last_append_ms is not None and append_ms - self._last_append_ms > GAP_MS:
                self._pass_gap(record)
            self._last_append_ms = append_ms
            occurred_at = event.occurred_at
            if occurred_at >= self._open_us or self._counts(record, event):
                arrived.append((event, stamp(event), occurred_at // US_PER_DAY))
            if self._watermark is None or occurred_at - DISORDER_US > self._watermark:
                self._move(occurred_at - DISORDER_US, record.offset)

    def settle(self, end: int) -> list[Segment]:
        """Return the segments, the last one ending at offset *end*, with the first copies as their events."""
        self._segment.next_offset = end
        self._segment.cursor = Cursor(self._watermark, self._last_append_ms, self._closed)
        self._ends.append(len(self._arrived))
        copies = self._copies()
        first = 0
        for segment, last, told in zip(self._segments, self._ends, self._told, strict=True):
            self._settle(segment, range(first, last), copies, told)
            first = last
        return self._segments

    def _move(self, watermark_us: int, offset: int) -> None:
        """Move the watermark after the record at *offset*."""
        self._watermark = watermark_us
        if self._due is None or watermark_us >= self._due:
            self._cut(offset + 1, watermark_us, Cursor(watermark_us, self._last_append_ms, None))

    def _pass_gap(self, record: Record) -> None:
        """Move the watermark by the silence before *record*.

        What it closes is closed as on an idle partition, before the watermark moves: that goes with the record, for
        one that turns out to be a dead letter moves nothing, and whoever takes up here passes the same gap once.
        """
        if self._watermark is None or self._last_append_ms is None:
            return
        before = Cursor(self._watermark, self._last_append_ms, None)
        self._watermark += (record.timestamp - self._last_append_ms) * 1000
        if self._due is not None and self._watermark >= self._due:
            self._cut(record.offset, self._watermark, before)

    def _cut(self, next_offset: int, watermark_us: int, cursor: Cursor) -> None:
        """End the segment before *next_offset*, with event time at *cursor*: *watermark_us* closes periods there."""
        self._closed = self._scanner.domain.closable_through(watermark_us)
        self._due = self._scanner.domain.next_due(self._closed)
        self._open_us = self._scanner.lateness.open_us(self._closed)
        self._segment.next_offset = next_offset
        self._segment.cursor = replace(cursor, closed_through=self._closed)
        self._ends.append(len(self._arrived))
        self._segment = Segment()
        self._segments.append(self._segment)
        self._told.append([])

    def _tell(self, fate: str, record: Record, message: Outgoing) -> None:
        self._told[-1].append((record.offset, message))
        self._segment.effects.count(fate)

    def _counts(self, record: Record, event: Event) -> bool:
        """Return whether a record before ``_open_us`` counts unless it is a copy; else it is late (CONTRACT §2, §3)."""
        scanner, effects = self._scanner, self._segment.effects
        reason = scanner.lateness.reason(event.occurred_at, self._watermark, self._closed)
        if reason is None:
            return True
        money = scanner.domain.money(event)
        told = format_instant(event.occurred_at)
        place = (scanner.tp.partition, record.offset)
        line = fates.LateLine(event.tenant_id, event.source, event.id, told, *place, reason, money)
        message = fates.late_record(*scanner.tp, record, event, line)
        if reason == fates.RESTATED:
            self._restating[len(self._arrived)] = (record.offset, message)
            return True
        self._tell(fates.LATE, record, message)
        effects.count(f"{fates.LATE}.{reason}")
        if money is not None:
            effects.count(fates.LATE_NANOUSD, money)
        return False

    def _copies(self) -> dict[int, int]:
        """Return {place in ``_arrived``: content checksum of the first copy} for every later copy."""
        copies: dict[int, int] = {}
        for day, places in _by_day(self._arrived).items():
            stamps = [self._arrived[at][1] for at in places]
            known = self._scanner.identities.known(day, stamps)
            of_day = {places[at]: content for at, content in known.items()}
            if may_repeat(stamps):
                of_day |= copies_among(places, stamps, of_day)
            fresh = stamps if not of_day else [self._arrived[at][1] for at in places if at not in of_day]
            if fresh:
                self._scanner.identities.add(day, b"".join(fresh))
            copies |= of_day
        return copies

    def _settle(self, segment: Segment, places: range, copies: Mapping[int, int], told: list[_Told]) -> None:
        """Count the arrivals at *places*: a first copy is accepted, a later one a duplicate."""
        arrivals = self._arrived[places.start : places.stop]
        if copies:
            for at in places:
                if at in copies:
                    segment.effects.count(fates.DUPLICATES)
                    if self._arrived[at][1][IDENTITY_BYTES:] != copies[at].to_bytes(4, "big"):
                        segment.effects.count(fates.CONFLICTING)
            arrivals = [self._arrived[at] for at in places if at not in copies]
        by_tenant: defaultdict[str, list[Event]] = defaultdict(list)
        for event, _, _ in arrivals:
            by_tenant[event.tenant_id].append(event)
        segment.events = by_tenant
        for day, of_day in _by_day(arrivals).items():
            segment.ids[day] = b"".join([arrivals[at][1] for at in of_day])
        counts = segment.effects.counts
        counts[fates.ACCEPTED] = len(arrivals)
        counts[fates.EVENTS] = sum(counts.get(fate, 0) for fate in fates.FATES)
        restated = [late for at, late in self._restating.items() if at in places and at not in copies]
        if restated:
            counts[fates.RESTATED] = len(restated)
            told = sorted([*told, *restated], key=itemgetter(0))
        segment.effects.outgoing += [message for _, message in told]


def _by_day(arrivals: Sequence[_Arrival]) -> Mapping[int, Sequence[int]]:
    """Return the places of *arrivals* by day, each day's in order."""
    days = {day for _, _, day in arrivals}
    if len(days) == 1:  # as nearly always
        return {days.pop(): range(len(arrivals))}
    if len(days) <= _FEW:
        return {of: [at for at, (_, _, day) in enumerate(arrivals) if day == of] for of in days}
    places: defaultdict[int, list[int]] = defaultdict(list)
    for at, (_, _, day) in enumerate(arrivals):
        places[day].append(at)
    return places
