"""The embedded broker: what the demo relies on."""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from drivers.embedded.kafka import embedded_kafka


async def _read(bootstrap: str, topic: str, count: int, group: str | None = None) -> list[ConsumerRecord]:
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        isolation_level="read_committed",
    )
    await consumer.start()
    try:
        found: list[ConsumerRecord] = []
        while len(found) < count:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                found += records
        if group:
            await consumer.commit()
        return found
    finally:
        await consumer.stop()


async def test_topics_have_the_partitions_that_were_asked_for() -> None:
    with embedded_kafka({"twelve": 12, "one": 1}) as bootstrap:
        async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
            assert await producer.partitions_for("twelve") == set(range(12))
            assert await producer.partitions_for("one") == {0}


@pytest.mark.parametrize("codec", [None, "lz4", "snappy", "zstd", "gzip"])
async def test_an_idempotent_producer_and_a_group_see_each_record_once_and_in_order(codec: str | None) -> None:
    with embedded_kafka({"t": 3}) as bootstrap:
        producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap, enable_idempotence=True, compression_type=codec, linger_ms=5
        )
        async with producer:
            sends = [
                await producer.send("t", b"%d" % n, key=b"k%d" % (n % 7), partition=n % 3, timestamp_ms=1_000 + n)
                for n in range(3_000)
            ]
            await asyncio.gather(*sends)
        records = await asyncio.wait_for(_read(bootstrap, "t", 3_000, "g"), 20)
        for partition in range(3):
            values = [int(record.value) for record in records if record.partition == partition]
            assert values == list(range(partition, 3_000, 3))
        assert {record.timestamp - int(record.value) for record in records} == {1_000}
        consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id="g", enable_auto_commit=False)
        async with consumer:
            assert [await consumer.committed(TopicPartition("t", n)) for n in range(3)] == [1_000] * 3


async def test_two_brokers_in_one_process_know_nothing_of_each_other() -> None:
    with embedded_kafka({"t": 1}) as first, embedded_kafka({"t": 1}) as second:
        assert first != second
        async with AIOKafkaProducer(bootstrap_servers=first) as producer:
            await producer.send_and_wait("t", b"x")
        async with AIOKafkaConsumer(bootstrap_servers=second) as consumer:
            assert await consumer.end_offsets([TopicPartition("t", 0)]) == {TopicPartition("t", 0): 0}
