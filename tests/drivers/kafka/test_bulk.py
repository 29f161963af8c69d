"""The bulk producer on the real broker: nothing lost, nothing out of order, and only the guilty refused."""

import asyncio
import random
import uuid
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as KafkaTopicPartition
from aiokafka.errors import OutOfOrderSequenceNumber

from drivers.kafka.admin import apply
from drivers.kafka.bulk import BulkProducer
from drivers.kafka.connection import KafkaConnection
from drivers.topics import load
from engines.core.errors import SettingsError, Transient

PARTITIONS = 3
LARGEST = 30_000


@pytest.fixture
async def topic(bootstrap: str) -> str:
    name = f"bulk-{uuid.uuid4().hex}"
    changes = {"name": name, "partitions": PARTITIONS, "max_message_bytes": LARGEST}
    await apply([load().named("costs").model_copy(update=changes)], KafkaConnection(bootstrap))
    return name


async def read(bootstrap: str, topic: str) -> dict[int, list[tuple[bytes | None, bytes]]]:
    places = [KafkaTopicPartition(topic, partition) for partition in range(PARTITIONS)]
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, fetch_max_wait_ms=50) as consumer:
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends = await consumer.end_offsets(places)
        found: dict[int, list[tuple[bytes | None, bytes]]] = {place.partition: [] for place in places}
        while sum(map(len, found.values())) < sum(ends.values()):
            for place, records in (await consumer.getmany(timeout_ms=500)).items():
                found[place.partition] += [(record.key, record.value) for record in records]
        return found


async def send(bulk: BulkProducer[int], records: Sequence[tuple[int, bytes | None, bytes]]) -> None:
    for tag, (partition, key, value) in enumerate(records):
        if not bulk.add(partition, key, value, tag):
            await bulk.ship(partition)
            assert bulk.add(partition, key, value, tag)
    await bulk.flush()


def noise(rng: random.Random, size: int) -> bytes:
    return rng.randbytes(size)  # does not compress: what counts for a broker is the compressed size


async def test_many_records_arrive_once_in_order_and_unchanged(bootstrap: str, topic: str) -> None:
    records = [(n % PARTITIONS, b"k%d" % (n % 11), b'{"n": %d, "text": "%s"}' % (n, b"x" * 80)) for n in range(20_000)]
    refused: list[tuple[int, str]] = []
    bulk = BulkProducer[int](KafkaConnection(bootstrap), topic, lambda tag, why: refused.append((tag, why)))
    assert await bulk.start() == PARTITIONS
    await send(bulk, records)
    await bulk.close()
    assert (bulk.sent, refused, bulk.unknown()) == (len(records), [], [])
    found = await read(bootstrap, topic)
    for partition in range(PARTITIONS):
        assert found[partition] == [(key, value) for where, key, value in records if where == partition]


@pytest.mark.parametrize("seed", [1, 2])
async def test_only_what_is_too_large_is_refused_and_the_rest_keeps_its_order(
    bootstrap: str, topic: str, seed: int
) -> None:
    rng = random.Random(seed)
    records = [(rng.randrange(PARTITIONS), None, b"%d:" % n + noise(rng, rng.randrange(2_000))) for n in range(600)]
    guilty = sorted(rng.sample(range(600), 4))
    for n in guilty:
        records[n] = (records[n][0], None, noise(rng, 3 * LARGEST))
    refused: list[tuple[int, str]] = []
    bulk = BulkProducer[int](KafkaConnection(bootstrap), topic, lambda tag, why: refused.append((tag, why)))
    await bulk.start()
    await send(bulk, records)
    await bulk.close()
    assert sorted(refused) == [(n, f"larger than the topic allows ({3 * LARGEST} bytes)") for n in guilty]
    assert (bulk.sent, bulk.unknown()) == (600 - len(guilty), [])
    found = await read(bootstrap, topic)
    for partition in range(PARTITIONS):
        assert found[partition] == [
            (key, value) for n, (where, key, value) in enumerate(records) if where == partition and n not in guilty
        ]


async def test_a_topic_that_is_not_there_is_not_made(bootstrap: str) -> None:
    name = f"bulk-{uuid.uuid4().hex}"
    for _ in range(2):
        bulk = BulkProducer[int](KafkaConnection(bootstrap), name, lambda *_: None)
        with pytest.raises(SettingsError, match=f"there is no topic '{name}'"):
            await bulk.start()


async def test_a_broker_that_is_away_is_transient() -> None:
    bulk = BulkProducer[int](KafkaConnection("127.0.0.1:1"), "t", lambda *_: None)
    with pytest.raises(Transient, match=r"Kafka at 127\.0\.0\.1:1"):
        await bulk.start()


class _Builder:
    def append(self, **_: Any) -> object:
        return object()


class _Scripted:
    """A producer whose batches end as *outcomes* says; None: never."""

    def __init__(self, outcomes: list[BaseException | str | None]) -> None:
        self._outcomes = outcomes
        self._message_accumulator = self
        self._batches: dict[object, object] = {}
        self._pending_batches: set[object] = set()
        self._sender = self
        self.sender_task = None
        self.client = self

    async def start(self) -> None:
        """Connected."""

    async def stop(self) -> None:
        """Gone."""

    async def close(self) -> None:
        """Gone."""

    def create_batch(self) -> _Builder:
        return _Builder()

    async def send_batch(self, *_: object, **__: object) -> asyncio.Future[object]:
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        match self._outcomes.pop(0):
            case BaseException() as error:
                future.set_exception(error)
            case str() as metadata:
                future.set_result(metadata)
        return future


async def _scripted(outcomes: list[BaseException | str | None], timeout_s: float = 5.0) -> BulkProducer[int]:
    bulk = BulkProducer[int](
        KafkaConnection("nowhere:9092"),
        "t",
        lambda *_: None,
        timeout_s=timeout_s,
        producer=lambda **_: _Scripted(outcomes),
    )
    await bulk._connect()
    return bulk


async def test_a_broken_sequence_is_sent_again_by_a_new_producer() -> None:
    outcomes: list[BaseException | str | None] = ["ok", OutOfOrderSequenceNumber(), "ok", "ok"]
    bulk = await _scripted(outcomes)
    for tag in range(3):
        bulk.add(0, None, b"x", tag)
        await bulk.ship(0)
        await asyncio.sleep(0)
    await bulk.flush()
    assert (bulk.sent, bulk.unknown(), outcomes) == (3, [], [])


async def test_a_broker_that_acknowledges_nothing_leaves_it_known_what_is_unknown() -> None:
    bulk = await _scripted(["ok", None, None, None], timeout_s=0.05)
    for tag in range(3):
        bulk.add(tag, None, b"x", tag)
        await bulk.ship(tag)
    bulk.add(0, None, b"x", 3)
    with pytest.raises(Transient, match=r"acknowledged nothing for 0\.05 s"):
        await bulk.flush()
    assert (bulk.sent, bulk.unknown()) == (1, [1, 2, 3])
