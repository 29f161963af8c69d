"""Holds what a deployment left behind against the oracle's reading of the very log it read.

Topics are read as the contract tells consumers to: at least once, one content per (id, revision), the highest
revision counts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from streams import fates
from tests import oracle
from tests.end_to_end import broker, database
from tests.end_to_end.broker import Stored
from tests.end_to_end.deployment import PARTITIONS, Deployment
from tests.streams.running import price

Line = dict[str, Any]
T = TypeVar("T")
Kept = Callable[[Iterable[Line]], Iterable[Line]]
FACTS = "cost-anomaly-facts"


@dataclass(frozen=True)
class Left:
    """What a deployment left behind.

    `facts` holds each revision once; `anomalies` is what stands, `revisions` every revision of that; `settings` are
    as if known from the start; `closed_by_clock` is, by partition, the day that silence had
    closed at the end, which the log does not tell.
    """

    log: list[oracle.LogRecord]
    facts: dict[tuple[str, int], Line]
    dead: list[Line]
    late: list[Line]
    snapshots: list[Line]
    anomalies: list[Line]
    revisions: list[Line]
    settings: list[oracle.Setting]
    positions: dict[int, database.Progress]
    partitions: int = PARTITIONS
    closed_by_clock: Mapping[int, int] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        """Records by fate and what else adds up, over all partitions."""
        totals: dict[str, int] = {}
        for position in self.positions.values():
            for name, n in position.counts.items():
                totals[name] = totals.get(name, 0) + n
        return totals

    @property
    def newest_facts(self) -> list[Line]:
        """The highest revision of each fact."""
        newest = {anomaly_id: fact for (anomaly_id, _), fact in sorted(self.facts.items())}
        return sorted(newest.values(), key=oracle.order)


@dataclass(frozen=True)
class Wanted:
    """What the oracle makes of a log: how it ends, and every revision told on the way."""

    outcome: oracle.Outcome
    told: list[oracle.Revision]


def settled(deployment: Deployment, patience_s: float = 60.0, topic: str = "costs") -> None:
    """Return when every record of *topic* is taken in, and everything told of it."""

    def drained() -> bool | None:
        found = database.progress(deployment.database_url, topic)
        if len(found) != deployment.partitions or not all(one.told for one in found.values()):
            return None
        ends = broker.ends(deployment.bootstrap, topic)  # read last: what is told may have lengthened the log
        return True if {p: one.next_offset for p, one in found.items()} == ends else None

    deployment.eventually(drained, "everything is taken in and told", patience_s)


def left(deployment: Deployment) -> Left:
    """Read what a settled deployment left behind; fates must add up."""
    url, bootstrap = deployment.database_url, deployment.bootstrap
    positions = database.progress(url)
    for position in positions.values():
        assert sum(position.counts.get(fate, 0) for fate in fates.FATES) == position.events
    log = broker.read(bootstrap, "costs")
    return Left(
        log=[oracle.LogRecord(r.value, r.headers, r.timestamp_ms * 1000, r.key, r.partition, r.offset) for r in log],
        facts=_once((_named(line), line) for line in _lines(broker.read(bootstrap, FACTS))),
        dead=dead_of(broker.read(bootstrap, "dead-letters"), "costs"),
        late=late_of(broker.read(bootstrap, "late-records"), "costs"),
        snapshots=database.snapshots(url),
        anomalies=sorted(database.anomalies(url), key=oracle.order),
        revisions=database.revisions(url),
        settings=database.settings(url),
        positions=positions,
        partitions=deployment.partitions,
    )


def dead_of(records: Iterable[Stored], topic: str) -> list[Line]:
    """Return the dead letters of *topic*, each once."""
    return list(_once((_place(line), line) for line in _lines(records) if line["topic"] == topic).values())


def late_of(records: Iterable[Stored], topic: str) -> list[Line]:
    """Return the lines of late records of *topic*, each once; where one was read is said by its `ce_id` alone."""
    mine = [record for record in records if dict(record.headers)["ce_id"].startswith(f"late:{topic}/".encode())]
    return list(_once((_place(line), line) for line in _lines(mine)).values())


def wanted(found: Left) -> Wanted:
    """Return what the oracle makes of the log that was *found*."""
    read: Any = {
        "partitions": found.partitions,
        "price": price,
        "append_forwarded": False,
        "settings": found.settings,
        "closed_through": found.closed_by_clock,
    }
    return Wanted(oracle.evaluate(found.log, **read), oracle.revisions(found.log, **read))


def exact(deployment: Deployment, *, set_on_the_way: bool = False) -> Left:
    """Wait until *deployment* is settled, hold it against the oracle, and return what it left behind.

    Args:
        deployment: its settings rows are read from its database.
        set_on_the_way: some were appended while workers ran; then what is provisional depends on when each became
            known, and on what crashed then, and is not compared.
    """
    settled(deployment)
    found = left(deployment)
    hold(found, wanted(found), set_on_the_way=set_on_the_way)
    return found


def hold(found: Left, wanted: Wanted, *, set_on_the_way: bool = False) -> None:
    """Hold what was *found* against what is *wanted*; see `exact`."""
    outcome = wanted.outcome
    for partition, end in outcome.ends.items():
        position = found.positions[partition]
        assert (position.watermark_us, position.closed_through) == (end.watermark_us, end.closed_through)
    names = (fates.EVENTS, *fates.FATES, fates.CONFLICTING, fates.RESTATED)
    assert {name: found.counts.get(name, 0) for name in names} == {name: outcome.summary[name] for name in names}
    same(found.snapshots, [_numbers(line) for line in outcome.snapshots])
    same(_refused(found.dead), _refused(outcome.dead))
    same(_comparable(found.late), _comparable(outcome.late))
    _forwarded(found.log, outcome)
    stands = [line for line in outcome.anomalies if line["status"] == "final"]
    same(_comparable(line for line in found.anomalies if line["status"] == "final"), _comparable(stands))
    told = wanted.told
    _revisions(found, [one.line for one in told], _closed if set_on_the_way else list)
    _facts(found, [one.fact for one in told if one.fact is not None], _final_high if set_on_the_way else list)


def _revisions(found: Left, told: Iterable[Line], kept: Kept) -> None:
    """Every revision on the way is as the oracle tells it, as far as it is *kept*."""
    same(_told(kept(found.revisions)), _told(kept(told)))


def _facts(found: Left, told: Iterable[Line], kept: Kept) -> None:
    """Facts are as told, as far as *kept*; all are committed, and what is committed as HIGH, or after, is a fact."""
    same(_told(kept(found.facts.values())), _told(kept(told)))
    committed = {_named(line): line for line in found.revisions}
    published = [{name: fact[name] for name in committed[at]} for at, fact in found.facts.items()]
    same(published, [committed[at] for at in found.facts])
    first: dict[str, int] = {}
    for line in sorted(found.revisions, key=lambda line: int(line["revision"])):
        if line["severity"] == "HIGH" and line["status"] != "withdrawn":
            first.setdefault(line["anomaly_id"], line["revision"])
    same(list(found.facts), sorted((name, n) for name, n in committed if name in first and n >= first[name]))


def _closed(lines: Iterable[Line]) -> Iterator[Line]:
    """Return what is told of closed windows: what is final, and what is withdrawn after that."""
    final: set[str] = set()
    for line in sorted(lines, key=lambda line: int(line["revision"])):
        if line["status"] == "final":
            final.add(line["anomaly_id"])
        if line["anomaly_id"] in final:
            yield line


def _final_high(facts: Iterable[Line]) -> Iterator[Line]:
    """Return the final facts that are facts by themselves, and not because they once were HIGH."""
    return (fact for fact in facts if fact["status"] == "final" and fact["severity"] == "HIGH")


def _told(lines: Iterable[Line]) -> list[Line]:
    return sorted(_comparable(lines), key=_named)


def _forwarded(log: Sequence[oracle.LogRecord], wanted: oracle.Outcome) -> None:
    """Every record away from home has come home at least once, as it was."""
    homes = {
        content.decode(): (entry.value, entry.key, entry.headers[:-1])
        for entry in log
        for name, content in entry.headers[-1:]
        if name == fates.FORWARDED_FROM
    }
    away = [judged for judged in wanted.fates if judged.fate == "forwarded" and judged.record is not None]
    assert homes == {
        f"costs/{judged.partition}/{judged.offset}": (
            judged.entry.value,
            judged.record.tenant_id.encode(),
            judged.entry.headers,
        )
        for judged in away
        if judged.record is not None
    }


def _lines(records: Iterable[Stored]) -> list[Line]:
    return [json.loads(record.value or b"null") for record in records]


def _once(named: Iterable[tuple[Any, Line]]) -> dict[Any, Line]:
    """Return each line once; what comes again under a name must be the same."""
    found: dict[Any, Line] = {}
    for name, line in named:
        assert found.setdefault(name, line) == line, name
    return dict(sorted(found.items()))


def _named(fact: Line) -> tuple[str, int]:
    return fact["anomaly_id"], fact["revision"]


def _place(line: Line) -> tuple[int, int]:
    return line["partition"], line["offset"]


def _refused(dead: Iterable[Line]) -> list[Line]:
    return [oracle.comparable(line) for line in sorted(dead, key=_place)]


def _comparable(lines: Iterable[Line]) -> list[Line]:
    return [_numbers(oracle.comparable(line)) for line in lines]


def _numbers(line: Line) -> Line:
    deviation = line.get("deviation_pct")
    return line if deviation is None else {**line, "deviation_pct": float(deviation)}


def same(found: Sequence[T], wanted: Sequence[T]) -> None:
    """Compare many lines without drowning in the difference."""
    differing = [pair for pair in zip(found, wanted, strict=False) if pair[0] != pair[1]]
    assert not differing, differing[:2]
    assert len(found) == len(wanted)
