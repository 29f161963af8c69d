"""Publish cost records from asyncio: the caller never waits for Kafka and never sees its errors.

Copy ``Costs`` into a service. What makes it right:

- ``id`` is the provider's id of the call, so sending a record again is harmless: it counts once;
- ``input_tokens`` include the cached ones, ``is_retry`` says that an attempt was not the first;
- the buffer has a bound: what finds no room while Kafka is away is dropped, counted and logged.
"""

import asyncio
import contextlib
import json
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Self
from uuid import uuid4

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

BROKER = os.environ.get("OUTLAY_KAFKA_BOOTSTRAP_SERVERS", "localhost:9092")
TOPIC = "costs"
BATCH_RECORDS = 500
BYTES_MAX = 1_000_000
PAUSE_S = 1.0
LOG = logging.getLogger("costs")


class Costs:
    """Sends records in the background, in order, until Kafka has them; a context manager.

    Args:
        buffer_records: how many may wait while Kafka is away.
        flush_s: how long the exit waits for the rest.
    """

    def __init__(self, servers: str = BROKER, buffer_records: int = 10_000, flush_s: float = 10.0) -> None:
        self.lost = 0
        self._servers = servers
        self._flush_s = flush_s
        self._pending = 0
        self._waiting: asyncio.Queue[tuple[bytes, bytes]] = asyncio.Queue(buffer_records)

    def publish(self, record: Mapping[str, object]) -> None:
        """Take *record*; it returns at once, whatever state Kafka is in."""
        try:
            key, value = str(record["tenant_id"]).encode(), json.dumps(record).encode()
            if len(value) > BYTES_MAX:
                raise ValueError(f"{len(value)} bytes are too many")  # noqa: TRY301 -- all that is lost is counted below
            self._waiting.put_nowait((key, value))
        except (asyncio.QueueFull, KeyError, TypeError, ValueError) as error:
            self._lose(1, error)
        else:
            self._pending += 1

    async def __aenter__(self) -> Self:
        """Start sending; Kafka need not be there yet."""
        self._sending = asyncio.create_task(self._send())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Send the rest, for a while."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._waiting.join(), self._flush_s)
        self._sending.cancel()
        await asyncio.wait([self._sending], timeout=PAUSE_S)  # it would wait for Kafka to close as well
        if self._pending:
            self._lose(self._pending, "Kafka did not take them in time")

    async def _send(self) -> None:
        batch: list[tuple[bytes, bytes]] = []
        while True:
            producer = AIOKafkaProducer(bootstrap_servers=self._servers, compression_type="gzip")
            try:
                await producer.start()
                while True:
                    batch = batch or await self._next_batch()
                    await _deliver(producer, batch)
                    for _ in batch:
                        self._waiting.task_done()
                    self._pending -= len(batch)
                    batch = []
            except (KafkaError, OSError) as error:  # the batch is sent again, whole: copies of an id count once
                LOG.warning("Kafka takes no cost records, %d wait: %s", self._waiting.qsize() + len(batch), error)
                await asyncio.sleep(PAUSE_S)
            finally:
                await producer.stop()

    async def _next_batch(self) -> list[tuple[bytes, bytes]]:
        first = await self._waiting.get()
        more = min(self._waiting.qsize(), BATCH_RECORDS - 1)
        return [first, *(self._waiting.get_nowait() for _ in range(more))]

    def _lose(self, records: int, why: object) -> None:
        if self.lost // 1000 != (self.lost + records) // 1000 or self.lost == 0:  # a line for each thousand
            LOG.error("%d cost records are lost so far: %r", self.lost + records, why)
        self.lost += records


async def _deliver(producer: AIOKafkaProducer, batch: Sequence[tuple[bytes, bytes]]) -> None:
    await asyncio.gather(*[await producer.send(TOPIC, value, key=key) for key, value in batch])


async def main() -> int:
    """Publish one call that ends now; return the exit code, 1 when it was lost."""
    async with Costs() as costs:
        costs.publish(
            {
                "id": str(uuid4()),  # better: the id that the provider gave the call
                "tenant_id": "globex",
                "occurred_at": datetime.now(UTC).isoformat(),
                "user_id": "ana",
                "feature_tag": "triage",
                "provider": "openai",
                "model": "gpt-4o",
                "input_tokens": 1200,
                "cached_input_tokens": 1024,
                "output_tokens": 300,
            }
        )
    return 1 if costs.lost else 0


if __name__ == "__main__":
    logging.basicConfig()
    sys.exit(asyncio.run(main()))
