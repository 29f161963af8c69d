"""What the records of a plan's topic are to the oracle of its domain: which there are, which of them count."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from engines.cost.anomalies import FACTS_TOPIC
from engines.cost.domain import TOPIC as COSTS
from engines.runs.domain import TOPIC as RUNS
from engines.runs.lines import FEEDBACK_TOPIC, PREDICTIONS_TOPIC
from tests.oracle import LogRecord, Record, decode
from tests.oracle.runs import Run
from tests.oracle.runs import decode as decode_run
from tests.oracle.runs import walk as walk_of_runs
from tests.oracle.walk import Judged, Walk
from tests.simulation.faults import Plan
from tests.simulation.rules import Identity

TOLD = {COSTS: {FACTS_TOPIC: "anomaly_id"}, RUNS: {FEEDBACK_TOPIC: "feedback_id", PREDICTIONS_TOPIC: "prediction_id"}}
"""By input topic: where what is told goes, in revisions, and by which member it is known there."""


class Counted(NamedTuple):
    """A record that counts."""

    place: int
    identity: Identity


def topic_of(plan: Plan) -> str:
    """Return the input topic."""
    return RUNS if plan.runs else COSTS


def identity_in(topic: str, value: bytes | None, headers: Sequence[tuple[str, bytes]]) -> Identity | None:
    """Return what a record of *topic* is known by, None when nobody can read it."""
    if topic == RUNS:
        run = decode_run(value, headers)
        return run.identity if isinstance(run, Run) else None
    record = decode(value, tuple(headers))
    return record.identity if isinstance(record, Record) else None


def counted(plan: Plan, log: Sequence[LogRecord], partitions: int) -> Iterator[Counted]:
    """Yield the records of a partition's *log* that are accepted, or correct what is closed."""
    if not log or log[0].partition is None:
        return
    if plan.runs:
        for judged in walk_of_runs.Walk(log[0].partition, partitions).fates(log):
            if judged.fate == "accepted" and judged.run is not None:
                yield Counted(judged.offset, judged.run.identity)
        return
    for step in Walk(log[0].partition, partitions, dedup_days=plan.limits.dedup_days).steps(log):
        if isinstance(step, Judged) and step.counted is not None and step.record is not None:
            yield Counted(step.offset, step.record.identity)


def guilty(topic: str, log: Sequence[LogRecord]) -> Collection[Identity]:
    """Return what of *log* may be blamed, in order: all that can be read, each once."""
    found = (identity_in(topic, entry.value, entry.headers) for entry in log)
    return dict.fromkeys(identity for identity in found if identity is not None)
