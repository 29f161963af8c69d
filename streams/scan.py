"""The pre-scan: what becomes of each record of a chunk, and where closes cut it.

Pure but for the identity index it is given. It decides fates one by one in offset order (CONTRACT §1-§3) and moves
the watermark, so that what follows can fold in bulk: the chunk's size never shows in an output.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from engines.core.model import Effects, Invalid, Record, TopicPartition
from engines.core.ports import Domain, Event
from engines.core.time import US_PER_DAY, format_instant
from streams import fates
from streams.homes import Homes
from streams.identity import IDENTITY_BYTES, Identities, may_repeat

GAP_MS = 60_000
"""A silence in the log longer than this moves the watermark by its length."""
DISORDER_US = 300_000_000
"""How far the watermark stays behind the greatest event time."""
HORIZON_DAYS = 35
"""Records older than this many days before the watermark's day are not counted."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The event-time part of a position."""

    watermark_us: int | None
    last_append_ms: int | None
    closed_through: int | None


@dataclass(slots=True)
class Segment:
    """A stretch of log between two closes: folded as one, then days up to ``cursor.closed_through`` are closed.

    ``events`` are the accepted ones by tenant, each tenant's in offset order: tenants share no state.
    """

    events: Mapping[str, list[Event]] = field(default_factory=dict)
    effects: Effects = field(default_factory=Effects)
    ids: dict[int, bytes] = field(default_factory=dict)
    next_offset: int = 0
    cursor: Cursor = Cursor(None, None, None)


class Scanner:
    """Scans the chunks of one partition."""

    def __init__(self, tp: TopicPartition, domain: Domain, homes: Homes, identities: Identities) -> None:
        self.tp = tp
        self.domain = domain
        self.homes = homes
        self.identities = identities

    def scan(self, records: Sequence[Record], end: int, cursor: Cursor, poison: Mapping[int, str]) -> list[Segment]:
        """Return the segments of *records*; the last one ends at *end*.

        Args:
            records: in offset order.
            end: the consumer's position after them.
            cursor: event time as the records before left it.
            poison: reasons by offset of records that the failure ladder gave up on.
        """
        scan = _Scan(self, cursor)
        scan.take(records, poison)
        return scan.finish(end)


_Arrival = tuple[Event, bytes, int]
"""An event that is counted unless it is a copy, its stamp and its UTC day."""


class _Scan:
    """One pass over a chunk: where event time stands, and what is known of the records so far.

    A segment's arrivals are those before its entry in ``_ends``.
    """

    __slots__ = (
        "_arrived",
        "_closed",
        "_due",
        "_ends",
        "_last_append_ms",
        "_scanner",
        "_segment",
        "_watermark",
        "segments",
    )

    def __init__(self, scanner: Scanner, cursor: Cursor) -> None:
        self._scanner = scanner
        self._watermark = cursor.watermark_us
        self._last_append_ms = cursor.last_append_ms
        self._closed = cursor.closed_through
        self._due = None if self._closed is None else scanner.domain.next_due(self._closed)
        self._segment = Segment()
        self.segments = [self._segment]
        self._arrived: list[_Arrival] = []
        self._ends: list[int] = []

    def take(self, records: Sequence[Record], poison: Mapping[int, str]) -> None:
        """Decide what becomes of each record, but for whether it is a copy of an earlier one."""
        scanner = self._scanner
        decode, stamp, home_of = scanner.domain.decode, scanner.domain.stamp, scanner.homes.home_of
        here, arrived = scanner.tp.partition, self._arrived
        for record in records:
            event = decode(record) if record.offset not in poison else Invalid(None, poison[record.offset])
            if isinstance(event, Invalid):
                self._bury(record, event)
                continue
            if home_of(event.tenant_id) != here:
                self._forward(record, event)
                continue
            append_ms = record.timestamp
            if self._last_append_ms is not None and append_ms - self._last_append_ms > GAP_MS:
                self._pass_gap(record)
            self._last_append_ms = append_ms
            occurred_at = event.occurred_at
            day = occurred_at // US_PER_DAY
            if self._closed is not None and day <= self._closed:
                self._too_late(record, event)
            else:
                arrived.append((event, stamp(event), day))
            if self._watermark is None or occurred_at - DISORDER_US > self._watermark:
                self._move(occurred_at - DISORDER_US, record.offset)

    def finish(self, end: int) -> list[Segment]:
        """Return the segments, the last one ending at *end*, with the first copies as their events."""
        self._segment.next_offset = end
        self._segment.cursor = Cursor(self._watermark, self._last_append_ms, self._closed)
        self._ends.append(len(self._arrived))
        copies = self._copies()
        first = 0
        for segment, last in zip(self.segments, self._ends, strict=True):
            self._settle(segment, range(first, last), copies)
            first = last
        return self.segments

    def _move(self, watermark_us: int, offset: int) -> None:
        """Move the watermark after the record at *offset*."""
        self._watermark = watermark_us
        if self._due is None or watermark_us >= self._due:
            self._cut(offset + 1)

    def _pass_gap(self, record: Record) -> None:
        """Move the watermark by the silence before *record*."""
        if self._watermark is None or self._last_append_ms is None:
            return
        self._watermark += (record.timestamp - self._last_append_ms) * 1000
        self._last_append_ms = record.timestamp  # whoever takes up here must not pass the same gap again
        if self._due is not None and self._watermark >= self._due:
            self._cut(record.offset)

    def _cut(self, next_offset: int) -> None:
        """End the segment before *next_offset*: days close there."""
        if self._watermark is None:
            return
        self._closed = self._scanner.domain.closable_through(self._watermark)
        self._due = self._scanner.domain.next_due(self._closed)
        self._segment.next_offset = next_offset
        self._segment.cursor = Cursor(self._watermark, self._last_append_ms, self._closed)
        self._ends.append(len(self._arrived))
        self._segment = Segment()
        self.segments.append(self._segment)

    def _bury(self, record: Record, why: Invalid) -> None:
        self._segment.effects.outgoing.append(fates.dead_letter(*self._scanner.tp, record, why))
        self._segment.effects.count(fates.DEAD)

    def _forward(self, record: Record, event: Event) -> None:
        self._segment.effects.outgoing.append(fates.forwarded(*self._scanner.tp, record, event.tenant_id))
        self._segment.effects.count(fates.FORWARDED)

    def _too_late(self, record: Record, event: Event) -> None:
        watermark, tp = self._watermark, self._scanner.tp
        too_old = watermark is not None and event.occurred_at // US_PER_DAY < watermark // US_PER_DAY - HORIZON_DAYS
        reason = fates.TOO_OLD if too_old else fates.DEDUP_UNKNOWN
        money = self._scanner.domain.money(event)
        told = format_instant(event.occurred_at)
        line = fates.LateLine(event.tenant_id, event.source, event.id, told, tp.partition, record.offset, reason, money)
        effects = self._segment.effects
        effects.outgoing.append(fates.late_record(*tp, record, event, line))
        effects.count(fates.LATE)
        effects.count(f"{fates.LATE}.{reason}")
        if money is not None:
            effects.count(fates.LATE_NANOUSD, money)

    def _copies(self) -> dict[int, int]:
        """Return {place in ``_arrived``: content checksum of the first copy} for every later copy."""
        copies: dict[int, int] = {}
        for day in {day for _, _, day in self._arrived}:
            places = [at for at, arrival in enumerate(self._arrived) if arrival[2] == day]
            stamps = [self._arrived[at][1] for at in places]
            known = self._scanner.identities.known(day, stamps)
            copies |= {places[at]: content for at, content in known.items()}
            if may_repeat(stamps):
                copies |= _copies_among(places, stamps, known)
            fresh = stamps if not copies else [self._arrived[at][1] for at in places if at not in copies]
            if fresh:
                self._scanner.identities.add(day, b"".join(fresh))
        return copies

    def _settle(self, segment: Segment, places: range, copies: Mapping[int, int]) -> None:
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
        for day in {day for _, _, day in arrivals}:
            segment.ids[day] = b"".join([stamp for _, stamp, of_day in arrivals if of_day == day])
        counts = segment.effects.counts
        counts[fates.ACCEPTED] = len(arrivals)
        counts[fates.EVENTS] = sum(counts.get(fate, 0) for fate in fates.FATES)


def _copies_among(places: Sequence[int], stamps: Sequence[bytes], known: Mapping[int, int]) -> dict[int, int]:
    """Return {place: content checksum of the first copy} for copies of one another within a chunk."""
    first: dict[bytes, int] = {}
    copies: dict[int, int] = {}
    for at, (place, stamp) in enumerate(zip(places, stamps, strict=True)):
        if at in known:
            continue
        identity, content = stamp[:IDENTITY_BYTES], int.from_bytes(stamp[IDENTITY_BYTES:], "big")
        if identity in first:
            copies[place] = first[identity]
        else:
            first[identity] = content
    return copies
