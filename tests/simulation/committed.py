"""What is committed, whatever the domain: counts that fit each other, messages without a gap, records sent home."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import msgspec

from engines.core.model import OutboxRow, Position, TopicPartition
from streams import fates
from tests.oracle import Line
from tests.simulation import truth
from tests.simulation.differences import SHOWN
from tests.simulation.truth import POISON
from tests.simulation.world import World


class Judged(Protocol):
    """A record and what became of it, in the words of any oracle."""

    @property
    def partition(self) -> int:
        """Where it was read."""

    @property
    def offset(self) -> int:
        """Its place there."""

    @property
    def fate(self) -> str:
        """What became of it."""


def lines_by_topic(rows: Iterable[OutboxRow]) -> Any:
    """Return what tells the lines that are sent to a topic."""
    values: dict[str, list[bytes]] = {}
    for row in rows:
        values.setdefault(row.topic, []).append(row.value or b"null")
    return lambda topic: [msgspec.json.decode(value) for value in values.get(topic, ())]


def released(positions: dict[TopicPartition, Position]) -> Iterator[str]:
    for tp, position in positions.items():
        if not position.released:
            yield f"{tp}: not released by a worker that stopped in good order"


def real(world: World, lines: Iterable[Line]) -> Iterator[Line]:
    """Return the oracle's *lines* with offsets for places."""
    for line in lines:
        tp = world.broker.partitions[line["partition"]]
        yield line | {"offset": world.broker.history.offset(tp, line["offset"])}


def dead(line: Line) -> Line:
    """Of a reason only its first word is promised, and only that of `future`."""
    if "poison" in line["reason"] or line["reason"].startswith(truth.BURIED):
        line["value_base64"] = base64.b64encode(POISON).decode()
    return line | {"reason": "future" if line["reason"].startswith("future") else line["reason"]}


def forwarded(
    world: World, fates_of: Iterable[Judged], committed: dict[TopicPartition, dict[int, OutboxRow]]
) -> Iterator[str]:
    """Every forwarded record is sent home once."""
    topic = world.broker.partitions[0].topic
    places = [(one.partition, one.offset) for one in fates_of if one.fate == "forwarded"]
    due = Counter(
        f"{topic}/{partition}/{world.broker.history.offset(world.broker.partitions[partition], place)}"
        for partition, place in places
    )
    sent = (row for rows in committed.values() for row in rows.values() if row.topic == topic)
    found = Counter(value.decode() for row in sent for name, value in row.headers[-1:] if name == fates.FORWARDED_FROM)
    if found != due:
        yield f"forwarded: only here {list(found - due)[:SHOWN]}, only in the oracle {list(due - found)[:SHOWN]}"


def sequences(
    positions: dict[TopicPartition, Position], committed: dict[TopicPartition, dict[int, OutboxRow]]
) -> Iterator[str]:
    """No number is left out, and what is counted as sent was."""
    for tp, position in positions.items():
        if sorted(committed[tp]) != list(range(1, position.outbox_seq + 1)):
            yield f"{tp}: messages {sorted(committed[tp])} of {position.outbox_seq} are committed"
        sent = Counter(f"{fates.SENT}{row.topic}" for row in committed[tp].values())
        told_of = {name: n for name, n in position.counts.items() if name.startswith(fates.SENT)}
        if dict(sent) != told_of:
            yield f"{tp}: counts of messages {told_of}, committed are {dict(sent)}"
