"""Runs the shell on a log, by hand: for tests that hold what it did against the oracle."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol, cast

from drivers.kafka.murmur2 import partition_of
from drivers.memory.log import MemoryLog
from drivers.memory.publisher import MemoryPublisher
from drivers.memory.store import MemoryStore
from drivers.prices import Prices
from engines.core.model import Chunk, LogBounds, Position, TopicPartition
from engines.core.ports import ChunkHandler, Publisher, Store
from engines.core.tables import ANOMALIES, SNAPSHOTS
from engines.cost.anomalies import FACTS_TOPIC
from engines.cost.domain import TOPIC, CostDomain
from engines.cost.event import CostEvent
from engines.cost.lines import SnapshotValues, snapshot_line
from engines.cost.month_ends import PREDICTIONS_TOPIC
from engines.cost.prices import Unpriced
from engines.cost.rules import PROFILES, ProfileName
from streams import fates
from streams.claim import Claim
from streams.deps import Deps
from streams.limits import ShellLimits
from streams.owner import Owner
from streams.standing import standing
from tests import oracle
from tests.streams.learning import Learning, in_memory

Line = dict[str, Any]
Stands = tuple[Line, Line | None]
PRICES = Prices()
NOW_MS = 4_000_000_000_000


def price(record: Mapping[str, Any]) -> int | str:
    """Price a record for the oracle with the book under test: prices have tests of their own."""
    event = CostEvent(
        id=record["id"],
        tenant_id=record["tenant_id"],
        source=record["source"],
        occurred_at=record["occurred_us"],
        model=record["model"],
        input_tokens=record["input_tokens"],
        output_tokens=record["output_tokens"],
        provider=record["provider"],
        cached_input_tokens=record["cached_input_tokens"],
    )
    found = PRICES.price_of(event)
    return found.reason if isinstance(found, Unpriced) else found


class WallClock:
    """A clock that stands still: nothing in these tests may depend on it."""

    def now_ms(self) -> int:
        """Return the same time always."""
        return NOW_MS


class HandFed:
    """The port ``ChunkSource`` over a memory log whose chunks the test hands over itself."""

    def __init__(self, log: MemoryLog) -> None:
        self.log = log

    async def run(self, handler: ChunkHandler) -> None:
        """Nothing runs by itself."""

    async def stop(self) -> None:
        """Nothing runs by itself."""

    async def bounds(self, tp: TopicPartition) -> LogBounds:
        """Return the bounds of *tp*."""
        return self.log.bounds(tp)

    def seek(self, tp: TopicPartition, offset: int) -> None:
        """The test reads where an owner stands from the owner."""

    def report(self, tp: TopicPartition, next_offset: int) -> None:
        """Nobody watches lag."""


@dataclass(frozen=True)
class Ran:
    """What the shell left behind: lines as decoded JSON, the log as it was read, positions by partition."""

    log: list[oracle.LogRecord]
    positions: dict[int, Position]
    snapshots: list[Line]
    anomalies: list[Line]
    facts: list[Line]
    publications: list[Line]
    dead: list[Line]
    late: list[Line]
    counts: dict[str, int]


def memory_log(stream: Sequence[oracle.LogRecord], partitions: int) -> MemoryLog:
    """Return a memory broker whose input topic holds *stream*, placed as producers place it."""
    out = {FACTS_TOPIC: 3, PREDICTIONS_TOPIC: 3, fates.DEAD_LETTERS: 1, fates.LATE_RECORDS: 1}
    log = MemoryLog({TOPIC: partitions, **out}, lambda: NOW_MS)
    for entry in oracle.placed(stream, partitions):
        tp = TopicPartition(TOPIC, entry.partition or 0)
        append_ms = NOW_MS if entry.append_us is None else entry.append_us // 1000
        log.append(tp, entry.value, key=entry.key, headers=entry.headers, timestamp_ms=append_ms)
    return log


async def run(
    stream: Sequence[oracle.LogRecord],
    chunk_records: Callable[[], int],
    *,
    partitions: int = 1,
    profile: str = "standard",
    settings: Sequence[oracle.Setting] = (),
    limits: ShellLimits | None = None,
    database: Database | None = None,
) -> Ran:
    """Run the whole of *stream* through owners in chunks of *chunk_records* records, forwarding included.

    Chunks end where a partition gets to know more *settings*. Without a *database* each partition has one in memory.
    """
    log, stores = memory_log(stream, partitions), [MemoryStore() for _ in range(partitions)]
    learning = Learning(settings, partitions, in_memory(stores) if database is None else database.append)
    deps = deps_for(log, MemoryStore(), MemoryPublisher(log), profile, limits or ShellLimits(backoff_s=0.001))
    deps = replace(
        deps,
        store_for=lambda tp: stores[tp.partition] if database is None else database.store,
        settings_known=learning.seen_by,
    )
    owners = [Owner(TopicPartition(TOPIC, partition), deps) for partition in range(partitions)]
    for owner in owners:
        await learning.tell(owner.tp.partition, -1)
        await owner.start()
    while any([await feed(owner, log, chunk_records, learning) for owner in owners]):
        pass
    provisional: list[Stands] = []
    for owner in owners:
        await _learn_the_rest(owner, learning)
        assert owner.claim is not None, "a partition lost its claim"
        await owner.claim.committer.projected()
        await owner.claim.outbox.drained()
        provisional += await standing(owner.claim)
    positions = {owner.tp.partition: cast("Position", owner.committed) for owner in owners}
    for owner in owners:
        await owner.release()
    left = await (database.left if database else partial(memory_left, stores, positions))()
    return collect(log, positions, left, provisional)


async def _learn_the_rest(owner: Owner, learning: Learning) -> None:
    if await learning.tell(owner.tp.partition, None):
        at = (await _held(owner)).state.folded.next_offset
        await owner.take(Chunk(*owner.tp, at, at, ()))
        await (await _held(owner)).committer.flushed()


async def _held(owner: Owner) -> Claim:
    while owner.claim is None:  # noqa: ASYNC110 it takes a few turns of the loop
        await asyncio.sleep(0)
    return owner.claim


def deps_for(log: MemoryLog, store: Store, publisher: Publisher, profile: str, limits: ShellLimits) -> Deps:
    """Return the ports of a worker over *log* and *store*."""

    def halt(reason: str) -> None:
        raise AssertionError(reason)

    return Deps(
        domains={TOPIC: CostDomain(PRICES, PROFILES[ProfileName(profile)])},
        store_for=lambda _: store,
        publisher=publisher,
        source=HandFed(log),
        clock=WallClock(),
        partition_of=partition_of,
        limits=limits,
        sleep=asyncio.sleep,
        halt=halt,
    )


async def feed(owner: Owner, log: MemoryLog, chunk_records: Callable[[], int], learning: Learning) -> bool:
    """Hand *owner* what its log holds beyond it; return whether there was anything."""
    fed, partition = False, owner.tp.partition
    while owner.claim is not None:
        start = owner.claim.state.folded.next_offset
        records, end = log.log(owner.tp).read(start, chunk_records(), 1 << 22)
        if end == start:
            break
        if learning.due(partition, start):
            await owner.claim.committer.flushed()  # so that nothing before is done again with what is told now
            await learning.tell(partition, start)
        stop = learning.stop(partition, start)
        if stop is not None and stop < end:
            records, end = [record for record in records if record.offset < stop], stop
        await owner.take(Chunk(*owner.tp, start, end, records))
        await asyncio.sleep(0)
        fed = True
    if owner.claim is not None:
        await owner.claim.committer.flushed()
        await owner.claim.outbox.drained()
    return fed


@dataclass(frozen=True)
class Left:
    """What is stored at the end: lines of snapshots, and of all revisions of anomalies."""

    snapshots: list[Line]
    anomalies: list[Line]


class Database(Protocol):
    """A database other than memory, of all partitions."""

    @property
    def store(self) -> Store:
        """The port."""

    async def append(self, partition: int, rows: Sequence[oracle.Setting]) -> int:
        """See ``Append``."""

    async def left(self) -> Left:
        """Return what is stored."""


async def memory_left(stores: Sequence[MemoryStore], positions: dict[int, Position]) -> Left:
    """Return what memory stores hold."""
    snapshots = [
        snapshot_line(cast("SnapshotValues", values), positions[cast("int", key[0])].closed_through)
        for store in stores
        for key, values in store.rows(SNAPSHOTS.name).items()
    ]
    at = [column.name for column in ANOMALIES.columns].index("line")
    lines = [json.loads(cast("str", row[at])) for store in stores for row in store.rows(ANOMALIES.name).values()]
    return Left(snapshots, lines)


def collect(log: MemoryLog, positions: dict[int, Position], left: Left, provisional: Sequence[Stands]) -> Ran:
    """Read what a run left in the topics; *provisional* lines and facts stand on open windows."""
    published = _lines(log, FACTS_TOPIC)
    counts: dict[str, int] = {}
    for position in positions.values():
        for name, n in position.counts.items():
            counts[name] = counts.get(name, 0) + n
    return Ran(
        log=[
            oracle.LogRecord(r.value, tuple(r.headers), r.timestamp * 1000, r.key, partition, r.offset)
            for partition in range(log.partitions(TOPIC))
            for r in log.log(TopicPartition(TOPIC, partition)).records
        ],
        positions=positions,
        snapshots=sorted(left.snapshots, key=oracle.order),
        anomalies=_last(left.anomalies, [line for line, _ in provisional]),
        facts=_last(published, [fact for _, fact in provisional if fact is not None]),
        publications=published,
        dead=_lines(log, fates.DEAD_LETTERS),
        late=_lines(log, fates.LATE_RECORDS),
        counts=counts,
    )


def _last(told: Sequence[Line], standing: Sequence[Line]) -> list[Line]:
    """Return the last state of each id: its newest revision, or what stands."""
    newest: dict[str, Line] = {}
    for line in sorted(told, key=lambda line: int(line["revision"])):
        newest[line["anomaly_id"]] = line
    return sorted({**newest, **{line["anomaly_id"]: line for line in standing}}.values(), key=oracle.order)


def _lines(log: MemoryLog, topic: str) -> list[Line]:
    return [
        json.loads(record.value or b"")
        for partition in range(log.partitions(topic))
        for record in log.log(TopicPartition(topic, partition)).records
    ]
