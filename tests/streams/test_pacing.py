"""Who waits for whom: commits for more to come, folding for the broker, assignments for slow claims."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from drivers.memory.publisher import MemoryPublisher
from drivers.memory.store import MemoryStore
from engines.core.model import Chunk, LogBounds, OutboxRow, Position, TopicPartition
from streams.shell import Shell
from tests.oracle import LogRecord
from tests.streams.failing import LIMITS, SPOILED, TP, Rig, stream_of
from tests.streams.running import NOW_MS, deps_for, memory_log

_NEIGHBOUR = TopicPartition(TP.topic, 1)


def chunk(rig: Rig, start: int, end: int, *, more: bool) -> Chunk:
    records, _ = rig.log.log(TP).read(start, end - start, 1 << 22)
    return Chunk(*TP, start, end, records, None if more else NOW_MS)


async def turns() -> None:
    """Let everything that can go on go on."""
    for _ in range(50):
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    "more, records, committed", [(True, 10, 0), (False, 10, 10), (True, 20, 20)], ids=["waits", "the end", "enough"]
)
async def test_a_commit_waits_only_while_more_is_known_to_come_and_little_is_folded(
    more: bool, records: int, committed: int
) -> None:
    rig = Rig(stream_of(1), limits=replace(LIMITS, commit_records=15, commit_every_s=1000.0))
    owner = await rig.owner()
    await turns()
    await owner.take(chunk(rig, 0, records, more=more))
    await turns()
    assert rig.store.positions[TP].next_offset == committed
    await owner.release()
    assert rig.store.positions[TP].next_offset == records


class Stuck(MemoryPublisher):
    """Acknowledges nothing until it is let go."""

    go: asyncio.Event

    async def publish(self, rows: Sequence[OutboxRow]) -> None:
        await self.go.wait()
        await super().publish(rows)


@pytest.mark.parametrize("bytes_max, waits", [(1, True), (1 << 20, False)])
async def test_folding_waits_while_too_many_bytes_wait_for_the_broker(bytes_max: int, waits: bool) -> None:
    rig = Rig([LogRecord(SPOILED)] * 4, limits=replace(LIMITS, pending_outbox_bytes=bytes_max))
    publisher = Stuck(rig.log)
    publisher.go = asyncio.Event()
    rig.deps = replace(rig.deps, publisher=publisher)
    owner = await rig.owner()
    taking = asyncio.ensure_future(owner.take(chunk(rig, 0, 4, more=False)))
    await turns()
    assert taking.done() is not waits
    publisher.go.set()
    await taking
    await owner.release()
    assert rig.store.positions[TP].counts["dead"] == 4


class Slow(MemoryStore):
    """Lets nobody claim the neighbour until it is let go."""

    go: asyncio.Event

    async def claim(self, tp: TopicPartition, log: LogBounds) -> Position:
        if tp == _NEIGHBOUR:
            await self.go.wait()
        return await super().claim(tp, log)


async def test_a_claim_that_waits_holds_up_no_other_partition() -> None:
    log, store = memory_log(stream_of(2), 2), Slow()
    store.go = asyncio.Event()
    shell = Shell(deps_for(log, store, MemoryPublisher(log), "standard", replace(LIMITS, claims_wait_s=0.01)))
    async with asyncio.timeout(5):
        await shell.assigned([TP, _NEIGHBOUR])
    records, end = log.log(TP).read(0, 64, 1 << 22)
    await shell.process(Chunk(*TP, 0, end, records, NOW_MS))
    await turns()
    assert store.positions[TP].next_offset == end > 0
    assert _NEIGHBOUR not in store.positions
    store.go.set()
    await turns()
    assert shell.owners[_NEIGHBOUR].claim is not None
    await shell.revoked([TP, _NEIGHBOUR])
