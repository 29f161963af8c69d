"""Watches how long a deployment takes nothing in."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import asyncpg

from drivers.postgres.errors import CLIENT_ERRORS

_EVERY_S = 0.05
_TAKEN_IN = "SELECT coalesce(sum(next_offset), 0)::bigint FROM positions WHERE topic = 'costs'"


class Stalls:
    """Looks at the positions of all databases every 50 ms, in a thread of its own."""

    def __init__(self, url: str) -> None:
        self.longest_s = 0.0
        """The longest time without progress so far, in seconds; an outage of the database is one."""
        self._urls = [one.replace("+asyncpg", "") for one in url.split(",")]
        self._end = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._watch()), name="stalls", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._end.set()
        self._thread.join(20)

    async def _watch(self) -> None:
        connections: list[asyncpg.Connection[asyncpg.Record]] = []
        moved, last = time.monotonic(), -1
        while not self._end.is_set():
            try:
                if not connections:
                    connections = [await asyncpg.connect(url, timeout=5) for url in self._urls]
                taken = sum([await one.fetchval(_TAKEN_IN, timeout=5) for one in connections])
                if taken != last:
                    moved, last = time.monotonic(), taken
            except (*CLIENT_ERRORS, TimeoutError):
                _terminate(connections)
            self.longest_s = max(self.longest_s, time.monotonic() - moved)
            await asyncio.sleep(_EVERY_S)
        _terminate(connections)


def _terminate(connections: list[asyncpg.Connection[asyncpg.Record]]) -> None:
    for one in connections:
        with suppress(*CLIENT_ERRORS):
            one.terminate()
    connections.clear()


@contextmanager
def watched(url: str) -> Iterator[Stalls]:
    """Watch the deployment on *url* while the block runs; begin when it is at work, end when its load does."""
    stalls = Stalls(url)
    stalls.start()
    try:
        yield stalls
    finally:
        stalls.stop()
