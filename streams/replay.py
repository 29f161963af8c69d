"""Replay: files of events through the same ``process`` as a worker, on in-memory ports (``outlay replay``).

What it prints is what a worker would have published and stored at the end of that log, byte for byte the same in
any file order within grace (CONTRACT §5).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

from drivers.kafka.murmur2 import partition_of
from drivers.memory.store import MemoryStore
from engines.core.errors import Halt
from engines.core.model import Chunk, Invalid, LogRecord, SettingRow, TopicPartition
from engines.core.ports import Domain
from engines.core.tables import SNAPSHOTS
from engines.core.time import US_PER_HOUR
from engines.cost.lines import SnapshotValues, snapshot_line
from streams import fates
from streams.claim import Claim
from streams.clock import SystemClock
from streams.closes import close_through
from streams.deps import Deps
from streams.endings import ClaimOver
from streams.homes import Homes, tenant_key
from streams.limits import ShellLimits
from streams.owner import Owner
from streams.replay_ends import (
    ANOMALY_LINES,
    FEEDBACK_LINES,
    PREDICTION_LINES,
    anomaly_order,
    by_id,
    last_states,
    log_order,
    snapshot_order,
    sorted_lines,
)
from streams.replay_ports import Collected, Line, ReplayLog
from streams.standing import standing

NEVER_S = 1e9
"""A replay writes projections once, at the end."""
CHUNK_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Replayed:
    """The end of a replay: lines as bytes, sorted as the contract sorts them, and the summary's numbers."""

    facts: list[bytes]
    snapshots: list[bytes]
    anomalies: list[bytes]
    feedback: list[bytes]
    predictions: list[bytes]
    dead: list[bytes]
    late: list[bytes]
    counts: dict[str, int]
    facts_by_type: dict[str, int]
    seconds: float

    @property
    def adds_up(self) -> bool:
        """Whether every event came to exactly one end."""
        return sum(self.counts.get(fate, 0) for fate in fates.FATES) == self.counts.get(fates.EVENTS, 0)


class Replay:
    """One replay of one domain's topic: feed it lines, then ask for the end."""

    def __init__(
        self,
        domain: Domain,
        partitions: int,
        now_ms: int,
        *,
        settings: Sequence[SettingRow] = (),
        keep_dead: bool = True,
        keep_snapshots: bool = True,
    ) -> None:
        self._keep_snapshots = keep_snapshots
        self._domain = domain
        self._topic = domain.topic
        self._partitions = partitions
        self._homes = Homes(partitions, partition_of)
        self._now_ms = now_ms
        self._store = MemoryStore()
        self._store.append_settings((row.kind, row.tenant_id, row.effective_us, row.body) for row in settings)
        self._collected = Collected(keep_dead)
        self._log = ReplayLog(domain.topic, partitions)
        self._failure: str | None = None
        self._started = time.perf_counter()
        limits = ShellLimits(projection_every_s=NEVER_S, dead_letter_ratio=1.0)
        deps = Deps(
            domains={domain.topic: domain},
            store_for=lambda _: self._store,
            publisher=self._collected,
            source=self._log,
            clock=SystemClock(),
            partition_of=partition_of,
            limits=limits,
            sleep=asyncio.sleep,
            halt=self._halt,
        )
        self._chunk_records = limits.chunk_records
        self._owners = [Owner(TopicPartition(domain.topic, partition), deps) for partition in range(partitions)]
        self._waiting: list[list[LogRecord]] = [[] for _ in range(partitions)]
        self._waiting_bytes = [0] * partitions
        self._standing: list[tuple[Line, Line | None]] = []

    async def start(self) -> None:
        """Claim every partition."""
        for owner in self._owners:
            await owner.start()

    async def feed(self, values: Iterable[bytes]) -> None:
        """Append *values*, one event each, and process what fills a chunk. Raises Halt when that cannot be done."""
        for value in values:
            partition = self._home(value) if self._partitions > 1 else 0
            waiting = self._waiting[partition]
            waiting.append(LogRecord(self._log.ends[partition] + len(waiting), self._now_ms, None, value))
            self._waiting_bytes[partition] += len(value)
            if len(waiting) >= self._chunk_records or self._waiting_bytes[partition] >= CHUNK_BYTES:
                await self._flush(partition)

    async def drain(self) -> None:
        """Process and commit all that was fed. Raises Halt when that cannot be done."""
        for partition in range(self._partitions):
            await self._flush(partition)

    async def finish(self, *, close_all: bool) -> Replayed:
        """Process the rest and return the end of it all.

        Args:
            close_all: close every tenant's periods through the last one that has a page: that holds an accepted record,
                or something due.
        """
        await self.drain()
        last = self._last_period()
        if close_all and last is not None:
            for owner in self._owners:
                await close_through(await self._claim_of(owner), last)
        for owner in self._owners:
            claim = await self._claim_of(owner)
            await (claim.committer.projected() if self._keep_snapshots else claim.committer.flushed())
            await claim.outbox.drained()
            self._standing += await standing(claim)
        ended = self._end()
        for owner in self._owners:
            await owner.release()
        return ended

    def _halt(self, reason: str) -> None:
        self._failure = reason

    def _home(self, value: bytes) -> int:
        """Return where a topic has *value*: at its tenant's home; what tells of no tenant anywhere, so at 0."""
        key = tenant_key(value)
        if key is not None:
            return self._homes.home_of(key.decode())
        event = self._domain.decode(
            LogRecord(0, self._now_ms, None, value)
        )  # it may read what a plain decoder does not
        return 0 if isinstance(event, Invalid) else self._homes.home_of(event.tenant_id)

    async def _flush(self, partition: int) -> None:
        """Process and commit what waits for *partition*, so that a failure never reaches back beyond it."""
        records, self._waiting[partition], self._waiting_bytes[partition] = self._waiting[partition], [], 0
        if not records:
            return
        start, end = records[0].offset, records[-1].offset + 1
        self._log.ends[partition] = end
        owner = self._owners[partition]
        while owner.committed is None or owner.committed.next_offset < end:
            claim = await self._claim_of(owner)
            at = claim.state.folded.next_offset
            with suppress(ClaimOver):  # the owner starts again from its position, in smaller steps
                if at < end:
                    await owner.take(Chunk(self._topic, partition, at, end, records[at - start :]))
                else:
                    await claim.committer.flushed()
            await asyncio.sleep(0)

    async def _claim_of(self, owner: Owner) -> Claim:
        """Return the claim of *owner*, when there is one again. Raises Halt when there will be none."""
        while self._failure is None and owner.claim is None:  # noqa: ASYNC110 -- it takes a few turns of the loop
            await asyncio.sleep(0)
        if self._failure is not None or owner.claim is None:
            raise Halt(self._failure or "the partition is not claimed")
        return owner.claim

    def _last_period(self) -> int | None:
        """Return the last period that has a page; bucket 0 is no time."""
        hours = [key.bucket for pages in self._store.pages.values() for key in pages if key.bucket]
        return max(hours) * US_PER_HOUR // self._domain.period_us if hours else None

    def _end(self) -> Replayed:
        counts: dict[str, int] = {}
        for owner in self._owners:
            for name, n in (owner.committed.counts if owner.committed else {}).items():
                counts[name] = counts.get(name, 0) + n
        stands = [line for line, _ in self._standing]
        facts_standing = [fact for _, fact in self._standing if fact is not None]
        facts = {**self._collected.facts, **by_id(ANOMALY_LINES.id, facts_standing)}.values()
        by_type: dict[str, int] = {}
        for line in facts:
            by_type[str(line["anomaly_type"])] = by_type.get(str(line["anomaly_type"]), 0) + 1
        return Replayed(
            facts=sorted_lines(facts, anomaly_order),
            snapshots=sorted_lines(self._snapshots() if self._keep_snapshots else (), snapshot_order),
            anomalies=last_states(ANOMALY_LINES, self._store.rows, stands),
            feedback=last_states(FEEDBACK_LINES, self._store.rows, stands),
            predictions=last_states(PREDICTION_LINES, self._store.rows, stands),
            dead=sorted_lines(self._collected.dead, log_order),
            late=sorted_lines(self._collected.late, log_order),
            counts=counts,
            facts_by_type=by_type,
            seconds=time.perf_counter() - self._started,
        )

    def _snapshots(self) -> list[Line]:
        closed = {owner.tp.partition: owner.committed.closed_through for owner in self._owners if owner.committed}
        rows = self._store.rows(SNAPSHOTS.name).items()
        return [snapshot_line(cast("SnapshotValues", values), closed[cast("int", key[0])]) for key, values in rows]
