"""Who has been counted already: the identities of one partition's days, exact and small.

Each day keeps sorted runs of 128-bit hashes (20 bytes an id, no false positives beyond a hash collision); a chunk
is one run, and runs of similar size are merged, so that an id is moved about log2(n) times and looked up in few
places (CONTRACT §3).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
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
    """Identities of accepted records by event day: all of the open days, and of closed days those asked for lately.

    A UTC day is closed here when only records that restate may ask for it any more, whatever the periods are that the
    domain closes. Of a day that is not ``unknown`` it holds every accepted record.
    """

    def __init__(self, closed_through: int | None = None) -> None:
        self.closed_ids = 0
        """How many ids of closed days are here."""
        self.closed_through = closed_through
        """The last closed day, None while there is none."""
        self._days: dict[int, list[_Run]] = {}

    def load(self, block: IdBlock) -> None:
        """Add a block read from the store."""
        self.add(block.day, block.body)

    def load_day(self, day: int, blocks: Iterable[IdBlock]) -> None:
        """Take in all *blocks* of a closed *day*, none maybe; it is known from now on."""
        self._days.setdefault(day, [])
        for block in blocks:
            self.add(day, block.body)

    def unknown(self, days: Iterable[int]) -> list[int]:
        """Return those of *days* that are closed and whose identities are not here."""
        return [day for day in days if self._is_closed(day) and day not in self._days]

    def add(self, day: int, body: bytes) -> None:
        """Add the concatenated stamps of records accepted for *day*; none of them is known yet."""
        runs = self._days.setdefault(day, [])
        runs.append(_run_of(body))
        if self._is_closed(day):
            self.closed_ids += len(runs[-1].hi)
        while len(runs) > 1 and len(runs[-2].hi) <= 2 * len(runs[-1].hi) and len(runs[-2].hi) < _MERGE_MAX:
            last = runs.pop()
            runs.append(_merged(runs.pop(), last))

    def known(self, day: int, stamps: Sequence[bytes]) -> dict[int, int]:
        """Return {index in *stamps*: content checksum of the first copy} for those already counted."""
        runs = self._days.get(day)
        if runs is None or not stamps:
            return {}
        if self._is_closed(day):
            self._days[day] = self._days.pop(day)  # last used, last dropped
        return _found(runs, stamps)

    def close_through(self, day: int) -> None:
        """Take in that days are closed through *day*: from now on they may be dropped."""
        before, self.closed_through = self.closed_through, day
        fresh = [of for of in self._days if of <= day and (before is None or of > before)]
        for closed in sorted(fresh):
            self._days[closed] = self._days.pop(closed)
            self.closed_ids += self._size(closed)

    def trim(self, ids_max: int, first_day: int | None, uncommitted: Collection[int]) -> None:
        """Drop closed days before *first_day*, and the longest unused ones beyond *ids_max* ids.

        Args:
            first_day: nobody asks for a day before it any more; None: there is no such day.
            uncommitted: days with identities that the store does not have yet; dropped, a copy would be counted again.
        """
        closed = [day for day in self._days if self._is_closed(day) and day not in uncommitted]
        for day in closed:
            if first_day is not None and day < first_day:
                self._drop(day)
        for day in closed:
            if self.closed_ids > ids_max and day in self._days:
                self._drop(day)

    def _drop(self, day: int) -> None:
        self.closed_ids -= self._size(day)
        del self._days[day]

    def _is_closed(self, day: int) -> bool:
        return self.closed_through is not None and day <= self.closed_through

    def _size(self, day: int) -> int:
        return sum(len(run.hi) for run in self._days[day])


def may_repeat(stamps: Sequence[bytes]) -> bool:
    """Return whether two of *stamps* may be copies of one another: False is certain, True wants a closer look."""
    hi = np.sort(np.frombuffer(b"".join(stamps), dtype=_ITEM)["hi"].astype(np.uint64))
    return bool((hi[1:] == hi[:-1]).any())


def copies_among(places: Sequence[int], stamps: Sequence[bytes], known: Mapping[int, int]) -> dict[int, int]:
    """Return {place: content checksum of the first copy} for copies of one another within a chunk.

    Those at *known* places are copies of earlier ones anyway.
    """
    first: dict[bytes, int] = {}
    copies: dict[int, int] = {}
    for place, stamp in zip(places, stamps, strict=True):
        if place in known:
            continue
        identity, content = stamp[:IDENTITY_BYTES], int.from_bytes(stamp[IDENTITY_BYTES:], "big")
        if identity in first:
            copies[place] = first[identity]
        else:
            first[identity] = content
    return copies


def _found(runs: Sequence[_Run], stamps: Sequence[bytes]) -> dict[int, int]:
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


def _same_low_half(run: _Run, at: int, asked: _U8) -> int | None:
    while at < len(run.hi) and run.hi[at] == asked[0]:
        if run.lo[at] == asked[1]:
            return int(run.crc[at])
        at += 1
    return None
