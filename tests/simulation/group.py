"""The consumer group: a coordinator in the world, and a ``ChunkSource`` on each node.

Assignment is eager, as Kafka's is with Faust: every change of membership revokes all and deals anew. A member that
does not answer in time is expelled and finds out later; until then it is a zombie that fetches and processes on.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from engines.core.model import Chunk, LogBounds, TopicPartition
from engines.core.ports import ChunkHandler
from tests.simulation.broker import Broker, OutOfRange
from tests.simulation.faults import Kind
from tests.simulation.loop import current
from tests.simulation.weather import Weather

REBALANCE_S = 10.0
REVOKE_S = 3.0


@dataclass(frozen=True, slots=True)
class _Revoke:
    done: asyncio.Future[None]


@dataclass(frozen=True, slots=True)
class _Assign:
    partitions: list[TopicPartition]


@dataclass(frozen=True, slots=True)
class _Lost:
    tp: TopicPartition
    reader: asyncio.Task[None]


@dataclass(frozen=True, slots=True)
class _Expelled:
    pass


@dataclass(frozen=True, slots=True)
class _Stop:
    pass


_Order = _Revoke | _Assign | _Lost | _Expelled | _Stop


class Group:
    """Deals the partitions to the members that answer."""

    def __init__(self, broker: Broker, weather: Weather) -> None:
        self.broker = broker
        self.weather = weather
        self.members: dict[str, SimSource] = {}
        self.failures: list[str] = []
        self.reported: dict[TopicPartition, int] = {}
        self._wanted = asyncio.Event()

    def rebalance(self) -> None:
        """Revoke all and deal anew, soon."""
        self._wanted.set()

    def join(self, source: SimSource) -> None:
        """Let *source* take part."""
        self.members[source.node] = source
        self.rebalance()

    def leave(self, node: str) -> None:
        """Deal without *node*."""
        if self.members.pop(node, None) is not None:
            self.rebalance()

    def expel(self, node: str, told_after_s: float) -> None:
        """Deal without *node*, which learns of it after *told_after_s* and joins again."""
        source = self.members.get(node)
        self.leave(node)
        if source is not None:
            current().later(told_after_s, source.tell, _Expelled())

    async def run(self) -> None:
        """Rebalance whenever it is wanted, for ever."""
        while True:
            await self._wanted.wait()
            await asyncio.sleep(self.weather.random.choice((0.0, 0.1, 1.0)))
            self._wanted.clear()
            await self._deal()

    async def _deal(self) -> None:
        loop = asyncio.get_running_loop()
        asked = {node: loop.create_future() for node in self.members}
        for node, done in asked.items():
            self.members[node].tell(_Revoke(done))
        if asked:
            await asyncio.wait(asked.values(), timeout=REBALANCE_S)
        for node, done in asked.items():
            if not done.done():
                self.expel(node, self.weather.random.choice((0.0, 2.0, 20.0)))
        members = [source for node, source in self.members.items() if node in asked]
        partitions = list(self.broker.partitions)
        self.weather.random.shuffle(partitions)
        self.weather.random.shuffle(members)
        for place, source in enumerate(members):
            mine = partitions[place :: len(members)]
            self.weather.tell(f"{source.node} is dealt {[tp.partition for tp in mine]}")
            source.tell(_Assign(mine))


class SimSource:
    """A ``ChunkSource``: one member of the group. Its tasks belong to its node."""

    def __init__(self, group: Group, node: str, chunk_max: int) -> None:
        self.node = node
        self.ahead_ms = 0
        """How far the clock of its node is ahead."""
        self._group = group
        self._chunk_max = chunk_max
        self._random = group.weather.random
        self._inbox: asyncio.Queue[_Order] = asyncio.Queue()
        self._positions: dict[TopicPartition, int] = {}
        self._generations: dict[TopicPartition, int] = {}
        self._disturbed: list[Kind] = []
        self._readers: dict[TopicPartition, asyncio.Task[None]] = {}

    def tell(self, order: _Order) -> None:
        """Let the member know, in order."""
        self._inbox.put_nowait(order)

    async def run(self, handler: ChunkHandler) -> None:
        """Deliver assignments and chunks to *handler* until ``stop``."""
        self._group.join(self)
        while True:
            match await self._inbox.get():
                case _Assign(partitions):
                    await self._assigned(handler, partitions)
                case _Revoke(done):
                    await self._revoked(handler)
                    if not done.done():
                        done.set_result(None)
                case _Lost(tp, reader):
                    if self._readers.get(tp) is reader:
                        await self._offer_again(handler, tp)
                case _Expelled():
                    await self._revoked(handler)
                    self._group.join(self)
                case _Stop():
                    await self._revoked(handler)
                    self._group.leave(self.node)
                    return

    async def stop(self) -> None:
        """Make ``run`` revoke everything, leave the group and return."""
        self.tell(_Stop())

    async def bounds(self, tp: TopicPartition) -> LogBounds:
        """Return the bounds of *tp*. Raises Transient."""
        bounds, self._generations[tp] = await self._group.broker.bounds(tp)
        return bounds

    def seek(self, tp: TopicPartition, offset: int) -> None:
        """Make the next chunk of *tp* start at *offset*."""
        self._positions[tp] = offset

    def report(self, tp: TopicPartition, next_offset: int) -> None:
        """Remember what the group shows as committed."""
        self._group.reported[tp] = next_offset

    async def _assigned(self, handler: ChunkHandler, partitions: list[TopicPartition]) -> None:
        self._positions = {}
        await handler.assigned(partitions)
        for tp in partitions:
            self._readers[tp] = asyncio.create_task(self._read(handler, tp), name=f"reader {tp.partition}")

    async def _revoked(self, handler: ChunkHandler) -> None:
        """Give all up: chunks under way are waited for, cancelled before, or cancelled after *handler* knows."""
        mine = list(self._readers)
        readers = list(self._readers.values())
        self._readers = {}
        if not mine:
            return
        style = self._random.choice(("wait", "cancel", "revoke"))
        if style == "wait":
            await asyncio.wait(readers, timeout=REVOKE_S)
        if style != "revoke":
            await _cancel(readers)
        await handler.revoked(mine)
        await _cancel(readers)

    async def _offer_again(self, handler: ChunkHandler, tp: TopicPartition) -> None:
        """Take *tp* away and offer it again: its position is not in the log any more."""
        await _cancel([self._readers.pop(tp)])
        self._positions.pop(tp, None)
        await handler.revoked([tp])
        await handler.assigned([tp])
        self._readers[tp] = asyncio.create_task(self._read(handler, tp), name=f"reader {tp.partition}")

    def disturb(self, kind: Kind) -> None:
        """Drop the next chunk with records, or deliver it twice."""
        self._disturbed.append(kind)

    def clock_ms(self) -> int:
        """Return the time by the clock of the node."""
        return self._group.broker.log.now_ms() + self.ahead_ms

    async def _read(self, handler: ChunkHandler, tp: TopicPartition) -> None:
        """Deliver chunks of *tp* one after the other, as long as this task is its reader."""
        me = asyncio.current_task()
        assert me is not None
        while self._readers.get(tp) is me:
            start = self._positions.get(tp)
            if start is None:
                await asyncio.sleep(0.5)
                continue
            size, generation = self._random.randint(1, self._chunk_max), self._generations[tp]
            try:
                chunk = await self._group.broker.fetch(tp, start, size, generation, self.clock_ms)
            except OutOfRange:
                if self._positions.get(tp) == start:
                    self.tell(_Lost(tp, me))
                    return
                continue
            if self._readers.get(tp) is me and self._positions.get(tp) == start:
                self._positions[tp] = chunk.end
                for _ in range(self._copies(chunk)):
                    await self._deliver(handler, chunk)

    def _copies(self, chunk: Chunk) -> int:
        """Return how often *chunk* is delivered."""
        if not chunk.records or not self._disturbed:
            return 1
        return 0 if self._disturbed.pop() is Kind.CHUNK_DROPPED else 2

    async def _deliver(self, handler: ChunkHandler, chunk: Chunk) -> None:
        try:
            await handler.process(chunk)
        except Exception as error:  # noqa: BLE001 whatever it is, it breaks the port's promise
            self._group.failures.append(f"process raised {error!r}")


async def _cancel(readers: list[asyncio.Task[None]]) -> None:
    for reader in readers:
        reader.cancel()
    await asyncio.gather(*readers, return_exceptions=True)
