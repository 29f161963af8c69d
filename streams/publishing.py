"""Publishing events: each to the home partition of its tenant, unchanged, in order (``outlay publish``).

One invariant: a value is sent byte for byte as it was read; only the key and the partition are made of it, by the
hash that decides homes, so that nothing published here has to be forwarded.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

from drivers.kafka.murmur2 import partition_of
from streams.homes import tenant_key
from streams.lines import Block, InputUnreadable, Line

_HOMES_MAX: Final = 200_000
_STEPS_PER_S: Final = 20
"""How often a second events go out when their rate is limited."""


class Lines(Protocol):
    """Where the events come from."""

    @property
    def idle(self) -> bool:
        """Whether ``take`` would have to wait."""

    async def take(self) -> Block | None:
        """Return the next lines, None at the end."""


class Bulk(Protocol):
    """Where the events go."""

    async def start(self) -> int:
        """Connect and return the number of partitions."""

    def add(self, partition: int, key: bytes | None, value: bytes, tag: Line) -> bool:
        """Take an event in; False when its partition must be shipped first."""

    async def ship(self, partition: int) -> None:
        """Hand over what was taken in for *partition*."""

    async def ship_all(self) -> None:
        """Hand over everything."""

    async def flush(self) -> None:
        """Return when everything is acknowledged or refused."""


class Pace:
    """At most *rate* events a second, in small even steps; None: as fast as it goes."""

    def __init__(self, rate: float | None, stopped: asyncio.Event) -> None:
        self.step = None if rate is None else max(1, int(rate / _STEPS_PER_S))
        self._rate = rate or 1.0
        self._stopped = stopped
        self._next_s = time.monotonic()

    async def wait(self, events: int) -> None:
        """Return when *events* more may be sent, or at once when stopped."""
        now_s = time.monotonic()
        due_s = max(self._next_s, now_s - 1 / _STEPS_PER_S)  # what a stall has cost is not made up for in a burst
        self._next_s = due_s + events / self._rate
        if due_s > now_s:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), due_s - now_s)


class Publishing:
    """One run: *lines* to *bulk*, until the end or until ``stopped`` is set."""

    def __init__(
        self,
        lines: Lines,
        bulk: Bulk,
        *,
        rate: float | None = None,
        shown: Callable[[int, int], None] = lambda _events, _bytes_read: None,
    ) -> None:
        self.stopped = asyncio.Event()
        self.taken = 0
        self.without_tenant = 0
        self._lines = lines
        self._bulk = bulk
        self._pace = Pace(rate, self.stopped)
        self._shown = shown
        self._homes: dict[bytes | None, int] = {}

    async def run(self, partitions: int) -> None:
        """Publish everything and return when it is acknowledged or refused.

        Raises:
            InputUnreadable: a file ends too early; what was read before is published.
            Transient: the broker is away; ``Bulk.unknown`` tells what may be missing.
            SettingsError: the broker does not let us.
        """
        self._homes = {None: 0}  # an event that names no tenant is nobody's, and will be told of from there
        try:
            while not self.stopped.is_set() and (block := await self._lines.take()) is not None:
                await self._send(block, partitions)
                self._shown(self.taken, block.bytes_read)
                if self._lines.idle:
                    await self._bulk.ship_all()
        except InputUnreadable:
            await self._bulk.flush()
            raise
        await self._bulk.flush()

    async def _send(self, block: Block, partitions: int) -> None:
        lines, step = block.lines, self._pace.step
        if step is None:
            await self._add(lines, partitions)
            return
        for at in range(0, len(lines), step):
            some = lines[at : at + step]
            await self._pace.wait(len(some))
            if self.stopped.is_set():
                return
            await self._add(some, partitions)
            await self._bulk.ship_all()
            self._shown(self.taken, block.bytes_read)

    async def _add(self, lines: list[Line], partitions: int) -> None:
        homes, add = self._homes, self._bulk.add
        for line in lines:
            value = line.value
            key = tenant_key(value)
            if key is None:
                self.without_tenant += 1
            home = homes.get(key)
            if home is None:
                home = self._home(key or b"", partitions)
            if not add(home, key, value, line):
                await self._bulk.ship(home)
                add(home, key, value, line)
        self.taken += len(lines)

    def _home(self, key: bytes, partitions: int) -> int:
        if len(self._homes) >= _HOMES_MAX:
            self._homes = {None: 0}
        home = self._homes[key] = partition_of(key, partitions)
        return home
