"""Watches the resident memory of processes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import psutil

MIB = 1 << 20


class Sample(NamedTuple):
    """Resident bytes of each process at a time, in seconds since the watch began; None for one that has ended."""

    at_s: float
    resident: tuple[int | None, ...]


class Memory:
    """Looks at some processes every now and then, in a thread of its own."""

    def __init__(self, pids: Sequence[int], every_s: float) -> None:
        self.samples: list[Sample] = []
        self._processes = [psutil.Process(pid) for pid in pids]
        self._every_s = every_s
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._end.set()
        self._thread.join(20)

    def of(self, number: int) -> list[tuple[float, int]]:
        """Return what process *number* held, by time."""
        seen = ((sample.at_s, sample.resident[number]) for sample in self.samples)
        return [(at_s, held) for at_s, held in seen if held is not None]

    @property
    def grown(self) -> int:
        """By how many bytes any process grew at most, from the first sample to its largest."""
        each = [self.of(number) for number in range(len(self._processes))]
        return max(max(held for _, held in seen) - seen[0][1] for seen in each if seen)

    def _watch(self) -> None:
        began = time.monotonic()
        while True:
            self.samples.append(Sample(time.monotonic() - began, tuple(map(_resident, self._processes))))
            if self._end.wait(self._every_s):
                return


def _resident(process: psutil.Process) -> int | None:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return None


@contextmanager
def watched(pids: Sequence[int], every_s: float = 0.5) -> Iterator[Memory]:
    """Watch *pids* while the block runs."""
    memory = Memory(pids, every_s)
    memory.start()
    try:
        yield memory
    finally:
        memory.stop()
