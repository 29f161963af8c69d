"""A broker in memory: topics whose partitions are logs with gaps, a moving start and append times.

It knows no consumer groups; who owns which partition is said by whoever drives ``MemorySource``.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from engines.core.model import Headers, LogBounds, LogRecord, TopicPartition


@dataclass(slots=True)
class PartitionLog:
    """The records of one partition, offsets growing; ``end`` is the offset the next record gets."""

    records: list[LogRecord] = field(default_factory=list)
    start: int = 0
    end: int = 0

    def read(self, offset: int, limit: int, bytes_max: int) -> tuple[list[LogRecord], int]:
        """Return up to *limit* records and *bytes_max* bytes of values from *offset* on, and the position after them.

        The first record is returned whatever its size. The position passes gaps behind the last record only when
        no record is left.
        """
        first = bisect_left(self.records, offset, key=_offset_of)
        taken: list[LogRecord] = []
        size = 0
        for record in self.records[first : first + limit]:
            size += len(record.value or b"")
            if taken and size > bytes_max:
                break
            taken.append(record)
        if first + len(taken) == len(self.records):
            return taken, max(self.end, offset)
        return taken, taken[-1].offset + 1 if taken else offset


def _offset_of(record: LogRecord) -> int:
    return record.offset


class MemoryLog:
    """Topics in memory; what appends to a partition gets the next offset and the broker's time."""

    def __init__(self, topics: Mapping[str, int], now_ms: Callable[[], int], cluster_id: str = "memory") -> None:
        """Make *topics*, given by name with their numbers of partitions; *now_ms* dates records and fetches."""
        self.cluster_id = cluster_id
        self.now_ms = now_ms
        self._logs = {name: [PartitionLog() for _ in range(n)] for name, n in topics.items()}

    def partitions(self, topic: str) -> int:
        """Return how many partitions *topic* has."""
        return len(self._logs[topic])

    def log(self, tp: TopicPartition) -> PartitionLog:
        """Return the log of *tp*; KeyError or IndexError when there is none."""
        return self._logs[tp.topic][tp.partition]

    def append(
        self,
        tp: TopicPartition,
        value: bytes | None,
        *,
        key: bytes | None = None,
        headers: Headers = (),
        timestamp_ms: int | None = None,
    ) -> LogRecord:
        """Append a record and return it; *timestamp_ms* defaults to now."""
        log = self.log(tp)
        timestamp = self.now_ms() if timestamp_ms is None else timestamp_ms
        record = LogRecord(log.end, timestamp, key, value, headers)
        log.records.append(record)
        log.end += 1
        return record

    def skip(self, tp: TopicPartition, offsets: int = 1) -> None:
        """Use up *offsets* that hold no record: control records, aborted transactions, compaction."""
        self.log(tp).end += offsets

    def move_start(self, tp: TopicPartition, start: int) -> None:
        """Forget everything below *start*, as retention does."""
        log = self.log(tp)
        log.start = max(log.start, min(start, log.end))
        del log.records[: bisect_left(log.records, log.start, key=_offset_of)]

    def truncate(self, tp: TopicPartition, end: int) -> None:
        """Lose everything from *end* on, as an unclean election does."""
        log = self.log(tp)
        log.end = max(log.start, min(end, log.end))
        del log.records[bisect_left(log.records, log.end, key=_offset_of) :]

    def bounds(self, tp: TopicPartition) -> LogBounds:
        """Return what the broker says of *tp*."""
        log = self.log(tp)
        return LogBounds(log.start, log.end, self.cluster_id, f"memory-{tp.topic}", self.partitions(tp.topic))

    def rewrite(self, tp: TopicPartition, offset: int, value: bytes | None) -> None:
        """Change the value at *offset*: what a test of corruption needs."""
        records = self.log(tp).records
        at = bisect_left(records, offset, key=_offset_of)
        records[at] = replace(records[at], value=value)
