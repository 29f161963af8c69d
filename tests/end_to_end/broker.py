"""The broker's side of a deployment: topics made anew, logs read to their ends, records sent under way."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Literal, NamedTuple

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from confluent_kafka import KafkaError, Message, Producer

from drivers import topics as listed
from drivers.kafka.admin import apply
from drivers.kafka.connection import KafkaConnection
from drivers.topics import Topic

Partitioner = Literal["murmur2_random", "consistent_random"]
Sent = tuple[bytes | None, bytes | None, tuple[tuple[str, bytes], ...]]
"""Key, value, headers."""
_FETCH_BYTES = 4 << 20
_MESSAGE_BYTES = 2 << 20  # before compression: what is too long for us must come so far


class Stored(NamedTuple):
    """A record as a reader of committed records gets it."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


def renew_topics(bootstrap: str, topics: Iterable[Topic] | None = None) -> None:
    """Make all topics of the list anew, empty; *topics* stands in for it."""
    asyncio.run(_renew(bootstrap, list(listed.load().topics if topics is None else topics)))


async def _renew(bootstrap: str, topics: Sequence[Topic]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        names = {topic.name for topic in topics}
        if old := names & set(await admin.list_topics()):
            await admin.delete_topics(sorted(old))
            async with asyncio.timeout(20):
                while names & set(await admin.list_topics()):  # noqa: ASYNC110 -- the broker calls nobody
                    await asyncio.sleep(0.05)
    finally:
        await admin.close()
    await apply(topics, KafkaConnection(bootstrap))


def read(bootstrap: str, topic: str) -> list[Stored]:
    """Return what *topic* holds, partition after partition, without what was aborted."""
    return asyncio.run(_read(bootstrap, topic))


async def _read(bootstrap: str, topic: str) -> list[Stored]:
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=_FETCH_BYTES,
    )
    found: list[Stored] = []
    async with consumer, asyncio.timeout(60):
        tps = consumer.assignment()
        ends = await consumer.end_offsets(tps)
        while any([await consumer.position(tp) < end for tp, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += [Stored(r.partition, r.offset, r.timestamp, r.key, r.value, tuple(r.headers)) for r in records]
    return sorted(found)  # by partition and offset, which no two share


def ends(bootstrap: str, topic: str) -> dict[int, int]:
    """Return the end of each partition's log."""
    return asyncio.run(_ends(bootstrap, topic))


async def _ends(bootstrap: str, topic: str) -> dict[int, int]:
    async with AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, isolation_level="read_committed") as consumer:
        tps = consumer.assignment()
        return {tp.partition: end for tp, end in (await consumer.end_offsets(tps)).items()}


class Load:
    """Sends records in a thread of its own, at a steady rate, through outages of the broker too."""

    def __init__(
        self, bootstrap: str, records: Sequence[Sent], rate: float, partitioner: Partitioner, topic: str = "costs"
    ) -> None:
        self.sent = 0
        self._topic = topic
        self.failed: list[KafkaError] = []
        self._records = records
        self._rate = rate
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "partitioner": partitioner,
                "enable.idempotence": True,
                "compression.type": "lz4",
                "message.max.bytes": _MESSAGE_BYTES,
                "linger.ms": 5,
                "log_level": 0,
                # A broker that went away may have left a request unanswered: nobody waits a minute for that.
                "socket.timeout.ms": 10_000,
                "request.timeout.ms": 5_000,
                "reconnect.backoff.max.ms": 1_000,
                # One that is just back may know no leaders yet: librdkafka would look again after five minutes.
                "topic.metadata.refresh.interval.ms": 2_000,
            }
        )
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)
        self._end = threading.Event()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def finish(self, patience_s: float = 60.0) -> None:
        """Return when everything is sent and acknowledged."""
        self._thread.join(patience_s)
        assert not self._thread.is_alive(), f"only {self.sent} of {len(self._records)} records were sent in time"
        assert self._producer.flush(patience_s) == 0, "the broker did not acknowledge everything in time"
        assert not self.failed, self.failed

    def hurry(self) -> None:
        """Send what is left as fast as it goes."""
        self._rate = 1e9

    def abandon(self) -> None:
        """Send no more."""
        self._end.set()
        if self._thread.ident is not None:
            self._thread.join(10)
        self._producer.purge()

    def _run(self) -> None:
        began = time.monotonic()
        for key, value, headers in self._records:
            ahead_s = self.sent / self._rate - (time.monotonic() - began)
            if ahead_s > 0 and self._end.wait(ahead_s):
                return
            with suppress(BufferError):
                self._producer.poll(0)
            self._producer.produce(self._topic, value, key, headers=list(headers), on_delivery=self._told)
            self.sent += 1

    def _told(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self.failed.append(error)


@contextmanager
def load(
    bootstrap: str,
    records: Sequence[Sent],
    *,
    rate: float = 1e9,
    partitioner: Partitioner = "murmur2_random",
    topic: str = "costs",
) -> Iterator[Load]:
    """Send *records* to *topic* while the block runs, *rate* a second; all are there at its end."""
    sending = Load(bootstrap, records, rate, partitioner, topic)
    sending.start()
    try:
        yield sending
        sending.finish()
    finally:
        sending.abandon()
