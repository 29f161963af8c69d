"""Streams for tests: drawn by hypothesis, or made from a seed."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Literal, TypeVar

from hypothesis import strategies as st

from tests.generated import DISORDER_MAX_US, Rich, Shape, build, build_quiet, build_rich
from tests.oracle import LogRecord, Record, decode

__all__ = ["Rich", "Shape", "disordered", "make_quiet_stream", "make_rich_stream", "make_stream", "streams"]

T = TypeVar("T")
SMALL = Shape(records_max=60)
LARGE = Shape(records_max=300, tenants=12)


class _Seeded:
    def __init__(self, random: Random) -> None:
        self._random = random

    def whole(self, low: int, high: int) -> int:
        return self._random.randint(low, high)

    def one_of(self, options: Sequence[T]) -> T:
        return self._random.choice(options)


class _Drawn:
    def __init__(self, draw: Callable[[st.SearchStrategy[int]], int]) -> None:
        self._draw = draw

    def whole(self, low: int, high: int) -> int:
        return self._draw(st.integers(low, high))

    def one_of(self, options: Sequence[T]) -> T:
        return options[self.whole(0, len(options) - 1)]


@st.composite
def streams(draw: st.DrawFn, shape: Shape = SMALL) -> list[LogRecord]:
    """Draw a stream, unplaced, in the order of its append."""
    return build(_Drawn(draw), shape)


def make_stream(seed: int, shape: Shape = LARGE) -> list[LogRecord]:
    """Return the stream of a seed, unplaced, in the order of its append."""
    return build(_Seeded(Random(seed)), shape)


def make_rich_stream(seed: int, append: Literal["none", "live"] | None = None) -> Rich:
    """Return a stream on which every cost rule has something to say, with settings at the start and on the way.

    Args:
        append: no append times, or ones that follow the events; None: the seed decides.
    """
    return build_rich(_Seeded(Random(seed)), append)


def make_quiet_stream(seed: int) -> list[LogRecord]:
    """Return a stream of steady tenants, on which nothing may fire under `standard`; no append times."""
    return build_quiet(_Seeded(Random(seed)))


def disordered(log: Sequence[LogRecord], random: Random) -> list[LogRecord]:
    """Return the same records in another order in which none is late that was not.

    For streams without append times; unreadable records go anywhere.
    """

    def arrival_us(entry: LogRecord) -> int:
        record = decode(entry.value, entry.headers)
        at = record if isinstance(record, Record) else random.choice(readable)
        return at.occurred_us + random.randint(0, DISORDER_MAX_US)

    readable = [
        record for record in (decode(entry.value, entry.headers) for entry in log) if isinstance(record, Record)
    ]
    return sorted(log, key=arrival_us) if readable else list(log)
