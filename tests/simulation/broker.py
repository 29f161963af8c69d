"""The simulated broker: an in-memory log whose service can be away, break off, or take a message late.

Its log can lose its beginning, be deleted and made anew, and hold back what an open transaction has not decided yet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from drivers.memory.log import MemoryLog
from drivers.memory.publisher import MemoryPublisher
from engines.core.model import Chunk, Headers, LogBounds, LogRecord, OutboxRow, TopicPartition
from tests.simulation.history import History
from tests.simulation.weather import Service, Weather

CHUNK_BYTES = 4 << 20
_POLLS_S = (0.3, 2.0, 6.0)


class OutOfRange(Exception):
    """The log does not hold the position, or is another one than that which was sought."""


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

    def step(self, ms: int) -> None:
        """Put the clock forward, or back."""
        self._ahead_ms += ms


class SimLog(MemoryLog):
    """Topics in memory, of which the input topic has a history."""

    def __init__(self, topic: str, topics: Mapping[str, int], now_ms: Callable[[], int]) -> None:
        super().__init__(topics, now_ms, "simulated")
        self.topic = topic
        self.topics = list(topics)
        self.history = History()
        self.held: dict[TopicPartition, int] = {}
        """Where an open transaction begins: nothing from there on can be read yet."""

    def append(
        self,
        tp: TopicPartition,
        value: bytes | None,
        *,
        key: bytes | None = None,
        headers: Headers = (),
        timestamp_ms: int | None = None,
    ) -> LogRecord:
        """Append a record and return it."""
        record = super().append(tp, value, key=key, headers=headers, timestamp_ms=timestamp_ms)
        if tp.topic == self.topic:
            self.history.append(tp, record)
        return record

    def stable_end(self, tp: TopicPartition) -> int:
        """Return the last stable offset."""
        return self.held.get(tp, self.log(tp).end)

    def ends_at(self, tp: TopicPartition, position: int) -> bool:
        """Whether nothing was appended behind *position*: what an open transaction holds back was."""
        return position == self.log(tp).end

    def bounds(self, tp: TopicPartition) -> LogBounds:
        """Return what the broker says of *tp*."""
        return replace(super().bounds(tp), end=self.stable_end(tp), topic_id=f"{tp.topic} {self.history.generation}")


class Broker:
    """All topics of *log*."""

    def __init__(self, log: SimLog, weather: Weather) -> None:
        self.log = log
        self.history = log.history
        self.partitions = [TopicPartition(log.topic, number) for number in range(log.partitions(log.topic))]
        self.service = Service("broker")
        self._publisher = MemoryPublisher(self.log)
        self._weather = weather
        self._waiting: list[asyncio.Future[None]] = []

    async def bounds(self, tp: TopicPartition) -> tuple[LogBounds, int]:
        """Return the bounds of *tp*, and of which generation of the topic they are. Raises Transient."""

        async def read() -> tuple[LogBounds, int]:
            return self.log.bounds(tp), self.history.generation

        return await self._weather.call(self.service, "bounds", read)

    async def fetch(
        self, tp: TopicPartition, start: int, records_max: int, generation: int, now_ms: Callable[[], int]
    ) -> Chunk:
        """Return the next chunk of *tp*; at the end of the log wait a little, then return an empty one.

        Args:
            generation: which topic the position *start* is of.
            now_ms: the clock of who asks.

        Raises:
            OutOfRange: the position is not in the log.
        """
        rng = self._weather.random
        await self._weather.wait_for(self.service)
        if start >= self.log.stable_end(tp):
            await self._grown(rng.choice(_POLLS_S))
        log, stable = self.log.log(tp), self.log.stable_end(tp)
        if generation != self.history.generation or not log.start <= start <= stable:
            raise OutOfRange(f"{tp} {start}")
        records, end = log.read(start, records_max, CHUNK_BYTES)
        records, end = [record for record in records if record.offset < stable], min(end, stable)
        if not records and rng.random() < 0.5:
            end = rng.randint(start, end)
        at_end = now_ms() if self.log.ends_at(tp, end) and rng.random() < 0.8 else None
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

    def hold(self) -> TopicPartition | None:
        """Begin a transaction on some partition, with records that are never committed; None: there is one."""
        tp = self._weather.random.choice(self.partitions)
        if tp in self.log.held:
            return None
        self.log.held[tp] = self.log.log(tp).end
        self.log.skip(tp, self._weather.random.randint(1, 5))
        return tp

    def release(self, tp: TopicPartition) -> None:
        """End the transaction on *tp*."""
        self.log.held.pop(tp, None)
        self.wake()

    def forget(self, tp: TopicPartition, start: int) -> None:
        """Lose what lies before *start*, but nothing that an open transaction holds back."""
        self.log.move_start(tp, min(start, self.log.stable_end(tp)))

    def renew(self) -> None:
        """Delete the input topic and make it anew."""
        self.history.renewed({tp: self.log.log(tp).end for tp in self.partitions})
        self.log.held.clear()
        for tp in self.partitions:
            log = self.log.log(tp)
            log.records.clear()
            log.start = log.end = 0
        self.wake()

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
