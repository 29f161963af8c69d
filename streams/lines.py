"""Lines of files, of ``.gz`` files and of standard input, read in a thread of their own.

One invariant: the bytes of a line are those of the file, without the newline that ends it; lines of white space
alone are none, but they count where lines are numbered.
"""

from __future__ import annotations

import asyncio
import gzip
import heapq
import io
import os
import stat
import threading
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from engines.core.errors import OutlayError
from engines.core.time import parse_instant

STDIN: Final = "-"
_READ_BYTES: Final = 256 << 10
_MERGED_LINES: Final = 1000
_AHEAD: Final = 4
"""Blocks read and not yet taken."""


class InputUnreadable(OutlayError):
    """A file cannot be opened, or not be read to its end."""


class Line(NamedTuple):
    """A line and where it stands: the number of its file among the files, and of it in the file, from 1."""

    source: int
    number: int
    value: bytes


class Block(NamedTuple):
    """Some lines in order, and how many bytes of all files were read so far (as they are on disk)."""

    lines: list[Line]
    bytes_read: int


class _Timed(msgspec.Struct):
    occurred_at: str


_read_timed = msgspec.json.Decoder(_Timed).decode


@dataclass(slots=True)
class _Source:
    """One file: its size on disk (None: it has none), and how many bytes of that and lines were read so far."""

    name: str
    size: int | None
    bytes_read: int = 0
    line: int = 0

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes as they come, decompressed. Raises InputUnreadable."""
        try:
            with _opened(self.name) as raw:
                read = gzip.GzipFile(fileobj=raw).read1 if self.name.endswith(".gz") else raw.read
                while chunk := read(_READ_BYTES):
                    self.bytes_read = raw.tell() if self.size is not None else 0
                    yield chunk
        except (OSError, EOFError, zlib.error) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise InputUnreadable(f"{shown(self.name)}: unreadable after line {self.line}: {why}") from error


class LineReader:
    """Reads *names* (paths, ``.gz`` ones decompressed, ``-`` standard input); several are merged by event time.

    Merging takes from each file its next line and of these the earliest; a line without a readable ``occurred_at``
    goes with the one before it in its file.

    Attributes:
        total_bytes: size of all files, None when one has none.

    Raises:
        InputUnreadable: a file cannot be opened.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self._sources = [_Source(name, _size(name)) for name in names]
        sizes = [source.size for source in self._sources]
        self.total_bytes = None if None in sizes else sum(size or 0 for size in sizes)
        self._blocks: asyncio.Queue[Block | InputUnreadable | None] = asyncio.Queue()
        self._room = threading.Semaphore(_AHEAD)
        self._stopped = False
        self._thread: threading.Thread | None = None

    @property
    def idle(self) -> bool:
        """Whether ``take`` would have to wait."""
        return self._blocks.empty()

    async def take(self) -> Block | None:
        """Return the next lines, None at the end or after ``stop``. Raises InputUnreadable."""
        if self._thread is None:
            # A daemon: a read of standard input cannot be interrupted, and must not keep the process.
            loop = asyncio.get_running_loop()
            self._thread = threading.Thread(target=self._run, args=(loop,), name="lines", daemon=True)
            self._thread.start()
        block = None if self._stopped else await self._blocks.get()
        if self._stopped or block is None:
            return None
        self._room.release()
        if isinstance(block, InputUnreadable):
            raise block
        return block

    def stop(self) -> None:
        """Make ``take`` return None from now on; call it in the event loop."""
        self._stopped = True
        self._room.release()
        self._blocks.put_nowait(None)

    def place(self, line: Line) -> str:
        """Return ``file:line`` as compilers write it."""
        return f"{shown(self.names[line.source])}:{line.number}"

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        last: InputUnreadable | None = InputUnreadable("reading ended before its time")
        try:
            for lines in self._read():
                self._room.acquire()
                if self._stopped:
                    break
                read = sum(source.bytes_read for source in self._sources)
                with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                    loop.call_soon_threadsafe(self._blocks.put_nowait, Block(lines, read))
            last = None
        except InputUnreadable as error:
            last = error
        finally:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._blocks.put_nowait, last)

    def _read(self) -> Iterator[list[Line]]:
        if len(self._sources) == 1:
            yield from _blocks_of(0, self._sources[0])
            return
        timed = [_timed(_blocks_of(number, source)) for number, source in enumerate(self._sources)]
        lines: list[Line] = []
        try:
            for _, line in heapq.merge(*timed):
                lines.append(line)
                if len(lines) == _MERGED_LINES:
                    yield lines
                    lines = []
        except InputUnreadable:
            yield lines
            raise
        yield lines


def shown(name: str) -> str:
    """Return *name* for people."""
    return "<stdin>" if name == STDIN else name


def _opened(name: str) -> io.FileIO:
    return io.FileIO(0, closefd=False) if name == STDIN else io.FileIO(name)


def _size(name: str) -> int | None:
    """Return the size of a file, None for what is none; raises InputUnreadable when it cannot be read."""
    try:
        known = os.fstat(0) if name == STDIN else Path(name).stat()
        if stat.S_ISREG(known.st_mode) or stat.S_ISDIR(known.st_mode):
            with _opened(name):  # not a pipe: opening and closing one would break it for its writer
                return known.st_size
    except OSError as error:
        raise InputUnreadable(f"{shown(name)}: {error.strerror}") from error
    return None


def _blocks_of(number: int, source: _Source) -> Iterator[list[Line]]:
    """Yield the lines of *source*, those of one read at a time, so that a slow one is passed on as it comes."""
    begun: list[bytes] = []
    for chunk in source.chunks():
        first, newline, after = chunk.partition(b"\n")
        begun.append(first)
        if newline:
            *whole, rest = after.split(b"\n")
            yield _numbered(number, source, [b"".join(begun), *whole])
            begun = [rest]
    yield _numbered(number, source, [b"".join(begun)])


def _numbered(number: int, source: _Source, values: list[bytes]) -> list[Line]:
    first = source.line + 1
    source.line += len(values)
    return [Line(number, at, value) for at, value in enumerate(values, first) if value and not value.isspace()]


def _timed(blocks: Iterable[list[Line]]) -> Iterator[tuple[int, Line]]:
    at = 0
    for lines in blocks:
        for line in lines:
            with suppress(msgspec.DecodeError, ValueError, RecursionError):
                at = parse_instant(_read_timed(line.value).occurred_at)
            yield at, line
