"""What a topic holds at the time of asking, read from outside any group; nothing is committed and nobody notices."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from drivers.kafka.connection import KafkaConnection
from drivers.kafka.refusals import explain
from engines.core.errors import SettingsError, Transient
from engines.core.model import Headers

_POLL_MS: Final = 500
_FETCH_BYTES: Final = 4 << 20
_CLOSE_S: Final = 2.0


class StoredRecord(NamedTuple):
    """A committed record and its place; a ``Record`` with the number of its partition."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class StoredLog:
    """One topic; use it as a context.

    Args:
        timeout_s: how long the broker may answer nothing.
    """

    def __init__(self, connection: KafkaConnection, topic: str, *, timeout_s: float = 30.0) -> None:
        self._connection = connection
        self._topic = topic
        self._timeout_s = timeout_s
        self._consumer: Any = AIOKafkaConsumer(
            **connection.options(),
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            max_partition_fetch_bytes=_FETCH_BYTES,
            request_timeout_ms=int(timeout_s * 1000),
        )
        self._tps: list[TopicPartition] = []

    async def __aenter__(self) -> Self:
        """Connect. Raises Transient, SettingsError when there is no such topic or we are not let in."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._consumer.start()
                cluster = await self._consumer._client.fetch_all_metadata()  # noqa: SLF001 -- asking by name may make it
        except (KafkaError, OSError, TimeoutError) as error:
            await self._close()
            raise await explain(self._connection, error) from error
        numbers = cluster.partitions_for_topic(self._topic)
        if not numbers:
            await self._close()
            raise SettingsError(f"there is no topic {self._topic!r}: `outlay topics apply` makes Outlay's own")
        self._tps = [TopicPartition(self._topic, number) for number in sorted(numbers)]
        self._consumer.assign(self._tps)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    async def ends(self) -> dict[int, int]:
        """Return where each partition ends now. Raises Transient."""
        try:
            async with asyncio.timeout(self._timeout_s):
                ends = await self._consumer.end_offsets(self._tps)
        except (KafkaError, OSError, TimeoutError) as error:
            raise self._away(error) from error
        return {tp.partition: end for tp, end in ends.items()}

    async def starts(self) -> dict[int, int]:
        """Return where each partition begins now. Raises Transient."""
        try:
            async with asyncio.timeout(self._timeout_s):
                starts = await self._consumer.beginning_offsets(self._tps)
        except (KafkaError, OSError, TimeoutError) as error:
            raise self._away(error) from error
        return {tp.partition: start for tp, start in starts.items()}

    async def oldest_ms(self) -> dict[int, int]:
        """Return the append time of the first record of each partition that has any. Raises Transient."""
        try:
            async with asyncio.timeout(self._timeout_s):
                found = await self._consumer.offsets_for_times(dict.fromkeys(self._tps, 0))
        except (KafkaError, OSError, TimeoutError) as error:
            raise self._away(error) from error
        return {tp.partition: first.timestamp for tp, first in found.items() if first is not None}

    async def records(
        self,
        *,
        starts: Mapping[int, int] | None = None,
        since_ms: int | None = None,
        newest: int | None = None,
    ) -> AsyncIterator[list[StoredRecord]]:
        """Yield what the topic holds up to its end as of now, each partition in order. Raises Transient.

        Args:
            starts: first offset by partition.
            since_ms: leave out what was appended before.
            newest: leave out all but about so many of each partition.
        """
        ends = await self.ends()
        try:
            async with asyncio.timeout(self._timeout_s):
                begins = await self._begins(ends, starts, since_ms, newest)
        except (KafkaError, OSError, TimeoutError) as error:
            raise self._away(error) from error
        left = {tp for tp in self._tps if begins[tp] < ends[tp.partition]}
        for tp in left:
            self._consumer.seek(tp, begins[tp])
        heard_s = time.monotonic()
        while left:
            found = await self._next(left)
            kept = [_stored(one) for several in found.values() for one in several if one.offset < ends[one.partition]]
            if kept:
                yield kept
                heard_s = time.monotonic()
            # Control records move a position too, and hand out nothing.
            left = {tp for tp in left if await self._consumer.position(tp) < ends[tp.partition]}
            if left and time.monotonic() - heard_s > self._timeout_s:
                raise self._away(TimeoutError())

    async def _begins(
        self,
        ends: Mapping[int, int],
        starts: Mapping[int, int] | None,
        since_ms: int | None,
        newest: int | None,
    ) -> dict[TopicPartition, int]:
        begins: dict[TopicPartition, int] = await self._consumer.beginning_offsets(self._tps)
        for tp, start in begins.items():
            wanted = (starts or {}).get(tp.partition, 0), 0 if newest is None else ends[tp.partition] - newest
            begins[tp] = max(start, *wanted)
        if since_ms is not None:
            found = await self._consumer.offsets_for_times(dict.fromkeys(self._tps, since_ms))
            for tp, first in found.items():
                begins[tp] = max(begins[tp], ends[tp.partition] if first is None else first.offset)
        return begins

    async def _next(self, left: set[TopicPartition]) -> dict[TopicPartition, list[Any]]:
        try:
            found: dict[TopicPartition, list[Any]] = await self._consumer.getmany(*left, timeout_ms=_POLL_MS)
        except (KafkaError, OSError) as error:
            raise self._away(error) from error
        return found

    async def _close(self) -> None:
        with suppress(KafkaError, OSError, TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await self._consumer.stop()

    def _away(self, error: BaseException) -> Transient:
        why = "no answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
        return Transient(f"Kafka at {self._connection.bootstrap_servers}: {why}")


def _stored(record: Any) -> StoredRecord:  # noqa: ANN401 -- aiokafka ships no types
    return StoredRecord(
        record.partition, record.offset, record.timestamp, record.key, record.value, tuple(record.headers)
    )
