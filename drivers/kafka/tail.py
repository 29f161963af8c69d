"""Reading topics as any consumer would: from their first record on, as they grow, in no group."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Self

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from drivers.kafka.connection import KafkaConnection
from drivers.kafka.refusals import explain
from engines.core.errors import Transient

_POLL_MS = 200


class TopicTail:
    """Reads all partitions of *topics*; use it as a context."""

    def __init__(self, connection: KafkaConnection, topics: Collection[str]) -> None:
        self._connection = connection
        self._consumer: Any = AIOKafkaConsumer(
            *topics, **connection.options(), auto_offset_reset="earliest", isolation_level="read_committed"
        )

    async def __aenter__(self) -> Self:
        """Connect. Raises Transient, SettingsError when we are not let in."""
        try:
            await self._consumer.start()
        except (KafkaError, OSError) as error:
            await self._consumer.stop()
            raise await explain(self._connection, error) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def read(self) -> list[tuple[str, bytes | None]]:
        """Return (topic, value) of records that came since, none after a while. Raises Transient."""
        try:
            fetched = await self._consumer.getmany(timeout_ms=_POLL_MS)
        except (KafkaError, OSError) as error:
            raise Transient(f"Kafka: {error}") from error
        return [(record.topic, record.value) for records in fetched.values() for record in records]
