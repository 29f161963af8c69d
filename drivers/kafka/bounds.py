"""Where a partition's log begins and ends, asked over a connection of its own.

Apart from the consumer on purpose: the watchdog compares the two, and a consumer that is stuck must not be the one
who says that nothing has moved.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as KafkaTopicPartition
from aiokafka.errors import KafkaError, for_code

from drivers.kafka.connection import KafkaConnection
from drivers.kafka.metadata import TopicMetadata
from drivers.kafka.refusals import explain
from engines.core.errors import Transient
from engines.core.model import LogBounds, TopicPartition

_DISCARD_S = 2.0


class LogBoundsReader:
    """Asks the broker; connects when first used, and again after any failure."""

    def __init__(self, connection: KafkaConnection, *, timeout_s: float = 10.0) -> None:
        self._connection = connection
        self._timeout_s = timeout_s
        self._consumer: Any = None
        self._lock = asyncio.Lock()

    async def bounds(self, tp: TopicPartition) -> LogBounds:
        """Return start, last stable offset and ids of *tp*'s log. Raises Transient, also for a topic not there."""
        async with self._connected() as consumer:
            answer = await _describe(consumer, tp.topic)  # first: it fails at once for a topic that is not there
            where = KafkaTopicPartition(*tp)
            starts = await consumer.beginning_offsets([where])
            ends = await consumer.end_offsets([where])  # read_committed: the last stable offset
        topic = answer["topics"][0]
        topic_id = str(topic.get("topic_id", ""))
        return LogBounds(starts[where], ends[where], answer["cluster_id"] or "", topic_id, len(topic["partitions"]))

    async def ends(self, tps: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the last stable offsets of *tps*. Raises Transient."""
        async with self._connected() as consumer:
            ends = await consumer.end_offsets([KafkaTopicPartition(*tp) for tp in tps])
        return {TopicPartition(*tp): offset for tp, offset in ends.items()}

    async def reach(self) -> None:
        """Return when the cluster answers. Raises Transient, SettingsError when it does not let us in."""
        async with self._connected(starting=True) as consumer:
            await consumer.topics()

    async def close(self) -> None:
        """Give up the connection; a later question makes a new one."""
        async with self._lock:
            await self._discard()

    @asynccontextmanager
    async def _connected(self, *, starting: bool = False) -> AsyncIterator[Any]:
        """Lend the client for at most ``timeout_s``; its errors become Transient and end the connection.

        Args:
            starting: to be let in by nobody is a SettingsError.
        """
        async with self._lock:
            try:
                async with asyncio.timeout(self._timeout_s):
                    if self._consumer is None:
                        self._consumer = AIOKafkaConsumer(
                            **self._connection.options(),
                            isolation_level="read_committed",
                            request_timeout_ms=int(self._timeout_s * 1000),
                        )
                        await self._consumer.start()
                    yield self._consumer
            except (KafkaError, OSError, TimeoutError) as error:
                await self._discard()
                known = await explain(self._connection, error)
                raise (known if starting else Transient(str(known))) from error
            except BaseException:
                await self._discard()
                raise

    async def _discard(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            with suppress(KafkaError, OSError, TimeoutError):
                async with asyncio.timeout(_DISCARD_S):
                    await consumer.stop()


async def _describe(consumer: Any, topic: str) -> dict[str, Any]:  # noqa: ANN401 -- aiokafka ships no types
    """Return the cluster's metadata about *topic*, with the topic's id where the broker knows ids."""
    client = consumer._client  # noqa: SLF001 -- a consumer shows neither cluster nor topic ids
    node = client.get_random_node()
    answer: dict[str, Any] = (await client.send(node, TopicMetadata(topic))).to_object()
    error = answer["topics"][0]["error_code"]
    if error:
        raise for_code(error)(topic)
    return answer
