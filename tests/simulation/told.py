"""What was told of anomalies, stored and committed for publishing, held against the oracle.

Where rows were set while workers ran, what is provisional depends on where between two records each came to be known,
and on what crashed then; what is closed does not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from engines.core.tables import ANOMALIES
from engines.cost.anomalies import FINAL, PROVISIONAL, WITHDRAWN
from tests.oracle import Line, Outcome, Revision
from tests.simulation.differences import SHOWN, differ, frozen
from tests.simulation.world import World

_LINE = [column.name for column in ANOMALIES.columns].index("line")


def problems(world: World, outcome: Outcome, told: Sequence[Revision], facts: Sequence[Line]) -> Iterator[str]:
    """Return the differences.

    Args:
        told: every revision that the oracle tells, in order.
        facts: those that are committed, each once.
    """
    stored = [
        json.loads(cast("str", values[_LINE]))
        for database in world.databases
        for values in cast("Iterable[tuple[object, ...]]", database.tables.rows(ANOMALIES.name).values())
    ]
    yield from _agree(_newest(stored), _newest(facts))
    yield from _final(_newest(stored))
    if world.operator.late:
        wanted = [one.line for one in told]
        yield from differ("closed anomalies", _closed(wanted), _closed(stored), repeated=True)
        high = (one.fact for one in told if one.fact is not None and _is_final_high(one.fact))
        yield from differ("closed facts", high, filter(_is_final_high, facts))
    else:
        yield from differ("anomalies", (one.line for one in told), stored, repeated=True)
        yield from differ("newest anomalies", outcome.anomalies, _newest(stored).values())
        yield from differ("facts", (one.fact for one in told if one.fact is not None), facts)
        yield from differ("newest facts", outcome.facts, _newest(facts).values())


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
