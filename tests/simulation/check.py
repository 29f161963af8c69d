"""The verdict: everything stored and published, held against the oracle's reading of the log as it came to be."""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterator
from typing import Any, cast

from engines.core import model
from engines.core.model import Position, TopicPartition
from engines.core.tables import SNAPSHOTS
from engines.cost.anomalies import FACTS_TOPIC
from engines.cost.lines import SnapshotValues, snapshot_line
from streams import fates
from tests.oracle import Line, LogRecord, Outcome, Record, Setting, decode, evaluate, revisions
from tests.oracle.walk import Judged, Walk
from tests.simulation.differences import SHOWN, differ
from tests.simulation.told import lines
from tests.simulation.told import problems as told_problems
from tests.simulation.world import World

POISON = b"poison"


def problems(world: World, poison: Collection[str] = ()) -> list[str]:
    """Return every difference between the world and the oracle, each in one line; none: all is well.

    Args:
        poison: ids of records whose folding fails; the oracle is shown a value that it cannot read in their stead.
    """
    positions = {tp: position for tp in world.broker.partitions if (position := world.position(tp)) is not None}
    log = _log(world, poison)
    closed = {tp.partition: p.closed_through for tp, p in positions.items() if p.closed_through is not None}
    read: dict[str, Any] = {
        "partitions": len(world.broker.partitions),
        "closed_through": closed,
        "append_forwarded": False,
        "dedup_days": world.plan.limits.dedup_days,
    }
    settings: list[Setting] = world.operator.rows
    if world.operator.late:
        settings = world.operator.known(_accepted(world, log))
    outcome = evaluate(log, **read, settings=settings)
    told = revisions(log, **read, settings=settings)
    return [
        *_counts(positions, outcome),
        *_ends(positions, outcome),
        *_released(positions),
        *differ("snapshots", outcome.snapshots, _snapshots(world, positions)),
        *told_problems(world, outcome, told),
        *differ("dead letters", outcome.dead, _dead(world), repeated=True),
        *differ("late records", outcome.late, lines(world, fates.LATE_RECORDS), repeated=True),
        *_forwarded(world, outcome),
        *_sequences(world, positions, outcome, [one.partition for one in told if one.fact is not None]),
    ]


def _accepted(world: World, log: list[LogRecord]) -> dict[int, list[int]]:
    """Return the offsets of the records that count: no setting decides about them."""
    partitions, dedup_days = len(world.broker.partitions), world.plan.limits.dedup_days
    return {
        at: [
            step.offset
            for step in Walk(at, partitions, dedup_days=dedup_days).steps([one for one in log if one.partition == at])
            if isinstance(step, Judged) and step.counted is not None
        ]
        for at in range(partitions)
    }


def _log(world: World, poison: Collection[str]) -> list[LogRecord]:
    return [
        LogRecord(
            POISON if _id(record) in poison else record.value,
            tuple((name, value) for name, value in record.headers),
            record.timestamp * 1000,
            record.key,
            tp.partition,
            record.offset,
        )
        for tp in world.broker.partitions
        for record in world.broker.log.log(tp).records
    ]


def _id(record: model.LogRecord) -> str | None:
    event = decode(record.value, record.headers)
    return event.id if isinstance(event, Record) else None


def _counts(positions: dict[TopicPartition, Position], outcome: Outcome) -> Iterator[str]:
    for name in (fates.EVENTS, *fates.FATES, fates.CONFLICTING, fates.RESTATED):
        counted = sum(position.counts.get(name, 0) for position in positions.values())
        if counted != outcome.summary[name]:
            yield f"count of {name}: {counted}, the oracle has {outcome.summary[name]}"
    for tp, position in positions.items():
        ends = sum(position.counts.get(fate, 0) for fate in fates.FATES)
        if ends != position.counts.get(fates.EVENTS, 0):
            yield f"{tp}: fates do not add up: {dict(position.counts)}"


def _ends(positions: dict[TopicPartition, Position], outcome: Outcome) -> Iterator[str]:
    for tp, position in positions.items():
        end = outcome.ends[tp.partition]
        here, there = (position.watermark_us, position.closed_through), (end.watermark_us, end.closed_through)
        if here != there:
            yield f"{tp}: watermark and last closed day {here}, the oracle has {there}"


def _released(positions: dict[TopicPartition, Position]) -> Iterator[str]:
    for tp, position in positions.items():
        if not position.released:
            yield f"{tp}: not released by a worker that stopped in good order"


def _snapshots(world: World, positions: dict[TopicPartition, Position]) -> Iterator[Line]:
    for database in world.databases:
        for key, values in database.tables.rows(SNAPSHOTS.name).items():
            tp = TopicPartition(world.broker.partitions[0].topic, cast("int", key[0]))
            yield snapshot_line(cast("SnapshotValues", values), positions[tp].closed_through)


def _dead(world: World) -> Iterator[Line]:
    """Of a reason only its first word is promised, and only that of `future`."""
    for line in lines(world, fates.DEAD_LETTERS):
        if "poison" in line["reason"]:
            line["value_base64"] = base64.b64encode(POISON).decode()
        yield line | {"reason": "future" if line["reason"].startswith("future") else line["reason"]}


def _forwarded(world: World, outcome: Outcome) -> Iterator[str]:
    """Every forwarded record has reached its home, and nothing else bears a forwarding header."""
    topic = world.broker.partitions[0].topic
    due = {f"{topic}/{judged.partition}/{judged.offset}" for judged in outcome.fates if judged.fate == "forwarded"}
    found = {
        value.decode()
        for tp in world.broker.partitions
        for record in world.broker.log.log(tp).records
        for name, value in record.headers
        if name == fates.FORWARDED_FROM
    }
    if found != due:
        yield f"forwarded: only here {sorted(found - due)[:SHOWN]}, only in the oracle {sorted(due - found)[:SHOWN]}"


def _sequences(
    world: World, positions: dict[TopicPartition, Position], outcome: Outcome, told: list[int]
) -> Iterator[str]:
    """Each message is committed exactly once, however often it is published."""
    for tp, position in positions.items():
        own = [judged for judged in outcome.fates if judged.partition == tp.partition]
        due = sum(judged.fate in ("dead", "forwarded") or judged.late_reason is not None for judged in own)
        sent = position.counts.get(f"{fates.SENT}{FACTS_TOPIC}", 0)
        due += sent if world.operator.late else told.count(tp.partition)
        if position.outbox_seq != due:
            yield f"{tp}: {position.outbox_seq} messages committed, the oracle has {due}"
