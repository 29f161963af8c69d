"""One partition's owners, driven by hand through whatever goes wrong, and what the oracle says should be left."""

import asyncio
import base64
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import cast

from drivers.memory.publisher import MemoryPublisher
from drivers.memory.store import MemoryStore
from engines.core.errors import DataRefused
from engines.core.model import Batch, Chunk, Context, Effects, Position, TopicPartition
from engines.core.ports import Domain, Event, Pages
from engines.cost.domain import TOPIC, CostDomain
from engines.cost.rules import STANDARD
from streams.endings import ClaimOver
from streams.limits import ShellLimits
from streams.owner import Owner
from streams.standing import standing
from tests import oracle
from tests.generated import Shape
from tests.strategies import make_stream
from tests.streams.running import PRICES, Ran, collect, deps_for, memory_left, memory_log
from tests.streams.test_against_oracle import check

TP = TopicPartition(TOPIC, 0)
LIMITS = ShellLimits(chunk_records=64, backoff_s=0.001)
SPOILED = b"not json"
_PLAIN = Shape(records_max=150, conflicts=False, late=False, bad=False, foreign=False, append="none")


def stream_of(seed: int) -> list[oracle.LogRecord]:
    """Return a stream of sound records without late ones, gaps in time, or copies that differ."""
    return make_stream(seed, _PLAIN)


def unique_ids(stream: Sequence[oracle.LogRecord]) -> list[str]:
    """Return the ids that only one record of *stream* bears, in its order."""
    ids = [_decoded(entry).id for entry in stream]
    counts = Counter(ids)
    return [name for name in ids if counts[name] == 1]


def _decoded(entry: oracle.LogRecord) -> oracle.Record:
    record = oracle.decode(entry.value, entry.headers)
    assert isinstance(record, oracle.Record)
    return record


class Rig:
    """The ports of one partition and what its owners said; make it inside the event loop."""

    def __init__(
        self,
        stream: Sequence[oracle.LogRecord],
        *,
        domain: Domain | None = None,
        store: MemoryStore | None = None,
        limits: ShellLimits = LIMITS,
        value_bytes_max: int = 1 << 20,
    ) -> None:
        self.log = memory_log(stream, 1)
        self.store = store or MemoryStore()
        self.slept: list[float] = []
        self.halts: list[str] = []
        self.halted = asyncio.Event()
        publisher = MemoryPublisher(self.log, value_bytes_max=value_bytes_max)
        deps = deps_for(self.log, self.store, publisher, "standard", limits)
        domains = deps.domains if domain is None else {TOPIC: domain}
        self.deps = replace(deps, domains=domains, sleep=self._sleep, halt=self._halt)

    async def owner(self) -> Owner:
        """Return an owner that has claimed the partition, or was refused."""
        owner = Owner(TP, self.deps)
        await owner.start()
        return owner

    async def drive(self, owner: Owner, chunk_records: int = 64) -> None:
        """Feed *owner* until everything is committed or it halts; a death passes through."""
        async with asyncio.timeout(20):
            while not self.halts:
                claim = owner.claim
                await asyncio.sleep(0)
                if claim is None or claim is not owner.claim:
                    continue
                start = claim.state.folded.next_offset
                records, end = self.log.log(TP).read(start, chunk_records, 1 << 22)
                if end > start:
                    await owner.take(Chunk(*TP, start, end, records))
                    continue
                try:
                    await claim.committer.flushed()
                except ClaimOver:
                    continue
                return

    async def asked_again(self, times: int) -> None:
        """Return when an owner without a claim has waited *times* times."""
        async with asyncio.timeout(20):
            while self.slept.count(self.deps.limits.reclaim_after_s) < times:  # noqa: ASYNC110 the owner's sleep is what is counted
                await asyncio.sleep(0)

    async def read(self, owner: Owner) -> Ran:
        """Return what *owner*, who leaves now, and those before it have left behind."""
        assert owner.claim is not None, self.halts
        await owner.claim.committer.projected()
        provisional = await standing(owner.claim)
        positions = {0: cast("Position", owner.committed)}
        await owner.release()
        return collect(self.log, positions, await memory_left([self.store], positions), provisional)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)

    def _halt(self, reason: str) -> None:
        self.halts.append(reason)
        self.halted.set()


async def die(owner: Owner) -> None:
    """End *owner* as a crash does: nothing is committed, nothing is released."""
    assert owner._task is not None
    owner._task.cancel()
    await asyncio.gather(owner._task, return_exceptions=True)


def check_without(ran: Ran, dead: Collection[int]) -> None:
    """Hold *ran* against the oracle, for whom the records at the offsets *dead* are unreadable."""
    once = list({line["offset"]: line for line in ran.dead}.values())
    assert all(line in once for line in ran.dead), "a dead letter that is published again is the same"
    assert sorted(line["offset"] for line in once) == sorted(dead)
    spoiled = [replace(entry, value=SPOILED) if entry.offset in dead else entry for entry in ran.log]
    told = [line | {"value_base64": base64.b64encode(SPOILED).decode()} for line in once]
    check(replace(ran, log=spoiled, dead=told), "standard", 1)


def offsets_of(rig: Rig, ids: Collection[str]) -> list[int]:
    """Return the offsets of the records named *ids*."""
    return [
        r.offset for r in rig.log.log(TP).records if _decoded(oracle.LogRecord(r.value, tuple(r.headers))).id in ids
    ]


class Buggy(CostDomain):
    """The rules with a bug: folding one of *killers* raises *bug*, after pages have been changed."""

    def __init__(self, killers: Collection[str], bug: type[BaseException]) -> None:
        super().__init__(PRICES, STANDARD)
        self.killers = frozenset(killers)
        self.failed_with: list[int] = []
        """How many records were in each fold that failed."""
        self._bug = bug

    def fold(self, pages: Pages, events: Mapping[str, Sequence[Event]], context: Context) -> Effects:
        effects = super().fold(pages, events, context)
        of_all = [event for of_tenant in events.values() for event in of_tenant]
        if any(event.id in self.killers for event in of_all):
            self.failed_with.append(len(of_all))
            raise self._bug("boom")
        return effects


class Picky(MemoryStore):
    """Refuses pages of one tenant."""

    async def commit(self, batch: Batch) -> bool:
        if any(key.tenant_id == "globex" for key, _ in batch.pages):
            raise DataRefused("no globex here")
        return await super().commit(batch)
