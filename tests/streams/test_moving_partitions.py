"""Two members of a group in one simulated process: partitions move between them at any moment."""

import asyncio
import random
from collections.abc import Collection

import pytest

from drivers.memory.log import MemoryLog
from engines.core.model import Chunk, TopicPartition
from streams.memory_source import MemorySource
from tests.simulation.loop import SimLoop

TOPIC = "costs"
PARTITIONS = [TopicPartition(TOPIC, n) for n in range(3)]
RECORDS = 60


class Ledger:
    """What both members share: positions, who owns what, and what was taken in."""

    def __init__(self) -> None:
        self.positions = dict.fromkeys(PARTITIONS, 0)
        self.owners: dict[TopicPartition, str] = {}
        self.taken: dict[TopicPartition, list[bytes | None]] = {tp: [] for tp in PARTITIONS}


class Owner:
    """A handler that suspends wherever a shell would, and checks that it is alone."""

    def __init__(self, name: str, source: MemorySource, ledger: Ledger) -> None:
        self.name = name
        self.source = source
        self.ledger = ledger

    async def assigned(self, partitions: Collection[TopicPartition]) -> None:
        for tp in partitions:
            await asyncio.sleep(0)
            assert self.ledger.owners.setdefault(tp, self.name) == self.name
            self.source.seek(tp, self.ledger.positions[tp])

    async def revoked(self, partitions: Collection[TopicPartition]) -> None:
        for tp in partitions:
            await asyncio.sleep(0)
            self.ledger.owners.pop(tp, None)

    async def process(self, chunk: Chunk) -> None:
        tp = TopicPartition(chunk.topic, chunk.partition)
        if chunk.start != self.ledger.positions[tp]:
            self.source.seek(tp, self.ledger.positions[tp])
            return
        await asyncio.sleep(0.001)
        if self.ledger.owners.get(tp) != self.name:
            return
        self.ledger.taken[tp] += [record.value for record in chunk.records]
        self.ledger.positions[tp] = chunk.end


async def move_about(seed: int) -> Ledger:
    rng = random.Random(seed)
    loop = asyncio.get_running_loop()
    log = MemoryLog({TOPIC: len(PARTITIONS)}, lambda: int(loop.time() * 1000))
    ledger = Ledger()
    sources = [MemorySource(log, chunk_size=lambda: rng.randint(1, 5)) for _ in range(2)]
    owners = [Owner(f"member {n}", source, ledger) for n, source in enumerate(sources)]
    runs = [asyncio.ensure_future(source.run(owner)) for source, owner in zip(sources, owners, strict=True)]
    placed = {tp: rng.choice(sources) for tp in PARTITIONS}
    for tp, source in placed.items():
        await source.assign([tp])
    for n in range(RECORDS):
        tp = rng.choice(PARTITIONS)
        log.append(tp, b"%d" % n)
        log.skip(tp, rng.randint(0, 2))
        for source in sources:
            source.wake()
        await asyncio.sleep(rng.random() * 0.002)
        if rng.random() < 0.3:
            tps = rng.sample(PARTITIONS, rng.randint(1, 3))
            for source in sources:
                await source.revoke([tp for tp in tps if placed[tp] is source])
            for tp in tps:
                placed[tp] = rng.choice(sources)
                await placed[tp].assign([tp])
    await catch_up(log, ledger, sources)
    for source in sources:
        await source.stop()
    await asyncio.gather(*runs)
    assert ledger.taken == {tp: [record.value for record in log.log(tp).records] for tp in PARTITIONS}
    return ledger


async def catch_up(log: MemoryLog, ledger: Ledger, sources: list[MemorySource]) -> None:
    while any(ledger.positions[tp] < log.log(tp).end for tp in PARTITIONS):
        await asyncio.sleep(0.01)
        for source in sources:
            source.wake()


@pytest.mark.parametrize("seed", range(40))
def test_each_record_is_taken_in_once_by_the_one_who_owns_its_partition(seed: int) -> None:
    loop = SimLoop(seed)
    try:
        ledger = loop.run(move_about(seed))
    finally:
        loop.tear_down()
    assert loop.failures == []
    assert sum(map(len, ledger.taken.values())) == RECORDS
    assert ledger.owners == {}
