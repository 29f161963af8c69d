import asyncio
import random
import time
from collections.abc import Iterator

import pytest

from drivers.memory.log import MemoryLog
from engines.core.model import LogRecord, TopicPartition
from engines.core.ports import ChunkSource
from streams.memory_source import MemorySource
from tests.streams.source_contract import SourceContract
from tests.streams.source_world import Recorder, World, running

TOPIC = "costs"
PARTITIONS = [TopicPartition(TOPIC, 0), TopicPartition(TOPIC, 1)]


class MemoryWorld:
    """The members of a group are assigned by hand, the last one getting partition 1."""

    topic = TOPIC

    def __init__(self) -> None:
        self.log = MemoryLog({TOPIC: 2}, lambda: int(time.time() * 1000))
        self.members: list[MemorySource] = []

    async def append(self, partition: int, values: list[bytes]) -> None:
        for value in values:
            self.log.append(PARTITIONS[partition], value)
        self.wake()

    async def gap(self, partition: int) -> None:
        self.log.skip(PARTITIONS[partition])
        self.wake()

    def source(self) -> MemorySource:
        return MemorySource(self.log)

    async def joined(self, source: ChunkSource) -> None:
        assert isinstance(source, MemorySource)
        if self.members:
            await self.members[-1].revoke(PARTITIONS)
            await self.members[-1].assign(PARTITIONS[:1])
            await source.assign(PARTITIONS[1:])
        else:
            await source.assign(PARTITIONS)
        self.members.append(source)

    async def fetched_ahead(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    async def left(self, source: ChunkSource) -> None:
        assert isinstance(source, MemorySource)
        self.members.remove(source)
        await self.members[-1].assign(PARTITIONS[1:])

    def wake(self) -> None:
        for member in self.members:
            member.wake()


class TestMemorySource(SourceContract):
    @pytest.fixture
    async def world(self) -> Iterator[World]:  # type: ignore[misc]  # an async generator; pytest-asyncio drives it
        world = MemoryWorld()
        passing = asyncio.ensure_future(self._time_passes(world))
        yield world
        passing.cancel()

    async def _time_passes(self, world: MemoryWorld) -> None:
        while True:
            await asyncio.sleep(0.05)
            world.wake()


async def test_chunks_are_as_large_as_they_are_told_to_be() -> None:
    world = MemoryWorld()
    sizes = random.Random(7)
    source = MemorySource(world.log, chunk_size=lambda: sizes.randint(1, 9))
    handler = Recorder(source)
    await world.append(0, [b"%d" % n for n in range(200)])
    async with running(world, handler):
        await handler.until(lambda: len(handler.values(0)) == 200)
    assert {len(chunk.records) for chunk in handler.of(0)} >= {1, 5, 9}
    assert handler.values(0) == [b"%d" % n for n in range(200)]


async def test_every_step_suspends_where_it_is_told_to() -> None:
    world = MemoryWorld()
    steps: list[str] = []

    async def suspend(step: str) -> None:
        steps.append(step)
        await asyncio.sleep(0)

    handler = Recorder(MemorySource(world.log, suspend=suspend))
    await world.append(0, [b"a"])
    async with running(world, handler):
        await handler.until(lambda: handler.values(0) == [b"a"])
    assert set(steps) >= {"bounds:before", "bounds:after", "fetch", "deliver"}


def test_a_log_forgets_its_start_and_loses_its_end() -> None:
    log = MemoryLog({TOPIC: 2}, lambda: 5)
    tp = PARTITIONS[0]
    for n in range(4):
        log.append(tp, b"%d" % n)
    log.skip(tp, 2)
    log.append(tp, b"6", timestamp_ms=9)
    log.move_start(tp, 2)
    assert (log.bounds(tp).start, log.bounds(tp).end) == (2, 7)
    assert log.log(tp).read(2, 10, 100) == (
        [LogRecord(2, 5, None, b"2"), LogRecord(3, 5, None, b"3"), LogRecord(6, 9, None, b"6")],
        7,
    )
    assert log.log(tp).read(3, 1, 100)[1] == 4
    log.truncate(tp, 3)
    assert log.log(tp).read(2, 10, 100) == ([LogRecord(2, 5, None, b"2")], 3)
