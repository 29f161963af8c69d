"""The verdict: everything stored and published, held against the oracle's reading of the log as it came to be."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from decimal import Decimal
from typing import Any, cast

from engines.core import model
from engines.core.model import Position, TopicPartition
from engines.core.tables import ANOMALIES, SNAPSHOTS
from engines.cost.anomalies import FACTS_TOPIC
from engines.cost.lines import SnapshotValues, snapshot_line
from streams import fates
from tests.oracle import Line, LogRecord, Outcome, Record, comparable, decode, evaluate, publications
from tests.simulation.world import World

SHOWN = 3
POISON = b"poison"
_LINE = [column.name for column in ANOMALIES.columns].index("line")


def problems(world: World, poison: Collection[str] = ()) -> list[str]:
    """Return every difference between the world and the oracle, each in one line; none: all is well.

    Args:
        poison: ids of records whose folding fails; the oracle is shown a value that it cannot read in their stead.
    """
    positions = {tp: position for tp in world.broker.partitions if (position := world.position(tp)) is not None}
    log = _log(world, poison)
    closed = {tp.partition: p.closed_through for tp, p in positions.items() if p.closed_through is not None}
    partitions = len(world.broker.partitions)
    outcome = evaluate(log, partitions=partitions, closed_through=closed, append_forwarded=False)
    told = publications(log, partitions=partitions, closed_through=closed, append_forwarded=False)
    facts = list(_lines(world, FACTS_TOPIC))
    return [
        *_counts(positions, outcome),
        *_ends(positions, outcome),
        *_released(positions),
        *_differ("snapshots", outcome.snapshots, _snapshots(world, positions)),
        *_differ("anomalies", outcome.anomalies, _anomalies(world)),
        *_contents(facts),
        *_differ("facts published", (each.fact for each in told), facts, repeated=True),
        *_differ("newest facts", outcome.facts, _newest(facts)),
        *_differ("dead letters", outcome.dead, _dead(world), repeated=True),
        *_differ("late records", outcome.late, _lines(world, fates.LATE_RECORDS), repeated=True),
        *_forwarded(world, outcome),
        *_sequences(positions, outcome, [each.partition for each in told]),
    ]


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


def _anomalies(world: World) -> Iterator[Line]:
    rows = [json.loads(cast("str", values[_LINE])) for database in world.databases for values in _rows(database.tables)]
    return _newest(rows)


def _rows(tables: Any) -> Iterable[tuple[object, ...]]:
    return cast("Iterable[tuple[object, ...]]", tables.rows(ANOMALIES.name).values())


def _newest(lines: Iterable[Line]) -> Iterator[Line]:
    newest: dict[str, Line] = {}
    for line in lines:
        held = newest.get(line["anomaly_id"])
        if held is None or held["revision"] < line["revision"]:
            newest[line["anomaly_id"]] = line
    yield from newest.values()


def _lines(world: World, topic: str) -> Iterator[Line]:
    """Return what was ever published to *topic*, in order, repeats included."""
    for partition in range(world.broker.log.partitions(topic)):
        for record in world.broker.log.log(TopicPartition(topic, partition)).records:
            yield json.loads(record.value or b"null")


def _dead(world: World) -> Iterator[Line]:
    """Of a reason only its first word is promised, and only that of `future`."""
    for line in _lines(world, fates.DEAD_LETTERS):
        if "poison" in line["reason"]:
            line["value_base64"] = base64.b64encode(POISON).decode()
        yield line | {"reason": "future" if line["reason"].startswith("future") else line["reason"]}


def _contents(facts: Iterable[Line]) -> Iterator[str]:
    contents: dict[tuple[str, int], Line] = {}
    for fact in facts:
        first = contents.setdefault((fact["anomaly_id"], fact["revision"]), fact)
        if first != fact:
            yield f"two contents of one revision: {first} and {fact}"


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


def _sequences(positions: dict[TopicPartition, Position], outcome: Outcome, told: list[int]) -> Iterator[str]:
    """Each message is committed exactly once, however often it is published."""
    for tp, position in positions.items():
        own = [judged for judged in outcome.fates if judged.partition == tp.partition]
        due = sum(judged.fate in ("dead", "forwarded") or judged.late_reason is not None for judged in own)
        due += told.count(tp.partition)
        if position.outbox_seq != due:
            yield f"{tp}: {position.outbox_seq} messages committed, the oracle has {due}"


def _differ(what: str, wanted: Iterable[Line], found: Iterable[Line], *, repeated: bool = False) -> Iterator[str]:
    """Compare as bags, or as sets when what is found may be *repeated*."""
    here, there = [_frozen(comparable(line)) for line in found], [_frozen(comparable(line)) for line in wanted]
    if repeated:
        here, there = list(dict.fromkeys(here)), list(dict.fromkeys(there))
    only_here, only_there = Counter(here) - Counter(there), Counter(there) - Counter(here)
    if only_here or only_there:
        yield (
            f"{what}: {only_here.total()} only here, {only_there.total()} only in the oracle\n"
            + "".join(f"    here   {line}\n" for line in list(only_here)[:SHOWN])
            + "".join(f"    oracle {line}\n" for line in list(only_there)[:SHOWN])
        ).rstrip()


def _frozen(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=lambda each: float(each) if isinstance(each, Decimal) else each)
