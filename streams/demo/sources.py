"""What the demo publishes, to which topic, and how fast: weeks that are there already, or files."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from engines.cost.domain import TOPIC as COSTS
from engines.runs.domain import TOPIC as RUNS
from streams.lines import Block, Line, LineReader
from streams.publishing import Lines

TOPICS: Final = (COSTS, RUNS)
_RUN: Final = b"run-"
_BLOCK_LINES: Final = 500
_UNREAD_BYTES_MAX: Final = 2 << 20
"""The embedded broker keeps 5 MiB of a partition: no more than this is sent before the worker has read it."""

Reached = Callable[[str, int], Awaitable[None]]
"""Returns once the worker has read so many records of a topic."""
Source = Callable[[Reached], Lines]


class Listed:
    """Lines that are there already, as ``Publishing`` takes them."""

    idle = False

    def __init__(self, values: Sequence[bytes]) -> None:
        self._lines = [Line(0, number, value) for number, value in enumerate(values, 1)]
        self._at = 0

    async def take(self) -> Block | None:
        """Return the next lines."""
        lines = self._lines[self._at : self._at + _BLOCK_LINES]
        self._at += len(lines)
        return Block(lines, 0) if lines else None


class Unhurried:
    """Those lines of files that belong to a topic, held back while the worker has too much to read."""

    def __init__(self, reader: LineReader, topic: str, reached: Reached) -> None:
        self._reader = reader
        self._topic = topic
        self._reached = reached
        self._lines = self._bytes = 0

    @property
    def idle(self) -> bool:
        """Whether what was taken must go out before there is more."""
        return self._bytes >= _UNREAD_BYTES_MAX or self._reader.idle

    async def take(self) -> Block | None:
        """Return the next lines, once the worker has read enough of those before."""
        if self._bytes >= _UNREAD_BYTES_MAX:
            await self._reached(self._topic, self._lines)
            self._bytes = 0
        block = await self._reader.take()
        if block is None:
            return None
        mine = [line for line in block.lines if topic_of(line.value) == self._topic]
        self._lines += len(mine)
        self._bytes += sum(len(line.value) for line in mine)
        return Block(mine, block.bytes_read)


def listed(values: Sequence[bytes]) -> Source:
    """Return lines that are there already as a source."""
    return lambda _: Listed(values)


def of_files(names: Sequence[str], topic: str) -> Source:
    """Return the lines of files that belong to *topic* as a source. Raises InputUnreadable."""
    reader = LineReader(names)
    return lambda reached: Unhurried(reader, topic, reached)


class _Typed(msgspec.Struct, gc=False):
    type: str | None = None


_typed = msgspec.json.Decoder(_Typed).decode


def topic_of(value: bytes) -> str:
    """Return where an event belongs: it is of a run if its type says so, else about a call."""
    if _RUN not in value:
        return COSTS
    try:
        told = _typed(value).type or ""
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return COSTS
    return RUNS if told.startswith(_RUN.decode()) else COSTS
