"""Sending single records again, each to the partition it names, and learning where it came to lie.

Not idempotent on purpose: a producer of that kind that had a record refused has a hole in its sequence, and records of
Outlay are told from their copies by their ids anyway.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from drivers.kafka.connection import KafkaConnection
from drivers.kafka.producers import abandon
from drivers.kafka.refusals import explain
from engines.core.errors import SettingsError, Transient
from engines.core.model import Headers

_REQUEST_BYTES_MAX: Final = 16 << 20  # beyond any topic's own limit: the broker is to judge


class Resent(NamedTuple):
    """A record to send."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class Resender:
    """Sends records; use it as a context."""

    def __init__(self, connection: KafkaConnection, *, timeout_s: float = 30.0) -> None:
        self._connection = connection
        self._timeout_s = timeout_s
        self._producer: Any = None

    async def __aenter__(self) -> Self:
        """Connect. Raises Transient, SettingsError when we are not let in."""
        self._producer = AIOKafkaProducer(
            **self._connection.options(),
            acks="all",
            compression_type="lz4",
            max_request_size=_REQUEST_BYTES_MAX,
            request_timeout_ms=int(self._timeout_s * 1000),
        )
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._producer.start()
        except (KafkaError, OSError, TimeoutError) as error:
            await abandon(self._producer)
            raise await explain(self._connection, error) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        await abandon(self._producer)

    async def partitions(self, topic: str) -> int:
        """Return how many partitions *topic* has. Raises Transient, SettingsError when there is no such topic."""
        try:
            async with asyncio.timeout(self._timeout_s):
                cluster = await self._producer.client.fetch_all_metadata()  # asking for a topic by name may make it
        except (KafkaError, OSError, TimeoutError) as error:
            raise self._away(error) from error
        found = cluster.partitions_for_topic(topic)
        if not found:
            raise SettingsError(f"there is no topic {topic!r}: `outlay topics apply` makes Outlay's own")
        return len(found)

    async def send(self, records: Sequence[Resent]) -> list[int | str]:
        """Send *records* and return the offset of each, or why the broker refuses it.

        Raises:
            Transient: the broker is away; some of them may have been sent.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                acks = [await self._hand_over(record) for record in records]
                await asyncio.wait(acks)
                # Records that share a batch are refused together: whom it is about shows when each goes alone.
                return [
                    await self._alone(record) if ack.exception() else ack.result().offset
                    for record, ack in zip(records, acks, strict=True)
                ]
        except (KafkaError, OSError, TimeoutError) as error:
            raise self._away(error) from error

    async def _hand_over(self, record: Resent) -> asyncio.Future[Any]:
        key = (
            b"" if record.key is None and record.value is None else record.key
        )  # the client sends no record of nothing
        ack: asyncio.Future[Any] = await self._producer.send(
            record.topic, record.value, key, record.partition, None, list(record.headers)
        )
        return ack

    async def _alone(self, record: Resent) -> int | str:
        try:
            return int((await (await self._hand_over(record))).offset)
        except KafkaError as error:
            if error.retriable:
                raise
            return str(error) or type(error).__name__

    def _away(self, error: BaseException) -> Transient:
        why = "no answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
        return Transient(f"Kafka at {self._connection.bootstrap_servers}: {why}")
