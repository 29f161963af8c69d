import asyncio
import uuid
from collections.abc import AsyncIterator, Collection
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka import TopicPartition as KafkaTopicPartition
from aiokafka.errors import OutOfOrderSequenceNumber, ProducerFenced, UnknownProducerId

from drivers.kafka.admin import apply
from drivers.kafka.connection import KafkaConnection
from drivers.kafka.publisher import KafkaPublisher
from drivers.topics import load
from engines.core.errors import Transient
from engines.core.model import OutboxRow, Record
from tests.drivers.publisher_contract import PublisherContract, World, row


class KafkaWorld:
    def __init__(self, bootstrap: str, topic: str) -> None:
        self.connection = KafkaConnection(bootstrap)
        self.topic = topic
        self.publisher = KafkaPublisher(self.connection)

    async def records(self, partition: int) -> Collection[Record]:
        consumer = AIOKafkaConsumer(**self.connection.options(), fetch_max_wait_ms=50)
        await consumer.start()
        try:
            where = KafkaTopicPartition(self.topic, partition)
            consumer.assign([where])
            consumer.seek(where, 0)
            end = (await consumer.end_offsets([where]))[where]
            found: list[Record] = []
            while len(found) < end:
                found += (await consumer.getmany(where, timeout_ms=500)).get(where, [])
        finally:
            await consumer.stop()
        return found


@pytest.fixture
async def kafka(bootstrap: str) -> AsyncIterator[KafkaWorld]:
    topic = (
        load()
        .named("costs")
        .model_copy(update={"name": f"published-{uuid.uuid4().hex}", "partitions": 3, "max_message_bytes": 2 << 20})
    )
    await apply([topic], KafkaConnection(bootstrap))
    world = KafkaWorld(bootstrap, topic.name)
    yield world
    await world.publisher.close()


class TestKafkaPublisher(PublisherContract):
    @pytest.fixture
    def world(self, kafka: KafkaWorld) -> World:
        return kafka


async def test_a_broker_that_is_away_is_transient() -> None:
    publisher = KafkaPublisher(KafkaConnection("127.0.0.1:1"), timeout_s=5.0)
    with pytest.raises(Transient, match="did not acknowledge"):
        await publisher.publish([OutboxRow(1, "facts", None, b"a", (), None, 0)])
    await publisher.close()


async def test_a_broker_that_does_not_answer_is_transient_in_time() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        hung_up.set()

    hung_up = asyncio.Event()
    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    publisher = KafkaPublisher(KafkaConnection(f"127.0.0.1:{port}"), timeout_s=0.5)
    async with server:
        with pytest.raises(Transient, match=r"within 0\.5 s"):
            async with asyncio.timeout(5):
                await publisher.publish([OutboxRow(1, "facts", None, b"a", (), None, 0)])
        async with asyncio.timeout(5):
            await hung_up.wait()


class FailingOnce:
    """Makes producers of which the first says *error* for its second message."""

    def __init__(self, error: Exception) -> None:
        self.error: Exception | None = error
        self.made = 0

    def __call__(self, **options: Any) -> AIOKafkaProducer:
        self.made += 1
        producer = AIOKafkaProducer(**options)
        send, sent = producer.send, 0

        async def send_or_fail(*args: Any) -> Any:
            nonlocal sent
            sent += 1
            if sent == 2 and self.error is not None:
                error, self.error = self.error, None
                raise error
            return await send(*args)

        producer.send = send_or_fail
        return producer


@pytest.mark.parametrize("error", [ProducerFenced(), OutOfOrderSequenceNumber(), UnknownProducerId()])
async def test_a_producer_that_lost_its_sequence_is_replaced(kafka: KafkaWorld, error: Exception) -> None:
    producers = FailingOnce(error)
    publisher = KafkaPublisher(kafka.connection, producer=producers)
    rows = [row(kafka, seq, b"%d" % seq) for seq in range(3)]
    with pytest.raises(Transient):
        await publisher.publish(rows)
    await publisher.publish(rows)
    await publisher.close()
    assert producers.made == 2
    assert [record.value for record in await kafka.records(0)][-3:] == [b"0", b"1", b"2"]


async def test_a_cancelled_call_gives_the_connection_up(kafka: KafkaWorld) -> None:
    publishing = asyncio.ensure_future(kafka.publisher.publish([row(kafka, n, b"x" * 1000) for n in range(2000)]))
    await asyncio.sleep(0.02)
    publishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await publishing
    await kafka.publisher.publish([row(kafka, 1, b"after", partition=2)])
    assert [record.value for record in await kafka.records(2)] == [b"after"]
