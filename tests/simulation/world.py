"""One simulated world: a broker, databases, a consumer group, and workers that come and go.

The world is calm in the end: faults stop, the last records arrive, and everything must drain.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

from drivers.memory.store import MemoryStore
from engines.core.model import Position, TopicPartition
from tests.simulation.broker import Broker, SimLog, Wall
from tests.simulation.database import Database
from tests.simulation.faults import Kind, Plan
from tests.simulation.group import Group, SimSource
from tests.simulation.loop import SimLoop, SimulationError
from tests.simulation.mishaps import Mishaps
from tests.simulation.operator import Operator
from tests.simulation.reading import topic_of
from tests.simulation.tasks import WORLD
from tests.simulation.weather import Weather

SESSION_S = 6.0
DRAIN_S = 900.0
STOP_S = 120.0


class Worker(Protocol):
    """What the world asks of the program under test."""

    async def run(self) -> None:
        """Work until ``stop``."""

    async def stop(self) -> None:
        """Leave in good order."""


class Stuck(SimulationError):
    """With nothing going wrong any more, the work was not done in time."""


class World:
    """Everything around the workers, and the workers.

    Args:
        build: makes the worker of a node from this world and its source.
        tables: makes one empty database. log: makes the empty topics.
    """

    def __init__(
        self,
        plan: Plan,
        loop: SimLoop,
        topics: Mapping[str, int],
        start_ms: int,
        build: Callable[[World, SimSource], Worker],
        tables: Callable[[], MemoryStore] = MemoryStore,
        tell: Callable[[str], None] = lambda _line: None,
        log: Callable[[str, Mapping[str, int], Callable[[], int]], SimLog] = SimLog,
    ) -> None:
        self.plan = plan
        self.loop = loop
        self.tell = tell
        self.wall = Wall(start_ms)
        self.weather = Weather(plan, loop, tell)
        self.broker = Broker(log(topic_of(plan), topics, self.wall.now_ms), self.weather)
        self.databases = [Database(f"database {n}", tables(), self.weather) for n in range(plan.databases)]
        self.group = Group(self.broker, self.weather)
        self.operator = Operator(self)
        self.mishaps = Mishaps(self)
        for database in self.databases:
            database.watch = self.mishaps
        self.halts: list[str] = []
        self._build = build
        self._workers: dict[str, Worker] = {}
        self._gone: dict[str, asyncio.Event] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._sources: dict[str, SimSource] = {}
        self._guests = 0
        self._over = False
        self.weather.deeds = {
            Kind.CRASH: lambda node, _seconds: self.crash(node),
            Kind.STALL: self._stall,
            Kind.ZOMBIE: self.group.expel,
            Kind.REBALANCE: lambda _node, _seconds: self.group.rebalance(),
            Kind.LEAVE: lambda node, _seconds: self._leave(node),
            Kind.JOIN: lambda _node, seconds: self._join(seconds),
            Kind.ROLLBACK: lambda _node, _seconds: self.weather.random.choice(self.databases).roll_back(),
            Kind.DATABASE_AWAY: lambda _node, seconds: self._away(seconds),
            Kind.BROKER_AWAY: lambda _node, seconds: self._away(seconds, broker=True),
            **self.mishaps.deeds,
        }

    def store_for(self, tp: TopicPartition) -> Database:
        """Return the database of *tp*."""
        return self.databases[tp.partition % len(self.databases)]

    def position(self, tp: TopicPartition) -> Position | None:
        """Return the committed position of *tp*."""
        return self.store_for(tp).tables.positions.get(tp)

    def source_of(self, node: str) -> SimSource | None:
        """Return the source of a living *node*."""
        return self._sources.get(node)

    def calm(self) -> None:
        """From now on nothing goes wrong, and clocks are right."""
        self.weather.calm()
        for source in self._sources.values():
            source.ahead_ms = 0

    def open(self) -> None:
        """Start the coordinator and the workers."""
        self.loop.spawn(WORLD, self.group.run())
        self.loop.spawn(WORLD, self.mishaps.attend())
        for slot in range(self.plan.workers):
            self._keepers.append(self.loop.spawn(WORLD, self._keep(f"w{slot}")))

    async def close(self) -> None:
        """Stop every worker in good order. Raises Stuck when one does not end."""
        self._over = True
        for node in list(self._workers):
            self._leave(node)
        _, pending = await asyncio.wait(self._keepers, timeout=STOP_S)
        if pending:
            raise Stuck(f"a worker does not stop\n{self.loop.dump()}")

    async def settled(self, done: Callable[[], str]) -> None:
        """Return when *done* returns "" (else it says what is missing). Raises Stuck after ``DRAIN_S``."""
        deadline = self.loop.time() + DRAIN_S
        while missing := done():
            if self.loop.time() > deadline:
                raise Stuck(f"{missing}\n{self.loop.dump()}")
            await asyncio.sleep(1)

    def crash(self, node: str) -> None:
        """Kill *node*; the group notices when its session ends."""
        self.loop.crash(node)
        self._gone[node].set()
        self.loop.later(self.weather.random.uniform(0, SESSION_S), self.group.leave, node)

    def _stall(self, node: str, seconds: float) -> None:
        self.loop.pause(node, seconds)
        if seconds > SESSION_S:
            self.loop.later(SESSION_S, self.group.expel, node, seconds - SESSION_S)

    def _leave(self, node: str) -> None:
        worker = self._workers.get(node)
        if worker is not None and not self.loop.is_dead(node):
            self.loop.spawn(node, worker.stop(), "stop")

    def _join(self, seconds: float) -> None:
        self._guests += 1
        self._keepers.append(self.loop.spawn(WORLD, self._visit(f"guest{self._guests}", seconds)))

    def _away(self, seconds: float, *, broker: bool = False) -> None:
        service = self.broker.service if broker else self.weather.random.choice(self.databases).service
        service.away_until = self.loop.time() + seconds
        service.disconnect()

    async def _keep(self, slot: str) -> None:
        """Run a worker, and another one when it is gone, as a process supervisor does."""
        life = 0
        while not self._over:
            life += 1
            await self._live(f"{slot}.{life}")
            await asyncio.sleep(self.weather.random.choice((0.1, 2.0, 10.0)))

    async def _visit(self, node: str, seconds: float) -> None:
        self.loop.later(seconds, self._leave, node)
        await self._live(node)

    async def _live(self, node: str) -> None:
        """Return when the worker on *node* ended or crashed."""
        source = SimSource(self.group, node, self.plan.chunk_max)
        gone = self._gone[node] = asyncio.Event()
        self._sources[node] = source

        async def life() -> None:
            worker = self._workers[node] = self._build(self, source)
            try:
                if not self._over:
                    await worker.run()
            finally:
                gone.set()

        self.tell(f"{node} starts")
        task = self.loop.spawn(node, life(), node)
        await gone.wait()
        self._workers.pop(node, None)
        self._sources.pop(node, None)
        if not self.loop.is_dead(node):
            await asyncio.wait([task])
            self.group.leave(node)
            if task.exception() is not None:
                self.halts.append(f"{node}: {task.exception()!r}")
        self.tell(f"{node} is gone")
