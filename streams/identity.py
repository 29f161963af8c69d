"""Who has been counted already: the identities of the open days of one partition, exact and small.

Each day keeps sorted runs of 128-bit hashes (20 bytes an id, no false positives beyond a hash collision); a chunk
is one run, and runs of similar size are merged, so that an id is moved about log2(n) times and looked up in few
places (CONTRACT §3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engines.core.model import IdBlock

IDENTITY_BYTES = 16
"""Of the 20 bytes of a stamp; the rest is the content checksum, big endian."""
_MERGE_MAX = 1_000_000
"""Longer runs stay as they are: merging them would stall the partition for tens of milliseconds."""

_ITEM = np.dtype([("hi", ">u8"), ("lo", ">u8"), ("crc", ">u4")])
_U8 = npt.NDArray[np.uint64]
_U4 = npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class _Run:
    hi: _U8
    lo: _U8
    crc: _U4


def _run_of(body: bytes) -> _Run:
    items = np.frombuffer(body, dtype=_ITEM)
    hi = items["hi"].astype(np.uint64)
    order = np.argsort(hi, kind="stable")
    return _Run(hi[order], items["lo"].astype(np.uint64)[order], items["crc"].astype(np.uint32)[order])


def _merged(first: _Run, second: _Run) -> _Run:
    hi = np.concatenate((first.hi, second.hi))
    order = np.argsort(hi, kind="stable")  # two presorted runs: the stable sort merges them in linear time
    return _Run(hi[order], np.concatenate((first.lo, second.lo))[order], np.concatenate((first.crc, second.crc))[order])


class Identities:
    """Identities of accepted records by event day."""

    def __init__(self) -> None:
        self._days: dict[int, list[_Run]] = {}

    def load(self, block: IdBlock) -> None:
        """Add a block read from the store."""
        self.add(block.day, block.body)

    def add(self, day: int, body: bytes) -> None:
        """Add the concatenated stamps of records accepted for *day*; none of them is known yet."""
        runs = self._days.setdefault(day, [])
        runs.append(_run_of(body))
        while len(runs) > 1 and len(runs[-2].hi) <= 2 * len(runs[-1].hi) and len(runs[-2].hi) < _MERGE_MAX:
            last = runs.pop()
            runs.append(_merged(runs.pop(), last))

    def known(self, day: int, stamps: Sequence[bytes]) -> dict[int, int]:
        """Return {index in *stamps*: content checksum of the first copy} for those already counted."""
        runs = self._days.get(day)
        if not runs or not stamps:
            return {}
        items = np.frombuffer(b"".join(stamps), dtype=_ITEM)
        asked = np.stack((items["hi"], items["lo"]), axis=1).astype(np.uint64)
        order = np.argsort(asked[:, 0], kind="stable")  # ascending keys walk a run once, not at random
        hi = np.ascontiguousarray(asked[order, 0])
        found: dict[int, int] = {}
        for run in runs:
            at = np.searchsorted(run.hi, hi)
            inside = np.minimum(at, len(run.hi) - 1)
            for hit in np.flatnonzero(run.hi[inside] == hi).tolist():
                asked_at = int(order[hit])
                crc = _same_low_half(run, int(at[hit]), asked[asked_at])
                if crc is not None:
                    found[asked_at] = crc
        return found

    def drop_through(self, day: int) -> None:
        """Forget the days up to *day*: they are closed, and records of closed days are not accepted."""
        for old in [known for known in self._days if known <= day]:
            del self._days[old]


def may_repeat(stamps: Sequence[bytes]) -> bool:
    """Return whether two of *stamps* may be copies of one another: False is certain, True wants a closer look."""
    hi = np.sort(np.frombuffer(b"".join(stamps), dtype=_ITEM)["hi"].astype(np.uint64))
    return bool((hi[1:] == hi[:-1]).any())


def _same_low_half(run: _Run, at: int, asked: _U8) -> int | None:
    while at < len(run.hi) and run.hi[at] == asked[0]:
        if run.lo[at] == asked[1]:
            return int(run.crc[at])
        at += 1
    return None
