"""Holds what a deployment left behind of runs against the oracle's reading of the very log it read; see ``exact``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from streams import fates
from tests import oracle
from tests.end_to_end import broker, database, exact
from tests.end_to_end.broker import Stored
from tests.end_to_end.deployment import Deployment
from tests.oracle.runs import Acknowledgement, Line, Outcome, comparable, evaluate, telling, whole_hours

TOPIC = "runs"
TOLD = ("pattern-feedback", "predictions")
FATES = ("events", "accepted", "duplicates", "conflicting", "dead", "late", "forwarded")
_PATIENCE_S = 120.0


@dataclass(frozen=True)
class Left:
    """What a deployment left behind: the log, every line in the topics, every revision that is stored."""

    log: list[oracle.LogRecord]
    told: list[Line]
    rows: list[Line]
    dead: list[Line]
    late: list[Line]
    acknowledgements: list[Acknowledgement]
    positions: dict[int, database.Progress]
    partitions: int

    def count(self, fate: str) -> int:
        """Return how many records came to a *fate*, or are events."""
        return sum(one.counts.get(fate, 0) for one in self.positions.values())


def left(deployment: Deployment) -> Left:
    """Wait until *deployment* is settled; return what it left behind."""
    exact.settled(deployment, _PATIENCE_S, TOPIC)
    url, bootstrap = deployment.database_url, deployment.bootstrap
    log = broker.read(bootstrap, TOPIC)
    rows = [row for row in database.settings(url) if row.kind == "acknowledgement"]
    return Left(
        log=[oracle.LogRecord(r.value, r.headers, r.timestamp_ms * 1000, r.key, r.partition, r.offset) for r in log],
        told=[line for topic in TOLD for line in _lines(broker.read(bootstrap, topic))],
        rows=database.told_of_runs(url),
        dead=exact.dead_of(broker.read(bootstrap, fates.DEAD_LETTERS), TOPIC),
        late=exact.late_of(broker.read(bootstrap, fates.LATE_RECORDS), TOPIC),
        acknowledgements=[Acknowledgement(row.tenant_id, **_said(row)) for row in rows],
        positions=database.progress(url, TOPIC),
        partitions=deployment.partitions,
    )


def problems(found: Left) -> list[str]:
    """Return in what the deployment and the oracle differ; nothing: they are one."""
    outcome = _evaluate(found, [])
    wrong = [
        f"{fate}: {found.count(fate)}, the oracle has {outcome.summary[fate]}"
        for fate in FATES
        if found.count(fate) != outcome.summary[fate]
    ]
    wrong += [
        f"partition {at}: watermark {found.positions[at].watermark_us}, the oracle has {end.watermark_us}"
        for at, end in outcome.ends.items()
        if found.positions[at].watermark_us != end.watermark_us
    ]
    told, twice = telling.once(found.told)
    rows, _ = telling.once(found.rows)
    wrong += twice
    wrong += telling.stored(rows, told)
    newest = telling.highest(rows.values())
    wanted = _by_id(outcome)
    final = {name: line for name, line in wanted.items() if line["revision"] % 2}
    settled = {name: line for name, line in newest.items() if name in final or name not in wanted}
    wrong += telling.last(
        settled,
        found.acknowledgements,
        lambda said: {name: line for name, line in _by_id(_evaluate(found, said)).items() if name in final},
        all_known=False,
    )
    wrong += telling.newest_told(told.values(), wanted)
    wrong += _refused(found, outcome)
    return wrong


def _refused(found: Left, outcome: Outcome) -> Iterable[str]:
    """Yield whether other records are dead or late than the oracle says."""
    for what, here, there in (("dead", found.dead, outcome.dead), ("late", found.late, outcome.late)):
        ours, its = (
            {(line["partition"], line["offset"]): comparable(line) for line in lines} for lines in (here, there)
        )
        if ours != its:
            differing = [at for at in ours.keys() | its.keys() if ours.get(at) != its.get(at)]
            yield f"{what}: {ours.get(differing[0])}, the oracle has {its.get(differing[0])}"


def _evaluate(found: Left, acknowledgements: Sequence[Acknowledgement]) -> Outcome:
    ends = {at: one.watermark_us for at, one in found.positions.items()}
    return evaluate(
        found.log,
        partitions=found.partitions,
        append_forwarded=False,
        settled_us={at: whole_hours(end_us) for at, end_us in ends.items() if end_us is not None},
        acknowledgements=acknowledgements,
    )


def _by_id(outcome: Outcome) -> dict[str, Line]:
    return {telling.id_of(line): line for line in [*outcome.feedback, *outcome.predictions]}


def _said(row: oracle.Setting) -> dict[str, str]:
    return {name: row.body[name] for name in ("feedback_id", "as_of", "acknowledged_at", "acknowledged_by")}


def _lines(records: Iterable[Stored]) -> list[Line]:
    return [json.loads(record.value or b"null") for record in records]
