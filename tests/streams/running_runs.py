"""Runs the shell on a log of runs, by hand: for tests that hold what it did against the oracle of runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, cast

from drivers.kafka.murmur2 import partition_of
from drivers.memory.log import MemoryLog
from drivers.memory.publisher import MemoryPublisher
from drivers.memory.store import MemoryStore
from engines.core.model import Chunk, OutboxRow, Position, TopicPartition
from engines.core.ports import Store
from engines.core.tables import PATTERN_FEEDBACK, PREDICTION_EVENTS
from engines.runs.domain import TOPIC, RunsDomain
from engines.runs.lines import FEEDBACK_TOPIC, PREDICTIONS_TOPIC
from streams import fates
from streams.claim import Claim
from streams.closes import close_through
from streams.deps import Deps
from streams.limits import ShellLimits
from streams.owner import Owner
from streams.standing import standing
from tests import oracle
from tests.oracle.records import HOUR_US, LogRecord
from tests.oracle.runs import Line, feedback_order, prediction_order
from tests.streams.learning import Learning, in_memory
from tests.streams.running import NOW_MS, HandFed, WallClock, feed

TABLES = (PATTERN_FEEDBACK, PREDICTION_EVENTS)
TOLD = (FEEDBACK_TOPIC, PREDICTIONS_TOPIC)
_CLOSED_HOURS = 24 * 40
"""Nothing of a run is due so long after it."""


class Recording(MemoryPublisher):
    """Publishes, and remembers in which order, over all topics."""

    def __init__(self, log: MemoryLog) -> None:
        super().__init__(log)
        self.rows: list[OutboxRow] = []

    async def publish(self, rows: Sequence[OutboxRow]) -> None:
        """Append *rows* in order."""
        await super().publish(rows)
        self.rows += rows


class Database(Protocol):
    """A database other than memory, of all partitions."""

    @property
    def store(self) -> Store:
        """The port."""

    async def append(self, partition: int, rows: Sequence[oracle.Setting]) -> int:
        """See ``Append``."""

    async def rows(self) -> list[Line]:
        """Return every revision of feedback and predictions that is stored."""


@dataclass(frozen=True)
class Ran:
    """What the shell left behind: lines as decoded JSON, the log as it was read, positions by partition.

    `feedback` and `predictions` are what is final and what stands, in the order of files; `rows` is every revision that
    is stored; `published` are the messages of both, in the order in which they were sent, tenant by tenant's partition.
    """

    log: list[LogRecord]
    positions: dict[int, Position]
    feedback: list[Line]
    predictions: list[Line]
    rows: list[Line]
    published: list[OutboxRow]
    dead: list[Line]
    late: list[Line]
    counts: dict[str, int]


def id_of(line: Line) -> str:
    """Return the id of a line of either kind."""
    return str(line.get("feedback_id") or line["prediction_id"])


async def run(
    stream: Sequence[LogRecord],
    chunk_records: Callable[[], int],
    *,
    partitions: int = 1,
    settings: Sequence[oracle.Setting] = (),
    calibrated: bool = False,
    close_all: bool = False,
    database: Database | None = None,
    taken_over: bool = False,
) -> Ran:
    """Run the whole of *stream* through owners in chunks of *chunk_records* records, forwarding included.

    Args:
        settings: acknowledgements; chunks end where a partition gets to know more of them.
        close_all: close all that is due in the end.
        database: without one each partition has one in memory.
        taken_over: after each chunk another owner goes on, who knows what is stored and nothing else.
    """
    log, stores = memory_log(stream, partitions), [MemoryStore() for _ in range(partitions)]
    learning = Learning(settings, partitions, in_memory(stores) if database is None else database.append)
    publisher = Recording(log)
    deps = replace(
        _deps(log, publisher, RunsDomain(calibrated=calibrated)),
        store_for=lambda tp: stores[tp.partition] if database is None else database.store,
        settings_known=learning.seen_by,
    )
    owners = [Owner(TopicPartition(TOPIC, partition), deps) for partition in range(partitions)]
    for owner in owners:
        await learning.tell(owner.tp.partition, -1)
        await owner.start()
    while any([await _feed(owner, log, chunk_records, learning, taken_over=taken_over) for owner in owners]):
        if taken_over:
            for owner in owners:
                await owner.release()
            owners = [Owner(owner.tp, deps) for owner in owners]
            for owner in owners:
                await owner.start()
    stands: list[Line] = []
    for owner in owners:
        await _learn_the_rest(owner, learning)
        claim = await _held(owner)
        if close_all and claim.state.folded.watermark_us is not None:
            await close_through(claim, claim.state.folded.watermark_us // HOUR_US + _CLOSED_HOURS)
        await claim.committer.flushed()
        await claim.committer.projected()
        await claim.outbox.drained()
        stands += [cast("Line", line) for line, _ in await standing(claim)]
    positions = {owner.tp.partition: cast("Position", owner.committed) for owner in owners}
    for owner in owners:
        await owner.release()
    rows = _stored(stores) if database is None else await database.rows()
    return _collect(log, positions, rows, stands, [row for row in publisher.rows if row.topic in TOLD])


def memory_log(stream: Sequence[LogRecord], partitions: int) -> MemoryLog:
    """Return a memory broker whose topic of runs holds *stream*, placed as producers place it."""
    topics = {TOPIC: partitions, **dict.fromkeys((*TOLD, fates.DEAD_LETTERS, fates.LATE_RECORDS), 1)}
    log = MemoryLog(topics, lambda: NOW_MS)
    for entry in oracle.placed(stream, partitions):
        tp = TopicPartition(TOPIC, entry.partition or 0)
        append_ms = NOW_MS if entry.append_us is None else entry.append_us // 1000
        log.append(tp, entry.value, key=entry.key, headers=entry.headers, timestamp_ms=append_ms)
    return log


def last_states(rows: Sequence[Line], stands: Sequence[Line]) -> list[Line]:
    """Return each id's highest revision of what is final and what stands."""
    newest: dict[str, Line] = {}
    for line in sorted([*(row for row in rows if row["revision"] % 2), *stands], key=lambda line: line["revision"]):
        newest[id_of(line)] = line
    return list(newest.values())


def _deps(log: MemoryLog, publisher: MemoryPublisher, domain: RunsDomain) -> Deps:
    def halt(reason: str) -> None:
        raise AssertionError(reason)

    return Deps(
        domains={TOPIC: domain},
        store_for=lambda _: MemoryStore(),
        publisher=publisher,
        source=HandFed(log),
        clock=WallClock(),
        partition_of=partition_of,
        limits=ShellLimits(backoff_s=0.001, dead_letter_ratio=1.0),
        sleep=asyncio.sleep,
        halt=halt,
    )


async def _feed(
    owner: Owner, log: MemoryLog, chunk_records: Callable[[], int], learning: Learning, *, taken_over: bool
) -> bool:
    """Hand *owner* what its log holds beyond it, or one chunk of it; return whether there was anything."""
    if not taken_over:
        return await feed(owner, log, chunk_records, learning)
    claim, partition = await _held(owner), owner.tp.partition
    start = claim.state.folded.next_offset
    records, end = log.log(owner.tp).read(start, chunk_records(), 1 << 22)
    if end == start:
        return False
    await learning.tell(partition, start)
    stop = learning.stop(partition, start)
    if stop is not None and stop < end:
        records, end = [record for record in records if record.offset < stop], stop
    await owner.take(Chunk(*owner.tp, start, end, records))
    await claim.committer.flushed()
    await claim.outbox.drained()
    return True


async def _learn_the_rest(owner: Owner, learning: Learning) -> None:
    if await learning.tell(owner.tp.partition, None):
        at = (await _held(owner)).state.folded.next_offset
        await owner.take(Chunk(*owner.tp, at, at, ()))
        await (await _held(owner)).committer.flushed()


async def _held(owner: Owner) -> Claim:
    while owner.claim is None:  # noqa: ASYNC110 it takes a few turns of the loop
        await asyncio.sleep(0)
    await owner.claim.resumed.wait()
    return owner.claim


def _stored(stores: Sequence[MemoryStore]) -> list[Line]:
    return [
        json.loads(cast("str", row[[column.name for column in table.columns].index("line")]))
        for store in stores
        for table in TABLES
        for row in store.rows(table.name).values()
    ]


def _collect(
    log: MemoryLog,
    positions: dict[int, Position],
    rows: list[Line],
    stands: Sequence[Line],
    published: list[OutboxRow],
) -> Ran:
    counts: dict[str, int] = {}
    for position in positions.values():
        for name, n in position.counts.items():
            counts[name] = counts.get(name, 0) + n
    last = last_states(rows, stands)
    return Ran(
        log=[
            LogRecord(r.value, tuple(r.headers), r.timestamp * 1000, r.key, partition, r.offset)
            for partition in range(log.partitions(TOPIC))
            for r in log.log(TopicPartition(TOPIC, partition)).records
        ],
        positions=positions,
        feedback=sorted((line for line in last if "feedback_id" in line), key=feedback_order),
        predictions=sorted((line for line in last if "prediction_id" in line), key=prediction_order),
        rows=rows,
        published=published,
        dead=_lines(log, fates.DEAD_LETTERS),
        late=_lines(log, fates.LATE_RECORDS),
        counts=counts,
    )


def _lines(log: MemoryLog, topic: str) -> list[Line]:
    return [json.loads(record.value or b"") for record in log.log(TopicPartition(topic, 0)).records]
