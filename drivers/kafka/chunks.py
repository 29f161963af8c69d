"""Bounded chunks out of an aiokafka consumer: positions instead of offsets, and when the end of the log was seen.

Lives in the consumer's event loop. Records pass through untouched; what is done here is done per chunk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

from aiokafka import TopicPartition as KafkaTopicPartition
from aiokafka.errors import ConsumerStoppedError, KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from engines.core.errors import Halt, Transient
from engines.core.model import Chunk, Record, TopicPartition

_PROBE_RECORDS = 64  # the first drain of a chunk: how large records are is not known before
_SETTLE_S = 0.05
_COMMIT_S = 1.0  # aiokafka would try for ever


@dataclass(frozen=True, slots=True)
class ChunkLimits:
    """How much a chunk may hold: records, and bytes of values (one record may exceed the latter alone)."""

    records: int = 5_000
    value_bytes: int = 4 << 20


class PositionsLost(Exception):
    """The logs of *tps* do not hold their positions: retention went past them, or the log lost its end."""

    def __init__(self, tps: Sequence[TopicPartition]) -> None:
        super().__init__(", ".join(f"{tp.topic}/{tp.partition}" for tp in tps))
        self.tps = tps


class Fetched(NamedTuple):
    """A chunk, and the seek it follows: one that follows an older seek is stale."""

    chunk: Chunk
    seek_number: int


@dataclass(slots=True)
class _Cursor:
    """Where one partition is being read.

    ``fetched_ms`` is when the newest answered fetch was seen, ``asked_after_ms`` when the one before it was: only
    one fetch is under way at a time, so the broker judged the newest after that.
    """

    seek_number: int
    position: int
    fetched_ms: int | None = None
    asked_after_ms: int | None = None
    end_told_ms: int = 0


_Drained = dict[Any, tuple[_Cursor, list[Record]]]


def _records(found: Sequence[Fetched]) -> int:
    return sum(len(fetched.chunk.records) for fetched in found)


class ChunkReader:
    """Reads chunks of the partitions that were sought, from *consumer* (read_committed, no automatic resets)."""

    def __init__(self, consumer: Any, limits: ChunkLimits, end_of_log_every_ms: int = 1_000) -> None:  # noqa: ANN401 -- aiokafka ships no types
        self._consumer = consumer
        self._limits = limits
        self._end_of_log_every_ms = end_of_log_every_ms
        self._cursors: dict[TopicPartition, _Cursor] = {}
        self._interrupted = asyncio.Event()
        self._failure: Exception | None = None

    def forget(self) -> None:
        """Read nothing any more: everything is being revoked."""
        self._cursors.clear()

    def hold(self, tps: Collection[TopicPartition]) -> None:
        """Fetch none of the newly assigned *tps* before its seek."""
        self._consumer.pause(*(KafkaTopicPartition(*tp) for tp in tps))

    def seek(self, tp: TopicPartition, offset: int, seek_number: int) -> None:
        """Read *tp* from *offset* on; nothing happens when it is not assigned any more."""
        where = KafkaTopicPartition(*tp)
        if where in self._consumer.assignment():
            self._consumer.seek(where, offset)
            self._consumer.resume(where)
            self._cursors[tp] = _Cursor(seek_number, offset)

    def interrupt(self) -> None:
        """Make a ``read`` that waits return, because more partitions are wanted now."""
        self._interrupted.set()

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit the group's *offsets* of the partitions that are still assigned. Raises Transient."""
        assigned = self._consumer.assignment()
        ours = {
            KafkaTopicPartition(*tp): offset for tp, offset in offsets.items() if KafkaTopicPartition(*tp) in assigned
        }
        try:
            async with asyncio.timeout(_COMMIT_S):
                if ours:
                    await self._consumer.commit(ours)
        except (KafkaError, TimeoutError) as error:
            raise Transient(f"group offsets: {error or 'no answer in time'}") from error

    async def look(self) -> None:
        """Raise what keeps the member out of its group, as Transient: a right may be given while it waits.

        aiokafka does not try again before somebody has heard.
        """
        coordinator = self._consumer._coordinator  # noqa: SLF001 -- it tells only whoever polls, with partitions
        try:
            if coordinator is not None:
                coordinator.check_errors()
        except KafkaError as error:
            raise Transient(f"Kafka group: {error}") from error

    async def read(self, tps: Sequence[TopicPartition], timeout_s: float) -> list[Fetched]:
        """Return chunks of *tps*, all together about the records of one; waits for the first up to *timeout_s*.

        Raises:
            PositionsLost: positions are outside their logs.
            Transient: the next try may do better.
            Halt: the consumer may not read, or broke.
        """
        try:
            return await self._read(tps, timeout_s)
        except OffsetOutOfRangeError as error:
            raise PositionsLost([TopicPartition(*where) for where in error.args[0]]) from error
        except NoOffsetForPartitionError:  # positions come from seeks, so the group need not know any
            return []
        except KafkaError as error:
            raise (Transient if error.retriable else Halt)(f"Kafka consumer: {error}") from error
        except ConsumerStoppedError as error:
            raise Halt("Kafka consumer: stopped") from error

    async def _read(self, tps: Sequence[TopicPartition], timeout_s: float) -> list[Fetched]:
        self._raise_failure()
        self._interrupted.clear()
        wanted = {KafkaTopicPartition(*tp): tp for tp in tps if tp in self._cursors}
        if not wanted or self._reassigning():
            await asyncio.sleep(_SETTLE_S)
            return []
        drained = await self._drain(wanted, 0) or await self._wait(wanted, timeout_s)
        found: list[Fetched] = []
        for where in [*drained, *(where for where in wanted if where not in drained)]:
            if self._failure is not None or (where not in drained and _records(found) >= self._limits.records):
                break
            current = self._cursors.get(wanted[where])
            cursor, records = drained.get(where, (current, []))
            if current is None or cursor is not current:
                continue  # revoked, or sought since it was drained
            size = await self._fill(where, records)
            cuts = self._cuts(records) if size > self._limits.value_bytes else []
            found += self._chunks(wanted[where], self._state(where), records, cuts)
        if not found:
            self._raise_failure()
        return found

    def _raise_failure(self) -> None:
        """Raise what went wrong while there were chunks to deliver first: drained records must not be lost."""
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _reassigning(self) -> bool:
        return bool(self._consumer._subscription.reassignment_in_progress)  # noqa: SLF001 -- getmany would wait for its end

    def _state(self, where: KafkaTopicPartition) -> Any:  # noqa: ANN401 -- aiokafka ships no types
        """Return aiokafka's state of an assigned partition: position, last stable offset, time of the last fetch."""
        return self._consumer._subscription.subscription.assignment.state_value(where)  # noqa: SLF001 -- same

    async def _drain(self, wanted: Mapping[Any, TopicPartition], timeout_s: float) -> _Drained:
        """Return the first records to come, each partition's with the cursor they belong to.

        aiokafka hands out what it has drained without suspending, and so does this: no seek comes between.
        """
        got = await self._consumer.getmany(*wanted, timeout_ms=int(timeout_s * 1000), max_records=_PROBE_RECORDS)
        cursors = self._cursors
        return {where: (cursors[tp], got[where]) for where, tp in wanted.items() if where in got and tp in cursors}

    async def _wait(self, wanted: Mapping[Any, TopicPartition], timeout_s: float) -> _Drained:
        """Return the first records to come, nothing when interrupted or out of time; a cut-off drain takes nothing."""
        draining = asyncio.ensure_future(self._drain(wanted, timeout_s))
        interrupted = asyncio.ensure_future(self._interrupted.wait())
        await asyncio.wait({draining, interrupted}, return_when=asyncio.FIRST_COMPLETED)
        interrupted.cancel()
        draining.cancel()
        with suppress(asyncio.CancelledError):
            return await draining
        return {}

    async def _fill(self, where: KafkaTopicPartition, records: list[Record]) -> int:
        """Drain more of what has been fetched until a chunk is full, and return its bytes of values.

        Never suspends, so no seek comes between.
        """
        size, largest, known = 0, 1, 0
        while True:
            sizes = [len(record.value or b"") for record in (records[known:] if known else records)]
            size += sum(sizes)
            largest = max(largest, max(sizes, default=0))
            known = len(records)
            room = min(self._limits.records - known, (self._limits.value_bytes - size) // largest)
            if room <= 0:
                return size
            step = room if known else _PROBE_RECORDS
            try:
                more = await self._consumer.getmany(where, timeout_ms=0, max_records=min(step, self._limits.records))
            except (KafkaError, ConsumerStoppedError) as error:
                self._failure = error
                return size
            if not more:
                return size
            records += more[where]

    def _chunks(self, tp: TopicPartition, state: Any, records: list[Record], cuts: list[int]) -> list[Fetched]:  # noqa: ANN401 -- see above
        """Return *records* as chunks, cut at *cuts*; an empty one if only the position moved or the end is due."""
        cursor = self._cursors[tp]
        if not state.has_valid_position:
            return []
        end, end_of_log_ms = state.position, _end_of_log_ms(cursor, state)
        due = end_of_log_ms is not None and end_of_log_ms - cursor.end_told_ms >= self._end_of_log_every_ms
        if not records and end == cursor.position and not due:
            return []
        found = []
        for this, following in pairwise([0, *cuts, len(records)]):
            last = following == len(records)
            chunk_end = end if last else records[following].offset
            part = records[this:following] if cuts else records
            chunk = Chunk(*tp, cursor.position, chunk_end, part, end_of_log_ms if last else None)
            cursor.position = chunk_end
            found.append(Fetched(chunk, cursor.seek_number))
        if end_of_log_ms is not None:
            cursor.end_told_ms = end_of_log_ms
        return found

    def _cuts(self, records: Sequence[Record]) -> list[int]:
        """Return where further chunks must begin so that none has too many bytes; there are few enough records."""
        cuts: list[int] = []
        size, first = 0, 0
        for at, record in enumerate(records):
            length = len(record.value or b"")
            size += length
            if at > first and size > self._limits.value_bytes:
                cuts.append(at)
                size, first = length, at
        return cuts


def _end_of_log_ms(cursor: _Cursor, state: Any) -> int | None:  # noqa: ANN401 -- aiokafka ships no types
    """Return a time at which the log surely had nothing after the position, None when that is not known.

    A transaction still open holds back records that were appended long ago, so its partition has no end.
    """
    if state.timestamp != cursor.fetched_ms:
        cursor.asked_after_ms, cursor.fetched_ms = cursor.fetched_ms, state.timestamp
    at_end = state.position == state.lso == state.highwater
    return cursor.asked_after_ms if at_end else None
