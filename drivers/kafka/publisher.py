"""The port ``Publisher`` on Kafka: an idempotent producer whose batches are acknowledged by all in-sync replicas.

After any failure the producer is thrown away: what it still held must not be sent behind the caller's next try, and
a producer that lost its sequence (fenced, unknown id, out of order) never recovers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)

from drivers.kafka.connection import KafkaConnection
from drivers.kafka.murmur2 import partition_of
from drivers.kafka.producers import abandon
from engines.core.errors import DataRefused, Transient
from engines.core.model import OutboxRow

_REFUSALS = (MessageSizeTooLargeError, RecordListTooLargeError, InvalidTopicError, TopicAuthorizationFailedError)
_REQUEST_BYTES_MAX = 16 << 20  # beyond any topic's own limit: the broker is to judge, so that its setting decides
_BATCH_BYTES_MAX = 256 << 10


class KafkaPublisher:
    """Publishes outbox rows; connects when first used, and again after any failure."""

    def __init__(
        self,
        connection: KafkaConnection,
        *,
        timeout_s: float = 30.0,
        producer: Callable[..., Any] = AIOKafkaProducer,
    ) -> None:
        self._connection = connection
        self._timeout_s = timeout_s
        self._new_producer = producer
        self._producer: Any = None
        self._partitions: dict[str, int] = {}
        self._lock = asyncio.Lock()

    async def publish(self, rows: Sequence[OutboxRow]) -> None:
        """Send *rows* in order and return when the broker has acknowledged every one.

        Raises:
            Transient: not acknowledged within the time limit, or the broker is away; send all again.
            DataRefused: a row can never be published as the topic is now (too large, topic not allowed).
        """
        if not rows:
            return
        async with self._lock:  # one order of rows per process, and one place where the producer changes
            try:
                async with asyncio.timeout(self._timeout_s):
                    await self._send(rows)
            except BaseException as error:
                await self._discard()
                if isinstance(error, TimeoutError):
                    raise Transient(f"Kafka did not acknowledge within {self._timeout_s:g} s") from error
                if isinstance(error, KafkaError | OSError):
                    raise Transient(f"Kafka did not acknowledge: {error or type(error).__name__}") from error
                raise

    async def close(self) -> None:
        """Give up the connection; a later ``publish`` makes a new one."""
        async with self._lock:
            await self._discard()

    async def _send(self, rows: Sequence[OutboxRow]) -> None:
        producer = await self._connected()
        acks: list[asyncio.Future[Any]] = []
        try:
            for row in rows:
                n = self._partitions.get(row.topic) or await self._count(producer, row.topic)
                partition = row.partition % n if row.route is None else partition_of(row.route, n)
                acks.append(await producer.send(row.topic, row.value, row.key, partition, None, list(row.headers)))
            await asyncio.wait(acks)
        except MessageSizeTooLargeError as error:
            raise _named(error, rows[len(acks)]) from error
        finally:
            errors = [_outcome(ack) for ack in acks]
        for row, failure in zip(rows, errors, strict=True):
            if failure is not None:
                raise _named(failure, row)

    async def _count(self, producer: Any, topic: str) -> int:  # noqa: ANN401 -- aiokafka ships no types
        """Return how many partitions *topic* has, asked once per connection."""
        self._partitions[topic] = n = len(await producer.partitions_for(topic))
        return n

    async def _connected(self) -> Any:  # noqa: ANN401 -- aiokafka ships no types
        if self._producer is None:
            self._producer = self._new_producer(
                **self._connection.options(),
                enable_idempotence=True,
                acks="all",
                compression_type="lz4",
                max_request_size=_REQUEST_BYTES_MAX,
                max_batch_size=_BATCH_BYTES_MAX,
                request_timeout_ms=10_000,
            )
            await self._producer.start()
        return self._producer

    async def _discard(self) -> None:
        """Drop the producer with whatever it has not sent."""
        producer, self._producer = self._producer, None
        self._partitions.clear()
        if producer is not None:
            await abandon(producer)


def _outcome(ack: asyncio.Future[Any]) -> BaseException | None:
    """Return why *ack* is none; one that is still out is given up."""
    if ack.cancel() or ack.cancelled():
        return asyncio.CancelledError()
    return ack.exception()


def _named(error: BaseException, row: OutboxRow) -> BaseException:
    """Return *error*, or DataRefused with the row in its message when the row itself is to blame."""
    if isinstance(error, _REFUSALS):
        return DataRefused(
            f"Kafka refuses {row.topic}, outbox row {row.seq}, value of {len(row.value or b'')} bytes: {error}"
        )
    return error
