"""How long records wait: from the broker's append to the commit that takes them in, partition by partition."""

from __future__ import annotations

import asyncio
import threading
import time
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple

import asyncpg

from drivers.postgres.errors import CLIENT_ERRORS
from tests import oracle

_EVERY_S = 0.02
_POSITIONS = "SELECT partition, next_offset FROM positions WHERE topic = 'costs'"


class Waited(NamedTuple):
    """A record's wait, in seconds; `sent_s` is when it was appended, in seconds since the epoch."""

    partition: int
    sent_s: float
    waited_s: float


class Delays:
    """Looks at the positions of all databases all the time, in a thread of its own."""

    def __init__(self, url: str) -> None:
        self.began_s = time.time()
        """When the watch began, in seconds since the epoch."""
        self._urls = [one.replace("+asyncpg", "") for one in url.split(",")]
        self._seen: dict[int, tuple[list[int], list[float]]] = {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._watch()), name="delays", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._end.set()
        self._thread.join(20)

    def waited(self, log: Sequence[oracle.LogRecord]) -> Iterator[Waited]:
        """Yield the wait of each record of *log* that was taken in while we watched."""
        for entry in log:
            assert entry.partition is not None
            assert entry.offset is not None
            assert entry.append_us is not None
            offsets, times = self._seen.get(entry.partition, ([], []))
            place = bisect_right(offsets, entry.offset)  # the first look at a position behind it
            if place < len(offsets):
                sent_s = entry.append_us / 1e6
                yield Waited(entry.partition, sent_s, max(0.0, times[place] - sent_s))

    async def _watch(self) -> None:
        connections = [await asyncpg.connect(url, timeout=5) for url in self._urls]
        while not self._end.is_set():
            for connection in connections:
                self._note(await connection.fetch(_POSITIONS, timeout=5))
            await asyncio.sleep(_EVERY_S)
        for connection in connections:
            with suppress(*CLIENT_ERRORS):
                await connection.close()

    def _note(self, positions: Iterable[asyncpg.Record]) -> None:
        for partition, offset in positions:
            offsets, times = self._seen.setdefault(partition, ([], []))
            if not offsets or offset > offsets[-1]:
                offsets.append(offset)
                times.append(time.time())


@contextmanager
def watched(url: str) -> Iterator[Delays]:
    """Watch the deployment on *url* while the block runs; it must be settled at its end."""
    delays = Delays(url)
    delays.start()
    try:
        yield delays
    finally:
        delays.stop()
