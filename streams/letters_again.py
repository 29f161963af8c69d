"""Sending dead letters again, and finding out what becomes of them (``outlay dead-letters retry``).

Safe to repeat: a record that counts already is a duplicate by its id. What became of one is read from outside, from the
positions and the topics that tell of records; whether one of many was a duplicate cannot always be told from there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from drivers import topics
from drivers.kafka.murmur2 import partition_of
from drivers.kafka.resend import Resender, Resent
from drivers.kafka.stored import StoredLog
from engines.core.model import Position, TopicPartition
from streams.dead_letters import DeadLetter, Place, Told, Wanted, fate, headers_again, home, parse, parse_late

Positions = Callable[[], Awaitable[Mapping[TopicPartition, Position]]]
Starts = Mapping[int, int]

_GROUP: Final = 200
_GROUP_BYTES: Final = 16 << 20
_LOOK_EVERY_S: Final = 0.5
_NOT_YET: Final = "not taken in yet"


@dataclass(frozen=True, slots=True)
class Around:
    """What sending letters again needs; each is connected.

    Attributes:
        positions: how far each partition is, read anew at each call.
    """

    dead: StoredLog
    late: StoredLog
    resender: Resender
    positions: Positions


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one letter: where it was sent, None when the broker refused it, and how it ended."""

    letter: str
    sent_to: Place | None
    fate: str

    @property
    def counted(self) -> bool:
        """Whether its money is in the totals now."""
        return self.sent_to is not None and self.fate.startswith(("accepted", "duplicate"))


async def chosen(
    log: StoredLog, wanted: Wanted, *, since_ms: int | None = None, newest: int | None = None
) -> AsyncIterator[tuple[tuple[int, int], DeadLetter]]:
    """Yield the *wanted* letters as they lie in *log*, with their own places there; see ``StoredLog.records``."""
    async for records in log.records(since_ms=since_ms, newest=newest):
        for record in records:
            letter = parse(record) if wanted.possible(record.key) else None
            if letter is not None and wanted.has(letter):
                yield (record.partition, record.offset), letter


async def one_of_each(log: StoredLog, wanted: Wanted, since_ms: int | None) -> dict[str, tuple[int, int]]:
    """Return the newest of the *wanted* letters for each record, and where the letter lies.

    Without places to go by, a record that was sent again and died again is one record: its letters have one origin.
    """
    found: dict[str, tuple[int, tuple[int, int]]] = {}
    async for at, letter in chosen(log, wanted, since_ms=since_ms):
        record = letter.origin if wanted.places is None else str(letter.place)
        before = found.get(record)
        if before is None or letter.at_ms >= before[0]:
            found[record] = (letter.at_ms, at)
    return {record: at for record, (_, at) in found.items()}


async def groups(log: StoredLog, at: Sequence[tuple[int, int]]) -> AsyncIterator[list[DeadLetter]]:
    """Yield the letters that lie *at* these places of *log*, a few megabytes at a time."""
    wanted, group, size = set(at), list[DeadLetter](), 0
    starts = {partition: min(offset for p, offset in wanted if p == partition) for partition, _ in wanted}
    async for records in log.records(starts=starts):
        for record in records:
            letter = parse(record) if (record.partition, record.offset) in wanted else None
            if letter is None:
                continue
            group.append(letter)
            size += len(letter.value or b"")
            if len(group) == _GROUP or size >= _GROUP_BYTES:
                yield group
                group, size = [], 0
    if group:
        yield group


async def again(around: Around, at: Sequence[tuple[int, int]], wait_s: float) -> list[Outcome]:
    """Send the letters that lie *at* these places again, wait up to *wait_s* and return what became of them.

    Raises:
        SettingsError: a letter tells of a topic that is none of ours, or not there; what came before it is sent.
        Transient: broker or database is away; what is sent again is a duplicate at most.
    """
    starts = await around.dead.ends(), await around.late.ends()
    before = await around.positions()
    partitions: dict[str, int] = {}
    sent: list[Outcome] = []
    async for letters in groups(around.dead, at):
        await _count(around, letters, partitions)
        sent += await send(around.resender, letters, partitions)
    after = await taken_in(around.positions, sent, wait_s)
    told = await told_since(around.dead, around.late, starts, [tp.topic for tp in after])
    return [_judged(one, before, after, told) for one in sent]


async def planned(around: Around, at: Sequence[tuple[int, int]]) -> list[Outcome]:
    """Return of the letters *at* these places where they would be sent; send nothing. Errors as for ``again``."""
    partitions: dict[str, int] = {}
    found = []
    async for letters in groups(around.dead, at):
        await _count(around, letters, partitions)
        for letter in letters:
            topic = letter.place.topic
            partition = home(letter, partitions[topic], partition_of)
            found.append(Outcome(str(letter.place), None, f"would be sent to {topic}/{partition}"))
    return found


async def _count(around: Around, letters: Sequence[DeadLetter], partitions: dict[str, int]) -> None:
    """Complete *partitions* by the topics that *letters* tell of."""
    for topic in {letter.place.topic for letter in letters} - partitions.keys():
        partitions[topic] = await around.resender.partitions(topics.load().named(topic).name)


async def send(resender: Resender, letters: Sequence[DeadLetter], partitions: Mapping[str, int]) -> list[Outcome]:
    """Send *letters* home and return where each came to lie; *partitions* of each topic. Raises Transient."""
    records = [
        Resent(
            letter.place.topic,
            home(letter, partitions[letter.place.topic], partition_of),
            letter.key,
            letter.value,
            headers_again(letter),
        )
        for letter in letters
    ]
    outcomes = []
    for letter, record, got in zip(letters, records, await resender.send(records), strict=True):
        if isinstance(got, int):
            place = Place(record.topic, record.partition, got)
            outcomes.append(Outcome(str(letter.place), place, _NOT_YET))
        else:
            outcomes.append(Outcome(str(letter.place), None, f"the broker refuses it: {got}"))
    return outcomes


async def taken_in(
    positions: Positions, sent: Sequence[Outcome], wait_s: float
) -> dict[TopicPartition, Mapping[str, int]]:
    """Wait until what was *sent* is taken in and told of; return the counts of each partition then.

    Partitions that do not come so far within *wait_s* are left out. Raises Transient.
    """
    last: dict[TopicPartition, int] = {}
    for place in (one.sent_to for one in sent if one.sent_to is not None):
        tp = TopicPartition(place.topic, place.partition)
        last[tp] = max(last.get(tp, 0), place.offset)
    passed: dict[TopicPartition, Position] = {}
    told: dict[TopicPartition, Mapping[str, int]] = {}
    deadline_s = time.monotonic() + wait_s
    while True:
        now = await positions()
        for tp, offset in last.items():
            if tp in now and now[tp].next_offset > offset:
                first = passed.setdefault(tp, now[tp])
                if now[tp].published >= first.outbox_seq:  # by then the topics tell of it
                    told.setdefault(tp, first.counts)
        if len(told) == len(last) or time.monotonic() >= deadline_s:
            return told
        await asyncio.sleep(_LOOK_EVERY_S)


def _judged(
    one: Outcome,
    before: Mapping[TopicPartition, Position],
    after: Mapping[TopicPartition, Mapping[str, int]],
    told: Told,
) -> Outcome:
    if one.sent_to is None:
        return one
    tp = TopicPartition(one.sent_to.topic, one.sent_to.partition)
    counts = after.get(tp)
    if counts is None:
        return one
    start = before[tp].counts if tp in before else {}
    moved = {name: n - start.get(name, 0) for name, n in counts.items()}
    restated = sum(place[:2] == tp and reason == "restated" for place, reason in told.late.items())
    moved["accepted"] = moved.get("accepted", 0) - restated  # of these it is known
    return Outcome(one.letter, one.sent_to, fate(one.sent_to, told, moved))


async def told_since(dead: StoredLog, late: StoredLog, starts: tuple[Starts, Starts], inputs: Sequence[str]) -> Told:
    """Return what the two topics tell of records of *inputs* from *starts* on. Raises Transient."""
    letters: dict[Place, str] = {}
    async for records in dead.records(starts=starts[0]):
        letters |= {letter.place: letter.summary for letter in map(parse, records) if letter is not None}
    lines: dict[Place, str] = {}
    async for records in late.records(starts=starts[1]):
        for line in map(parse_late, records):
            if line is not None:  # which input topic it is about, it does not say
                lines |= {Place(topic, line.partition, line.offset): line.reason for topic in inputs}
    return Told(letters, lines)
