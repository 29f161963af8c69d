"""The simulated broker: an in-memory log whose service can be away, break off, or take a message late."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from drivers.memory.log import MemoryLog
from drivers.memory.publisher import MemoryPublisher
from engines.core.model import Chunk, LogBounds, OutboxRow, TopicPartition
from tests.simulation.weather import Service, Weather

CHUNK_BYTES = 4 << 20
_POLLS_S = (0.2, 1.0, 3.0)


class Wall:
    """Wall-clock time in milliseconds: the loop's time, put forward at will so that months pass quickly."""

    def __init__(self, start_ms: int) -> None:
        self._ahead_ms = start_ms

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return self._ahead_ms + int(asyncio.get_running_loop().time() * 1000)

    def advance_to(self, now_ms: int) -> None:
        """Put the clock forward to *now_ms*, if it lies ahead."""
        self._ahead_ms += max(0, now_ms - self.now_ms())


class Broker:
    """All topics; *topic* is the one that is read."""

    def __init__(self, topic: str, topics: Mapping[str, int], weather: Weather, wall: Wall) -> None:
        self.log = MemoryLog(topics, wall.now_ms, "simulated")
        self.partitions = [TopicPartition(topic, number) for number in range(topics[topic])]
        self.service = Service("broker")
        self._publisher = MemoryPublisher(self.log)
        self._weather = weather
        self._waiting: list[asyncio.Future[None]] = []

    async def bounds(self, tp: TopicPartition) -> LogBounds:
        """Return the bounds of *tp*. Raises Transient."""

        async def read() -> LogBounds:
            return self.log.bounds(tp)

        return await self._weather.call(self.service, "bounds", read)

    async def fetch(self, tp: TopicPartition, start: int, records_max: int) -> Chunk:
        """Return the next chunk of *tp*; at the end of the log wait a little, then return an empty one."""
        log, rng = self.log.log(tp), self._weather.random
        await self._weather.wait_for(self.service)
        if start >= log.end:
            await self._grown(rng.choice(_POLLS_S))
        records, end = log.read(start, records_max, CHUNK_BYTES)
        if not records and rng.random() < 0.5:
            end = rng.randint(start, end)
        at_end = self.log.now_ms() if end == log.end and rng.random() < 0.8 else None
        return Chunk(tp.topic, tp.partition, start, end, records, at_end)

    async def publish(self, rows: Sequence[OutboxRow]) -> None:
        """Take *rows* in, in two parts between which everything may go wrong. Raises Transient."""
        cut = self._weather.random.randint(0, len(rows))
        for some in (rows[:cut], rows[cut:]):
            await self._publish(some)

    async def _publish(self, rows: Sequence[OutboxRow]) -> None:
        async def act() -> None:
            await self._publisher.publish(rows)
            self.wake()

        await self._weather.call(self.service, "publish", act, may_be_late=True)

    def wake(self) -> None:
        """Answer all who wait at the end of a log."""
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()

    async def _grown(self, timeout_s: float) -> None:
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await asyncio.wait([future], timeout=timeout_s)
