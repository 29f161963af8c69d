"""The verdict on a world of runs: see ``check``. In the end all is settled, so what stands is what was told for good.

Without acknowledgements on the way, all that was told, in order, is what one worker tells to whom nothing happens.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from engines.core.model import OutboxRow, Position, TopicPartition
from engines.core.tables import PATTERN_FEEDBACK, PREDICTION_EVENTS
from engines.runs.lines import FEEDBACK_TOPIC, PREDICTIONS_TOPIC
from streams import fates
from tests.oracle import Setting
from tests.oracle.records import HOUR_US, LogRecord
from tests.oracle.runs import Acknowledgement, Line, Outcome, evaluate, telling
from tests.simulation.committed import dead, lines_by_topic, real
from tests.simulation.differences import SHOWN, differ
from tests.simulation.truth import Truth
from tests.simulation.world import World
from tests.streams.plain_odds import ODDS, plain_odds
from tests.streams.running_runs import run

_TOLD = (FEEDBACK_TOPIC, PREDICTIONS_TOPIC)
_TABLES = (PATTERN_FEEDBACK, PREDICTION_EVENTS)
Committed = Mapping[TopicPartition, Mapping[int, OutboxRow]]


def outcome_of(world: World, positions: Mapping[TopicPartition, Position], true: Truth) -> Outcome:
    """Return what the oracle makes of a world, up to where it is settled, without acknowledgements."""
    return _evaluate(world, positions, true, [])


def problems(
    world: World, positions: Mapping[TopicPartition, Position], true: Truth, outcome: Outcome, committed: Committed
) -> Iterator[str]:
    """Yield what differs."""
    lines = lines_by_topic(row for rows in committed.values() for row in rows.values())
    yield from _counts(positions, outcome)
    yield from _ends(positions, outcome)
    yield from differ("dead letters", real(world, outcome.dead), map(dead, lines(fates.DEAD_LETTERS)))
    yield from differ("late records", real(world, outcome.late), lines(fates.LATE_RECORDS))
    yield from _told(world, positions, true, committed)
    if world.plan.rich:
        yield from _odds(positions, outcome, lines(PREDICTIONS_TOPIC))
    if not world.operator.late:
        away = {(one.partition, one.offset) for one in outcome.fates if one.fate == "forwarded"}
        home = [entry for entry in true.log if (entry.partition, entry.offset) not in away]  # copies are there, or lost
        yield from _undisturbed(world, home, committed)


def said_in(row: Setting) -> Acknowledgement:
    """Return what a settings row says."""
    return Acknowledgement(row.tenant_id, **row.body)


def _evaluate(
    world: World,
    positions: Mapping[TopicPartition, Position],
    true: Truth,
    acknowledgements: Sequence[Acknowledgement],
) -> Outcome:
    settled = {
        tp.partition: (position.closed_through + 1) * HOUR_US
        for tp, position in positions.items()
        if position.closed_through is not None
    }
    return evaluate(
        true.log,
        partitions=len(world.broker.partitions),
        append_forwarded=False,
        settled_us=settled,
        acknowledgements=acknowledgements,
    )


def _told(
    world: World, positions: Mapping[TopicPartition, Position], true: Truth, committed: Committed
) -> Iterator[str]:
    def by_id(acknowledgements: Sequence[Acknowledgement]) -> dict[str, Line]:
        outcome = _evaluate(world, positions, true, acknowledgements)
        return {telling.id_of(line): line for line in [*outcome.feedback, *outcome.predictions]}

    acknowledgements = [said_in(row) for row in world.operator.rows]
    told: list[Line] = []
    for rows in committed.values():
        mine = [json.loads(row.value or b"") for _, row in sorted(rows.items()) if row.topic in _TOLD]
        yield from telling.order(mine)
        told += mine
    once, twice = telling.once(told)
    yield from twice
    stored, _ = telling.once(_stored(world))
    yield from telling.stored(stored, once)
    newest = telling.highest(line for line in stored.values() if not _is_odds(line))
    left = [line for line in newest.values() if line["status"] in ("active", "provisional")]
    if left:
        yield f"not settled though all is closed: {left[:SHOWN]}"
    yield from telling.last(newest, acknowledgements, by_id, all_known=not world.operator.late)
    yield from telling.newest_told((line for line in told if not _is_odds(line)), by_id([]))


def _stored(world: World) -> Iterator[Line]:
    for database in world.databases:
        for table in _TABLES:
            at = [column.name for column in table.columns].index("line")
            for values in database.tables.rows(table.name).values():
                yield json.loads(cast("str", values[at]))


def _odds(positions: Mapping[TopicPartition, Position], outcome: Outcome, lines: Iterable[Line]) -> Iterator[str]:
    """Yield what is wrong with how likely it was said that runs fail."""
    wanted: list[Line] = []
    for tp, position in positions.items():
        accepted = (one.run for one in outcome.fates if one.fate == "accepted" and one.partition == tp.partition)
        wanted += plain_odds([run for run in accepted if run is not None], position.closed_through)
    yield from differ("odds", wanted, filter(_is_odds, lines))


def _is_odds(line: Line) -> bool:
    return bool(line.get("prediction_type") == ODDS)


def _undisturbed(world: World, log: Sequence[LogRecord], committed: Committed) -> Iterator[str]:
    """Yield of which tenants something else was told than by one worker that takes in the same log."""
    calm = asyncio.run(
        run(
            log,
            lambda: 50,
            partitions=len(world.broker.partitions),
            settings=world.operator.rows,
            calibrated=world.plan.rich,
            close_all=True,
        )
    )
    rows = [row for of_one in committed.values() for _, row in sorted(of_one.items()) if row.topic in _TOLD]
    here, there = _by_tenant(rows), _by_tenant(calm.published)
    for tenant in here.keys() | there.keys():
        ours, theirs = here.get(tenant, []), there.get(tenant, [])
        if ours != theirs:
            at = next((n for n, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]), -1)
            numbers = f"{len(ours)} messages, {len(theirs)} undisturbed"
            yield f"{tenant!r}: {numbers}; the first other: {ours[at:][:1]}, {theirs[at:][:1]}"


def _by_tenant(rows: Iterable[OutboxRow]) -> dict[bytes | None, list[Any]]:
    told: dict[bytes | None, list[Any]] = {}
    for row in rows:
        told.setdefault(row.route, []).append((row.topic, row.key, row.value, [tuple(one) for one in row.headers]))
    return told


def _counts(positions: Mapping[TopicPartition, Position], outcome: Outcome) -> Iterator[str]:
    for name in (fates.EVENTS, "accepted", "duplicates", fates.CONFLICTING, "dead", "late", "forwarded"):
        counted = sum(position.counts.get(name, 0) for position in positions.values())
        if counted != outcome.summary[name]:
            yield f"count of {name}: {counted}, the oracle has {outcome.summary[name]}"


def _ends(positions: Mapping[TopicPartition, Position], outcome: Outcome) -> Iterator[str]:
    for tp, position in positions.items():
        if position.watermark_us != outcome.ends[tp.partition].watermark_us:
            yield f"{tp}: watermark {position.watermark_us}, the oracle has {outcome.ends[tp.partition].watermark_us}"
