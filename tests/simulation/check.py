"""The verdict: everything stored, committed and published, held against the oracle's reading of the log as it became.

What is committed is exact. What is published is what was ever committed: all of it, and nothing that is not committed
now, or told again identically.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import cast

from engines.core.model import OutboxRow, Position, TopicPartition
from engines.core.tables import SNAPSHOTS
from engines.cost.anomalies import FACTS_TOPIC
from engines.cost.fold import CAPPED
from engines.cost.lines import SNAPSHOTS_TOPIC, SnapshotValues, snapshot_line
from streams import fates
from tests.oracle import Line, Options, Outcome, Revision, judged
from tests.simulation import check_runs, published, told, truth
from tests.simulation.committed import Judged, dead, forwarded, lines_by_topic, real, released, sequences
from tests.simulation.differences import differ
from tests.simulation.faults import Kind
from tests.simulation.feeds import Feed
from tests.simulation.truth import Truth
from tests.simulation.world import World


def problems(world: World, feed: Feed) -> list[str]:
    """Return every difference between the world and the oracle, each in one line; none: all is well."""
    positions = {tp: position for tp in world.broker.partitions if (position := world.position(tp)) is not None}
    true = truth.read(world, feed)
    committed = {tp: world.store_for(tp).sent[tp] for tp in positions}
    if world.plan.runs:
        of_runs = check_runs.outcome_of(world, positions, true)
        judged_fates: Iterable[Judged] = of_runs.fates
        own = list(check_runs.problems(world, positions, true, of_runs, committed))
    else:
        outcome, revisions = judged(true.log, _options(world, positions, true))
        world.mishaps.happened(Kind.RESTATED, outcome.summary["restated"])
        judged_fates, own = outcome.fates, list(_costs(world, positions, outcome, revisions, committed))
    return [
        *true.problems,
        *_fates(positions),
        *own,
        *released(positions),
        *forwarded(world, judged_fates, committed),
        *sequences(positions, committed),
        *published.problems(world, feed, committed),
    ]


def _costs(
    world: World,
    positions: dict[TopicPartition, Position],
    outcome: Outcome,
    revisions: list[Revision],
    committed: dict[TopicPartition, dict[int, OutboxRow]],
) -> Iterator[str]:
    lines = lines_by_topic(row for rows in committed.values() for row in rows.values())
    yield from _counts(positions, outcome)
    yield from _ends(positions, outcome)
    yield from differ("snapshots", outcome.snapshots, _snapshots(world, positions))
    yield from told.problems(world, outcome, revisions, lines(FACTS_TOPIC))
    yield from differ("dead letters", real(world, outcome.dead), map(dead, lines(fates.DEAD_LETTERS)))
    yield from differ("late records", real(world, outcome.late), lines(fates.LATE_RECORDS))
    yield from _published_snapshots(world, outcome, lines(SNAPSHOTS_TOPIC))


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


def _counts(positions: dict[TopicPartition, Position], outcome: Outcome) -> Iterator[str]:
    wanted = {name: outcome.summary[name] for name in (fates.EVENTS, *fates.FATES, fates.CONFLICTING, fates.RESTATED)}
    for name, n in (wanted | {CAPPED: outcome.capped}).items():
        counted = sum(position.counts.get(name, 0) for position in positions.values())
        if counted != n:
            yield f"count of {name}: {counted}, the oracle has {n}"


def _fates(positions: dict[TopicPartition, Position]) -> Iterator[str]:
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
