"""How long records wait: from the broker's append to the commit that takes them in, partition by partition."""

from __future__ import annotations

import asyncio
import threading
import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
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
    """Looks at the positions of one database all the time, in a thread of its own."""

    def __init__(self, url: str) -> None:
        self.began_s = time.time()
        """When the watch began, in seconds since the epoch."""
        self._url = url.replace("+asyncpg", "")
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
        connection = await asyncpg.connect(self._url, timeout=5)
        while not self._end.is_set():
            for partition, offset in await connection.fetch(_POSITIONS, timeout=5):
                offsets, times = self._seen.setdefault(partition, ([], []))
                if not offsets or offset > offsets[-1]:
                    offsets.append(offset)
                    times.append(time.time())
            await asyncio.sleep(_EVERY_S)
        with suppress(*CLIENT_ERRORS):
            await connection.close()


@contextmanager
def watched(url: str) -> Iterator[Delays]:
    """Watch the deployment on *url* while the block runs; it must be settled at its end."""
    delays = Delays(url)
    delays.start()
    try:
        yield delays
    finally:
        delays.stop()
