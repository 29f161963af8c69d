"""The verdict: everything stored, committed and published, held against the oracle's reading of the log as it became.

What is committed is exact. What is published is what was ever committed: all of it, and nothing that is not committed
now, or told again identically.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, cast

import msgspec

from engines.core.model import OutboxRow, Position, TopicPartition
from engines.core.tables import SNAPSHOTS
from engines.cost.anomalies import FACTS_TOPIC
from engines.cost.fold import CAPPED
from engines.cost.lines import SNAPSHOTS_TOPIC, SnapshotValues, snapshot_line
from streams import fates
from tests.oracle import Line, Options, Outcome, judged
from tests.simulation import published, told, truth
from tests.simulation.differences import SHOWN, differ
from tests.simulation.faults import Kind
from tests.simulation.feeds import Feed
from tests.simulation.truth import POISON, Truth
from tests.simulation.world import World


def problems(world: World, feed: Feed) -> list[str]:
    """Return every difference between the world and the oracle, each in one line; none: all is well."""
    positions = {tp: position for tp in world.broker.partitions if (position := world.position(tp)) is not None}
    true = truth.read(world, feed)
    outcome, revisions = judged(true.log, _options(world, positions, true))
    world.mishaps.happened(Kind.RESTATED, outcome.summary["restated"])
    committed = {tp: world.store_for(tp).sent[tp] for tp in positions}
    lines = _lines(row for rows in committed.values() for row in rows.values())
    return [
        *true.problems,
        *_counts(positions, outcome),
        *_ends(positions, outcome),
        *_released(positions),
        *differ("snapshots", outcome.snapshots, _snapshots(world, positions)),
        *told.problems(world, outcome, revisions, lines(FACTS_TOPIC)),
        *differ("dead letters", _real(world, outcome.dead), map(_dead, lines(fates.DEAD_LETTERS))),
        *differ("late records", _real(world, outcome.late), lines(fates.LATE_RECORDS)),
        *_published_snapshots(world, outcome, lines(SNAPSHOTS_TOPIC)),
        *_forwarded(world, outcome, committed),
        *_sequences(positions, committed),
        *published.problems(world, feed, committed),
    ]


def _options(world: World, positions: dict[TopicPartition, Position], true: Truth) -> Options:
    operator = world.operator
    return Options(
        partitions=len(world.broker.partitions),
        closed_through={tp.partition: p.closed_through for tp, p in positions.items() if p.closed_through is not None},
        append_forwarded=False,
        dedup_days=world.plan.limits.dedup_days,
        entities_max=world.plan.entities_max,
        settings=operator.known(true.accepted) if operator.late else operator.rows,
    )


def _lines(rows: Iterable[OutboxRow]) -> Any:
    """Return what tells the lines that are sent to a topic."""
    values: dict[str, list[bytes]] = {}
    for row in rows:
        values.setdefault(row.topic, []).append(row.value or b"null")
    return lambda topic: [msgspec.json.decode(value) for value in values.get(topic, ())]


def _counts(positions: dict[TopicPartition, Position], outcome: Outcome) -> Iterator[str]:
    wanted = {name: outcome.summary[name] for name in (fates.EVENTS, *fates.FATES, fates.CONFLICTING, fates.RESTATED)}
    for name, n in (wanted | {CAPPED: outcome.capped}).items():
        counted = sum(position.counts.get(name, 0) for position in positions.values())
        if counted != n:
            yield f"count of {name}: {counted}, the oracle has {n}"
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


def _published_snapshots(world: World, outcome: Outcome, lines: Iterable[Line]) -> Iterator[str]:
    """Return what is wrong with the snapshots sent: in the end the newest of each is the one that is complete."""
    newest: dict[tuple[str, ...], Line] = {}
    seen: dict[tuple[object, ...], Line] = {}
    for line in lines:
        key = tuple(line[name] for name in ("tenant_id", "entity_type", "entity_id", "window", "start"))
        if seen.setdefault((*key, line["version"]), line) != line:
            yield f"two contents of one version: {line} and {seen[*key, line['version']]}"
        if key not in newest or newest[key]["version"] < line["version"]:
            newest[key] = line
    due = [line for line in outcome.snapshots if line["status"] == "complete"] if world.plan.publish_snapshots else []
    yield from differ("published snapshots", due, newest.values())


def _real(world: World, lines: Iterable[Line]) -> Iterator[Line]:
    """Return the oracle's *lines* with offsets for places."""
    for line in lines:
        tp = world.broker.partitions[line["partition"]]
        yield line | {"offset": world.broker.history.offset(tp, line["offset"])}


def _dead(line: Line) -> Line:
    """Of a reason only its first word is promised, and only that of `future`."""
    if "poison" in line["reason"] or line["reason"].startswith(truth.BURIED):
        line["value_base64"] = base64.b64encode(POISON).decode()
    return line | {"reason": "future" if line["reason"].startswith("future") else line["reason"]}


def _forwarded(world: World, outcome: Outcome, committed: dict[TopicPartition, dict[int, OutboxRow]]) -> Iterator[str]:
    """Every forwarded record is sent home once."""
    topic = world.broker.partitions[0].topic
    places = [(one.partition, one.offset) for one in outcome.fates if one.fate == "forwarded"]
    due = Counter(
        f"{topic}/{partition}/{world.broker.history.offset(world.broker.partitions[partition], place)}"
        for partition, place in places
    )
    sent = (row for rows in committed.values() for row in rows.values() if row.topic == topic)
    found = Counter(value.decode() for row in sent for name, value in row.headers[-1:] if name == fates.FORWARDED_FROM)
    if found != due:
        yield f"forwarded: only here {list(found - due)[:SHOWN]}, only in the oracle {list(due - found)[:SHOWN]}"


def _sequences(
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
