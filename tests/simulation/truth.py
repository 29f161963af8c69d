"""What the oracle is given to read: the log as it came to be, without what was given up, with what could not be folded.

Of a record that kills, cannot be folded or is refused the oracle sees a value that nobody can read; but only where it
would have been counted: a record that is forwarded or too old harms nobody.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import msgspec

from engines.core.model import TopicPartition
from streams import fates
from tests.oracle import LogRecord
from tests.simulation.feeds import Feed
from tests.simulation.reading import counted, identity_in
from tests.simulation.world import World

POISON = b"poison"
BURIED = "the process died"
"""How the reason of a dead letter begins that killed."""


class Truth(NamedTuple):
    """What is to be held against what was done.

    Attributes:
        log: with places for offsets.
        accepted: the places of the records that count, by partition: no setting decides about them.
        problems: records that were given up after deaths without a reason.
    """

    log: list[LogRecord]
    accepted: dict[int, list[int]]
    problems: list[str]


def read(world: World, feed: Feed) -> Truth:
    """Return the truth about *world*."""
    log, accepted, problems = [], {}, []
    told = {tp: _buried(world, tp) for tp in world.broker.partitions}
    for tp in world.broker.partitions:
        whole = [
            LogRecord(record.value, tuple(record.headers), record.timestamp * 1000, record.key, tp.partition, place)
            for place, record in world.broker.history.kept(tp)
        ]
        part, accepted[tp.partition], innocent = _spoiled(world, feed, whole, told[tp])
        log += part
        problems += innocent
    return Truth(log, accepted, problems)


def dead_lines(world: World, tp: TopicPartition) -> Iterator[dict[str, Any]]:
    """Return the dead lines that are committed in the history that stands."""
    for row in world.store_for(tp).sent[tp].values():
        if row.topic == fates.DEAD_LETTERS:
            yield msgspec.json.decode(row.value or b"")


def _buried(world: World, tp: TopicPartition) -> set[tuple[int, bytes]]:
    return {
        (line["offset"], base64.b64decode(line["value_base64"] or ""))
        for line in dead_lines(world, tp)
        if line["reason"].startswith(BURIED)
    }


def _spoiled(
    world: World, feed: Feed, log: list[LogRecord], buried: set[tuple[int, bytes]]
) -> tuple[list[LogRecord], list[int], list[str]]:
    """Return *log* of one partition as the oracle is to see it, what counts of it, and what is wrong with burials."""
    guilty = feed.killers | feed.poison | feed.refused
    innocent: list[str] = []
    before = -1
    for at, entry in enumerate(log if buried else ()):
        offset = world.broker.history.offset(_tp(world, entry), entry.offset or 0)
        if (offset, entry.value or b"") in buried:
            innocent += _complaint(world, feed, entry, range(before + 1, offset + 1))
            log[at] = replace(entry, value=POISON)
        before = offset
    if not guilty and not world.operator.late:
        return log, [], innocent
    while True:
        counting = list(counted(world.plan, log, len(world.broker.partitions)))
        first = next((one for one in counting if one.identity in guilty), None)
        if first is None:
            return log, [one.place for one in counting], innocent
        log = [replace(entry, value=POISON) if entry.offset == first.place else entry for entry in log]


def _complaint(world: World, feed: Feed, entry: LogRecord, marks: range) -> Iterator[str]:
    """Return what is wrong with a burial: a record is given up only after deaths at it alone.

    Args:
        marks: offsets at which a step began that tried this record alone.
    """
    if identity_in(world.broker.log.topic, entry.value, entry.headers) in feed.killers:
        return
    tp = _tp(world, entry)
    deaths = sum(n for (of, at), n in world.mishaps.deaths_at.items() if of == tp and at in marks)
    if deaths < world.plan.limits.deaths_before_dead_letter:
        yield f"{tp} {marks} was given up after {deaths} deaths: {entry.value!r}"


def _tp(world: World, entry: LogRecord) -> TopicPartition:
    return world.broker.partitions[entry.partition or 0]
