"""Publishing what is committed: the outbox of one partition, in order, at least once.

A row is handed over only after the commit that holds it; the cursor behind the acknowledged rows travels with the
next commit. A crash between the two publishes a row again, identically.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial

from engines.core.errors import DataRefused, Halt
from engines.core.model import OutboxRow
from engines.core.ports import Publisher
from streams.limits import ShellLimits
from streams.retrying import Sleep, persist


class Outbox:
    """Committed rows on their way to the broker."""

    def __init__(
        self, publisher: Publisher, limits: ShellLimits, sleep: Sleep, published: int, moved: Callable[[], None]
    ) -> None:
        self.published = published
        self._publisher = publisher
        self._limits = limits
        self._sleep = sleep
        self._moved = moved
        self.bytes = 0
        """Of the values that wait."""
        self._rows: deque[OutboxRow] = deque()
        self._some = asyncio.Event()
        self._none = asyncio.Event()
        self._none.set()

    def __len__(self) -> int:
        """How many rows wait for their acknowledgement."""
        return len(self._rows)

    def add(self, rows: Iterable[OutboxRow]) -> None:
        """Take committed *rows*, in order."""
        for row in rows:
            self._rows.append(row)
            self.bytes += len(row.value or b"")
        if self._rows:
            self._some.set()
            self._none.clear()

    async def drained(self) -> None:
        """Return when every row is acknowledged."""
        await self._none.wait()

    async def run(self) -> None:
        """Publish until cancelled.

        Raises:
            Halt: the broker refuses a row for good. Skipping it would lose it, and no record is to blame, so an
                operator changes the topic or its rights; until then the row stays in the database, first in line.
        """
        while True:
            await self._some.wait()
            rows = [self._rows[at] for at in range(min(len(self._rows), self._limits.publish_rows))]
            try:
                await persist("publishing", partial(self._publisher.publish, rows), self._limits, self._sleep)
            except DataRefused as error:
                raise Halt(f"a message cannot be published: {error}") from error
            for _ in rows:
                self.bytes -= len(self._rows.popleft().value or b"")
            self.published = rows[-1].seq
            if not self._rows:
                self._some.clear()
                self._none.set()
            self._moved()
