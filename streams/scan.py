"""The pre-scan: what becomes of each record of a chunk, and where closes cut it.

Pure but for the identity index it is given. It decides fates one by one in offset order (CONTRACT §1-§3) and moves
the watermark, so that what follows can fold in bulk: the chunk's size never shows in an output.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from engines.core.model import Effects, Invalid, Record, TopicPartition
from engines.core.ports import Domain, Event
from engines.core.time import US_PER_DAY, format_instant
from streams import fates
from streams.homes import Homes
from streams.identity import Identities, item

GAP_US = 60_000_000
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
    """A stretch of log between two closes: folded as one, then days up to ``cursor.closed_through`` are closed."""

    events: list[Event] = field(default_factory=list)
    effects: Effects = field(default_factory=Effects)
    ids: dict[int, bytearray] = field(default_factory=dict)
    next_offset: int = 0
    cursor: Cursor = Cursor(None, None, None)


class _Candidate(NamedTuple):
    event: Event
    day: int
    identity: bytes
    segment: Segment


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
        for record in records:
            scan.take(record, poison)
        return scan.finish(end)


class _Scan:
    """One pass over a chunk: where event time stands, and what is known of the records so far."""

    __slots__ = ("_candidates", "_closed", "_due", "_last_append_ms", "_scanner", "_segment", "_watermark", "segments")

    def __init__(self, scanner: Scanner, cursor: Cursor) -> None:
        self._scanner = scanner
        self._watermark = cursor.watermark_us
        self._last_append_ms = cursor.last_append_ms
        self._closed = cursor.closed_through
        self._due = None if self._closed is None else scanner.domain.next_due(self._closed)
        self._segment = Segment()
        self.segments = [self._segment]
        self._candidates: list[_Candidate] = []

    def take(self, record: Record, poison: Mapping[int, str]) -> None:
        """Decide what becomes of *record*, but for whether it is a copy of an earlier one."""
        scanner = self._scanner
        event = Invalid(None, poison[record.offset]) if record.offset in poison else scanner.domain.decode(record)
        if isinstance(event, Invalid):
            self._bury(record, event)
            return
        if scanner.homes.home_of(event.tenant_id) != scanner.tp.partition:
            self._forward(record, event)
            return
        if self._watermark is not None:
            self._pass_gap(record)
        self._last_append_ms = record.timestamp
        occurred_at = event.occurred_at
        day = occurred_at // US_PER_DAY
        if self._closed is not None and day <= self._closed:
            self._too_late(record, event)
        else:
            self._candidates.append(_Candidate(event, day, scanner.domain.identity(event), self._segment))
        if self._watermark is None or occurred_at - DISORDER_US > self._watermark:
            self._watermark = occurred_at - DISORDER_US
            if self._due is None or self._watermark >= self._due:
                self._cut(record.offset + 1)

    def finish(self, end: int) -> list[Segment]:
        """Return the segments, the last one ending at *end*, with the first copies as their events."""
        self._segment.next_offset = end
        self._segment.cursor = Cursor(self._watermark, self._last_append_ms, self._closed)
        self._settle(self._known())
        for segment in self.segments:
            counts = segment.effects.counts
            counts[fates.ACCEPTED] = len(segment.events)
            counts[fates.EVENTS] = sum(counts.get(fate, 0) for fate in fates.FATES)
        return self.segments

    def _pass_gap(self, record: Record) -> None:
        """Move the watermark by the silence before *record*, when that is long enough to be one."""
        if self._watermark is None or self._last_append_ms is None:
            return
        gap_us = (record.timestamp - self._last_append_ms) * 1000
        if gap_us > GAP_US:
            self._watermark += gap_us
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

    def _known(self) -> list[int | None]:
        """Return, for each candidate, the content checksum of the copy counted in an earlier chunk, if any."""
        known: list[int | None] = [None] * len(self._candidates)
        by_day: dict[int, list[int]] = {}
        for at, candidate in enumerate(self._candidates):
            by_day.setdefault(candidate.day, []).append(at)
        for day, places in by_day.items():
            asked = [self._candidates[at].identity for at in places]
            for found, content in self._scanner.identities.known(day, asked).items():
                known[places[found]] = content
        return known

    def _settle(self, known: Sequence[int | None]) -> None:
        """Give each candidate its fate, in offset order: the first copy is accepted, later ones are duplicates."""
        content_of = self._scanner.domain.content
        fresh: dict[bytes, int] = {}
        first_copies: dict[int, bytearray] = {}
        for (event, day, identity, segment), counted in zip(self._candidates, known, strict=True):
            content = content_of(event)
            first = fresh.get(identity) if counted is None else counted
            if first is not None:
                segment.effects.count(fates.DUPLICATES)
                if first != content:
                    segment.effects.count(fates.CONFLICTING)
                continue
            fresh[identity] = content
            entry = item(identity, content)
            first_copies.setdefault(day, bytearray()).extend(entry)
            segment.ids.setdefault(day, bytearray()).extend(entry)
            segment.events.append(event)
        for day, body in first_copies.items():
            self._scanner.identities.add(day, bytes(body))
