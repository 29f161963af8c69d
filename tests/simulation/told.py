"""What was told of anomalies, stored and published, held against the oracle.

Where rows were set while workers ran, what is provisional depends on where between two records each came to be known,
and on what crashed then; what is closed does not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from engines.core.model import TopicPartition
from engines.core.tables import ANOMALIES
from engines.cost.anomalies import FACTS_TOPIC, FINAL, PROVISIONAL, WITHDRAWN
from tests.oracle import Line, Outcome, Revision
from tests.simulation.differences import SHOWN, differ, frozen
from tests.simulation.faults import Kind
from tests.simulation.world import World

_LINE = [column.name for column in ANOMALIES.columns].index("line")


def problems(world: World, outcome: Outcome, told: Sequence[Revision]) -> Iterator[str]:
    """Return the differences; *told* is every revision that the oracle tells, in order."""
    stored = [
        json.loads(cast("str", values[_LINE]))
        for database in world.databases
        for values in cast("Iterable[tuple[object, ...]]", database.tables.rows(ANOMALIES.name).values())
    ]
    facts = list(lines(world, FACTS_TOPIC))
    if not _retold(world):
        yield from _contents(facts)
        yield from _agree(_newest(stored), _newest(facts))
    yield from _contents(line for line in facts if line["status"] == FINAL)
    yield from _final(_newest(stored))
    if world.operator.late:
        wanted = [one.line for one in told]
        yield from differ("closed anomalies", _closed(wanted), _closed(stored), repeated=True)
        high = (one.fact for one in told if one.fact is not None and _is_final_high(one.fact))
        yield from differ("closed facts", high, filter(_is_final_high, facts), repeated=True)
    else:
        yield from differ("anomalies", (one.line for one in told), stored, repeated=True)
        yield from differ("newest anomalies", outcome.anomalies, _newest(stored).values())
        yield from differ("facts", (one.fact for one in told if one.fact is not None), facts, repeated=True)
        yield from differ("newest facts", outcome.facts, _newest(facts).values())


def lines(world: World, topic: str) -> Iterator[Line]:
    """Return what was ever published to *topic*, in order, repeats included."""
    for partition in range(world.broker.log.partitions(topic)):
        for record in world.broker.log.log(TopicPartition(topic, partition)).records:
            yield json.loads(record.value or b"null")


def _contents(facts: Iterable[Line]) -> Iterator[str]:
    contents: dict[tuple[str, int], Line] = {}
    for fact in facts:
        first = contents.setdefault((fact["anomaly_id"], fact["revision"]), fact)
        if first != fact:
            yield f"two contents of one revision: {first} and {fact}"


def _retold(world: World) -> bool:
    """Whether what is provisional was told again with other settings: rolled back state meets rows set since.

    The revision counts records and rows together, so the same one may then have two contents; and what was told may
    never come to hold again. Consumers get over it with the final revision, if there is one.
    """
    return bool(world.operator.late and world.weather.struck[Kind.ROLLBACK])


def _agree(stored: Mapping[str, Line], published: Mapping[str, Line]) -> Iterator[str]:
    """In the end the last of each id is the same in the table and on the topic."""
    for anomaly_id, fact in published.items():
        line = stored.get(anomaly_id)
        if line is None or {name: fact[name] for name in line} != line:
            yield f"stored and published differ:\n    stored    {frozen(line)}\n    published {frozen(fact)}"


def _final(stored: Mapping[str, Line]) -> Iterator[str]:
    """In the end all is closed."""
    left = [line for line in stored.values() if line["status"] == PROVISIONAL]
    if left:
        yield f"provisional though its window is closed: {left[:SHOWN]}"


def _newest(found: Iterable[Line]) -> dict[str, Line]:
    newest: dict[str, Line] = {}
    for line in found:
        held = newest.get(line["anomaly_id"])
        if held is None or held["revision"] < line["revision"]:
            newest[line["anomaly_id"]] = line
    return newest


def _closed(found: Iterable[Line]) -> Iterator[Line]:
    """Return what is final, and what was withdrawn that once was."""
    first: dict[str, int] = {}
    kept = sorted(found, key=lambda line: int(line["revision"]))
    for line in kept:
        if line["status"] == FINAL:
            first.setdefault(line["anomaly_id"], line["revision"])
    return (line for line in kept if line["anomaly_id"] in first and _since(line, first[line["anomaly_id"]]))


def _since(line: Line, first: int) -> bool:
    return line["status"] == FINAL or (line["status"] == WITHDRAWN and bool(line["revision"] > first))


def _is_final_high(fact: Any) -> bool:
    return bool(fact["status"] == FINAL and fact["severity"] == "HIGH")
