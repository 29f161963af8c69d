"""The port ``Publisher`` over a broker in memory; it suspends before and after its effect, where a crash may fall."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from drivers.kafka.murmur2 import partition_of
from drivers.memory.log import MemoryLog
from engines.core.errors import DataRefused
from engines.core.model import OutboxRow, TopicPartition

Suspend = Callable[[str], Awaitable[None]]


class MemoryPublisher:
    """Appends outbox rows to *log*, at most *value_bytes_max* bytes of value each."""

    def __init__(self, log: MemoryLog, suspend: Suspend | None = None, value_bytes_max: int = 16 << 20) -> None:
        self._log = log
        self._suspend = suspend
        self._value_bytes_max = value_bytes_max

    async def publish(self, rows: Sequence[OutboxRow]) -> None:
        """Append *rows* in order. Raises DataRefused for one that is too large, after those before it."""
        if self._suspend is not None:
            await self._suspend("publish:before")
        for row in rows:
            if len(row.value or b"") > self._value_bytes_max:
                raise DataRefused(
                    f"{row.topic}, outbox row {row.seq}, value of {len(row.value or b'')} bytes: too large"
                )
            n = self._log.partitions(row.topic)
            partition = row.partition % n if row.route is None else partition_of(row.route, n)
            self._log.append(TopicPartition(row.topic, partition), row.value, key=row.key, headers=row.headers)
        if self._suspend is not None:
            await self._suspend("publish:after")
