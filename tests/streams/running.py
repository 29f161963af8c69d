"""Runs the shell on a log, by hand: for tests that hold what it did against the oracle."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from drivers.kafka.murmur2 import partition_of
from drivers.memory.log import MemoryLog
from drivers.memory.publisher import MemoryPublisher
from drivers.memory.store import MemoryStore
from drivers.prices import Prices
from engines.core.model import Chunk, LogBounds, Position, TopicPartition
from engines.core.ports import ChunkHandler, Publisher, Store
from engines.core.tables import SNAPSHOTS
from engines.cost.anomalies import FACTS_TOPIC, FINAL, Rules
from engines.cost.domain import TOPIC, CostDomain
from engines.cost.event import CostEvent
from engines.cost.lines import SnapshotValues, snapshot_line
from engines.cost.prices import Unpriced
from engines.cost.rules import PROFILES, ProfileName
from streams import fates
from streams.claim import Claim
from streams.deps import Deps
from streams.limits import ShellLimits
from streams.owner import Owner
from streams.standing import standing
from tests import oracle

Line = dict[str, Any]
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
    facts: list[Line]
    publications: list[Line]
    dead: list[Line]
    late: list[Line]
    counts: dict[str, int]


def memory_log(stream: Sequence[oracle.LogRecord], partitions: int) -> MemoryLog:
    """Return a memory broker whose input topic holds *stream*, placed as producers place it."""
    log = MemoryLog({TOPIC: partitions, FACTS_TOPIC: 3, fates.DEAD_LETTERS: 1, fates.LATE_RECORDS: 1}, lambda: NOW_MS)
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
    store: Store | None = None,
    limits: ShellLimits | None = None,
    snapshots: Callable[[], Awaitable[list[Line]]] | None = None,
) -> Ran:
    """Run the whole of *stream* through owners in chunks of *chunk_records* records, forwarding included.

    A *store* other than memory comes with the way to read its *snapshots* lines at the end.
    """
    log, memory = memory_log(stream, partitions), MemoryStore()
    deps = deps_for(log, store or memory, MemoryPublisher(log), profile, limits or ShellLimits(backoff_s=0.001))
    owners = [Owner(TopicPartition(TOPIC, partition), deps) for partition in range(partitions)]
    for owner in owners:
        await owner.start()
    while any([await feed(owner, log, chunk_records) for owner in owners]):
        pass
    provisional: list[Line] = []
    for owner in owners:
        assert owner.claim is not None, "a partition lost its claim"
        await owner.claim.committer.projected()
        provisional += await open_days(owner.claim)
    positions = {owner.tp.partition: cast("Position", owner.committed) for owner in owners}
    for owner in owners:
        await owner.release()
    read = snapshots or _in_memory(memory, positions)
    return collect(log, positions, await read(), provisional)


def deps_for(log: MemoryLog, store: Store, publisher: Publisher, profile: str, limits: ShellLimits) -> Deps:
    """Return the ports of a worker over *log* and *store*."""

    def halt(reason: str) -> None:
        raise AssertionError(reason)

    return Deps(
        domains={TOPIC: CostDomain(PRICES, Rules(PROFILES[ProfileName(profile)]))},
        store_for=lambda _: store,
        publisher=publisher,
        source=HandFed(log),
        clock=WallClock(),
        partition_of=partition_of,
        limits=limits,
        sleep=asyncio.sleep,
        halt=halt,
    )


async def feed(owner: Owner, log: MemoryLog, chunk_records: Callable[[], int]) -> bool:
    """Hand *owner* what its log holds beyond it; return whether there was anything."""
    fed = False
    while owner.claim is not None:
        start = owner.claim.state.folded.next_offset
        records, end = log.log(owner.tp).read(start, chunk_records(), 1 << 22)
        if end == start:
            break
        await owner.take(Chunk(*owner.tp, start, end, records))
        await asyncio.sleep(0)
        fed = True
    if owner.claim is not None:
        await owner.claim.committer.flushed()
        await owner.claim.outbox.drained()
    return fed


def _in_memory(store: MemoryStore, positions: dict[int, Position]) -> Callable[[], Awaitable[list[Line]]]:
    async def read() -> list[Line]:
        return [
            snapshot_line(cast("SnapshotValues", values), positions[cast("int", key[0])].closed_through)
            for key, values in store.rows(SNAPSHOTS.name).items()
        ]

    return read


async def open_days(claim: Claim) -> list[Line]:
    """Return the facts that stand on days still open: at most the two after the last closed one hold records."""
    closed = claim.state.folded.closed_through
    return [] if closed is None else [fact for _, fact in await standing(claim, closed + 3)]


def collect(
    log: MemoryLog,
    positions: dict[int, Position],
    snapshots: Sequence[Line],
    provisional: Sequence[Line],
) -> Ran:
    """Read what a run left in the topics; *provisional* facts stand on open days."""
    published = _lines(log, FACTS_TOPIC)
    newest: dict[str, Line] = {}
    for fact in published:
        held = newest.get(fact["anomaly_id"])
        if held is None or fact["revision"] >= held["revision"]:
            newest[fact["anomaly_id"]] = fact
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
        snapshots=sorted(snapshots, key=oracle.order),
        facts=sorted([*(fact for fact in newest.values() if fact["status"] == FINAL), *provisional], key=oracle.order),
        publications=published,
        dead=_lines(log, fates.DEAD_LETTERS),
        late=_lines(log, fates.LATE_RECORDS),
        counts=counts,
    )


def _lines(log: MemoryLog, topic: str) -> list[Line]:
    return [
        json.loads(record.value or b"")
        for partition in range(log.partitions(topic))
        for record in log.log(TopicPartition(topic, partition)).records
    ]
