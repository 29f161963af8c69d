"""Where faults strike: every call of a port passes through ``Weather.call`` and suspends before and after its effect.

Invariant: the effect itself is one step, so it happens or does not. What the caller learns of it is the weather's.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from engines.core.errors import OutlayError, Transient
from tests.simulation.faults import Kind, Plan
from tests.simulation.loop import SimLoop, forever
from tests.simulation.tasks import NODE, WORLD

T = TypeVar("T")
_LATENCIES = (0.0, 0.0, 0.0, 0.001, 0.02)


class Service:
    """Something that a node has a connection to: a database, the broker."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.connections = 0
        self.away_until = 0.0

    def disconnect(self) -> None:
        """Break every connection: calls under way end in ``Transient``, whether their effect happened or not."""
        self.connections += 1


class Weather:
    """Strikes with the plan's faults, one after the other, while there are any and it is not calm.

    ``deeds`` are what faults of the world do (node, seconds); the harness fills them in.
    """

    def __init__(self, plan: Plan, loop: SimLoop, tell: Callable[[str], None]) -> None:
        self.struck: Counter[Kind] = Counter()
        self.deeds: dict[Kind, Callable[[str, float], None]] = {}
        self.random = random.Random(f"weather {plan.seed}")
        self.tell = tell
        self._loop = loop
        self._faults = list(reversed(plan.faults))
        self._wait = self._faults[-1].after if self._faults else 0
        self._calm = False
        self.until_s = 0.0
        """When what struck last is over, in the loop's time, as far as that is known."""
        self.spent = asyncio.Event()
        """Set when every fault has struck."""
        if not self._faults:
            self.spent.set()

    def calm(self) -> None:
        """From now on nothing goes wrong."""
        self._calm = True
        self._faults.clear()

    async def call(
        self, service: Service, what: str, act: Callable[[], Awaitable[T]], *, may_be_late: bool = False
    ) -> T:
        """Return what *act* returns, or raise Transient instead, its effect having happened or not, or yet to."""
        connection = service.connections
        broken = await self._suspend(f"{what}:before")
        if broken is Kind.LATE and may_be_late:
            self._later(service, what, act)
        if broken or connection != service.connections or self._away(service):
            await asyncio.sleep(self.random.choice(_LATENCIES))
            raise Transient(f"{service.name} is away: {what} not done")
        result = await act()
        broken = await self._suspend(f"{what}:after")
        if broken or connection != service.connections:
            raise Transient(f"{service.name} broke off: no reply to {what}")
        return result

    async def wait_for(self, service: Service) -> None:
        """Return when *service* is back, for those who only read; they always suspend."""
        await asyncio.sleep(self.random.choice(_LATENCIES))
        if self._away(service):
            await asyncio.sleep(service.away_until - self._loop.time())

    def _away(self, service: Service) -> bool:
        return not self._calm and self._loop.time() < service.away_until

    async def _suspend(self, point: str) -> Kind | None:
        """Let others run, and a fault strike; return it when it broke the connection."""
        node = NODE.get()
        if self._loop.is_dead(node):
            await forever()
        await asyncio.sleep(self.random.choice(_LATENCIES))
        if node == WORLD or not self._faults:
            return None
        self._wait -= 1
        if self._wait > 0:
            return None
        fault = self._faults.pop()
        self._wait = self._faults[-1].after if self._faults else 0
        if not self._faults:
            self.spent.set()
        self.struck[fault.kind] += 1
        self.until_s = max(self.until_s, self._loop.time() + fault.seconds)
        self.tell(f"{fault.kind} at {point}, {fault.seconds:.3f} s")
        return await self._strike(fault.kind, node, fault.seconds)

    async def _strike(self, kind: Kind, node: str, seconds: float) -> Kind | None:
        if kind in (Kind.DROP, Kind.LATE):
            return kind
        if kind is Kind.DELAY:
            await asyncio.sleep(seconds)
            return None
        self.deeds[kind](node, seconds)
        if self._loop.is_dead(node):
            await forever()
        await asyncio.sleep(0)
        return None

    def _later(self, service: Service, what: str, act: Callable[[], Awaitable[T]]) -> None:
        """Let the effect happen after its caller gave up, unless the connection is broken before."""
        connection = service.connections

        async def land() -> None:
            await asyncio.sleep(self.random.choice((0.0, 0.05, 0.5, 3.0)))
            if connection == service.connections:
                self.tell(f"late {what} lands")
                with suppress(OutlayError):  # nobody is left to hear of it
                    await act()

        self._loop.spawn(WORLD, land(), f"late {what}")
