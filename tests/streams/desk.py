"""One partition of a tally or another small domain, its owners driven by hand: what the shell does with any domain."""

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from drivers.kafka.murmur2 import partition_of
from drivers.memory.log import MemoryLog
from drivers.memory.publisher import MemoryPublisher
from drivers.memory.store import MemoryStore
from engines.core.model import Chunk, LogBounds, Position, TopicPartition
from engines.core.ports import ChunkHandler, Domain
from engines.core.time import HOURS_PER_DAY, US_PER_DAY
from streams import fates
from streams.deps import Deps
from streams.endings import ClaimOver
from streams.limits import ShellLimits
from streams.owner import Owner
from tests.streams.tally import DAY, START, TOLD, TOPIC, Tally, Told

TP = TopicPartition(TOPIC, 0)


def entry(name: str, day: float, *, tenant: str = "acme", amount: int = 1, append_ms: int = 0) -> "Raw":
    """Return a record of *amount* at *day* after the first one, appended *append_ms* after the first one."""
    us = int((START + day) * US_PER_DAY)
    return Raw(json.dumps({"id": name, "tenant_id": tenant, "occurred_at": us, "amount": amount}).encode(), append_ms)


@dataclass(frozen=True)
class Raw:
    value: bytes
    append_ms: int = 0


class Desk:
    """One partition's owners over a memory broker and store; the test hands the chunks over. Make it in the loop."""

    def __init__(
        self, entries: Sequence[Raw] = (), *, limits: ShellLimits | None = None, domain: Domain | None = None
    ) -> None:
        topics = {TOPIC: 1, TOLD: 1, fates.DEAD_LETTERS: 1, fates.LATE_RECORDS: 1}
        self.log = MemoryLog(topics, lambda: 0)
        self.store = MemoryStore()
        self.seen = 0
        """The newest settings row that the worker was told of."""
        self.halts: list[str] = []
        self.deps = Deps(
            domains={TOPIC: domain or Tally()},
            store_for=lambda _: self.store,
            publisher=MemoryPublisher(self.log),
            source=self,
            clock=self,
            partition_of=partition_of,
            limits=limits or ShellLimits(backoff_s=0.001),
            sleep=asyncio.sleep,
            halt=self.halts.append,
            settings_known=lambda _: self.seen,
        )
        self.append(*entries)

    def append(self, *entries: Raw) -> None:
        for one in entries:
            self.log.append(TP, one.value, timestamp_ms=one.append_ms)

    def set(self, tenant: str, *, seen: bool = True) -> int:
        """Append a settings row of *tenant*; *seen*: the worker is told of it."""
        [seq] = self.store.append_settings([("rule", tenant, None, b"{}")])
        self.seen = seq if seen else self.seen
        return seq

    async def owner(self) -> Owner:
        owner = Owner(TP, self.deps)
        await owner.start()
        return owner

    async def feed(
        self,
        owner: Owner,
        chunk: Callable[[], int] = lambda: 5_000,
        *,
        end_of_log_ms: int | None = 0,
        flush: bool = True,
    ) -> None:
        """Hand *owner* everything it has not folded, *chunk* records at a time, then an empty chunk."""
        async with asyncio.timeout(20):
            while True:
                claim = owner.claim
                await asyncio.sleep(0)
                if claim is None or claim is not owner.claim:
                    assert not self.halts
                    continue
                start = claim.state.folded.next_offset
                records, end = self.log.log(TP).read(start, chunk(), 1 << 22)
                await owner.take(Chunk(*TP, start, end, records, end_of_log_ms if end == start else None))
                if end > start or claim is not owner.claim:
                    continue
                with suppress(ClaimOver):
                    if flush:
                        await claim.committer.flushed()
                        await claim.outbox.drained()
                    return

    def told(self, what: str) -> list[tuple[str, int, list[int], int]]:
        """Return (tenant, days since the start, sums, settings row) of all that was published as *what*."""
        lines = self.published(TOLD)
        return [(one["tenant"], one["day"] - START, one["sums"], one["seq"]) for one in lines if one["what"] == what]

    def published(self, topic: str) -> list[Told]:
        return [json.loads(record.value or b"") for record in self.log.log(TopicPartition(topic, 0)).records]

    def sums(self) -> dict[tuple[str, int], dict[str, int]]:
        """Return what is stored: amounts by id, by tenant and day since the start."""
        found: dict[tuple[str, int], dict[str, int]] = {}
        for key, page in self.store.pages.get(TP, {}).items():
            if key.kind == DAY:
                day = key.bucket // HOURS_PER_DAY - START
                found.setdefault((key.tenant_id, day), {}).update(json.loads(page.body))
        return found

    @property
    def position(self) -> Position:
        return self.store.positions[TP]

    # the ports ChunkSource and Clock

    async def run(self, handler: ChunkHandler) -> None:
        """Nothing runs by itself."""

    async def stop(self) -> None:
        """Nothing runs by itself."""

    async def bounds(self, tp: TopicPartition) -> LogBounds:
        return self.log.bounds(tp)

    def seek(self, tp: TopicPartition, offset: int) -> None:
        """The test reads where an owner stands from the owner."""

    def report(self, tp: TopicPartition, next_offset: int) -> None:
        """Nobody watches lag."""

    def now_ms(self) -> int:
        return 0


async def die(owner: Owner) -> None:
    """End *owner* as a crash does."""
    assert owner._task is not None
    owner._task.cancel()
    await asyncio.gather(owner._task, return_exceptions=True)
