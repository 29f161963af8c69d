import asyncio
import logging
import uuid
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from drivers.kafka.admin import apply
from drivers.kafka.connection import KafkaConnection
from drivers.kafka.member import MemberSettings
from drivers.topics import Topic, load
from engines.core.errors import Halt, Transient
from engines.core.model import Chunk, TopicPartition
from engines.core.ports import ChunkSource
from streams.faust_source import FaustSource
from streams.feed import SourceSettings
from tests.streams.source_contract import SourceContract
from tests.streams.source_world import Recorder, World, running

QUICK = SourceSettings(member=MemberSettings(session_timeout_s=2.0), report_every_s=0.2)
NOWHERE = KafkaConnection("127.0.0.1:1")


def a_topic() -> Topic:
    return (
        load()
        .named("costs")
        .model_copy(update={"name": f"source-{uuid.uuid4().hex}", "partitions": 2, "max_message_bytes": 4 << 20})
    )


class KafkaWorld:
    def __init__(self, bootstrap: str, topic: str) -> None:
        self.connection = KafkaConnection(bootstrap)
        self.topic = topic
        self.group = f"group-of-{topic}"

    async def append(self, partition: int, values: list[bytes], compression: str | None = "lz4") -> None:
        producer = AIOKafkaProducer(
            **self.connection.options(), compression_type=compression, max_request_size=8 << 20, linger_ms=5
        )
        async with producer:
            await asyncio.gather(*[await producer.send(self.topic, value, partition=partition) for value in values])

    async def transaction(self, partition: int, values: list[bytes], *, commit: bool) -> None:
        producer = AIOKafkaProducer(**self.connection.options(), transactional_id=uuid.uuid4().hex)
        async with producer:
            await producer.begin_transaction()
            for value in values:
                await producer.send_and_wait(self.topic, value, partition=partition)
            await (producer.commit_transaction() if commit else producer.abort_transaction())

    async def gap(self, partition: int) -> None:
        await self.transaction(partition, [b"aborted", b"aborted too"], commit=False)

    def source(self, settings: SourceSettings = QUICK) -> FaustSource:
        return FaustSource(self.connection, [self.topic], self.group, settings)

    async def joined(self, source: ChunkSource) -> None:
        """Have nothing to do: the group sees to it."""

    async def fetched_ahead(self) -> None:
        await asyncio.sleep(0.7)

    async def left(self, source: ChunkSource) -> None:
        """Have nothing to do: the group sees to it."""

    async def group_offsets(self) -> dict[int, int]:
        admin = AIOKafkaAdminClient(**self.connection.options())
        await admin.start()
        try:
            offsets = await admin.list_consumer_group_offsets(self.group)
        finally:
            await admin.close()
        return {tp.partition: found.offset for tp, found in offsets.items()}


@pytest.fixture
async def world(bootstrap: str) -> AsyncIterator[KafkaWorld]:
    topic = a_topic()
    await apply([topic], KafkaConnection(bootstrap))
    yield KafkaWorld(bootstrap, topic.name)
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.delete_topics([topic.name])
    await admin.close()


class TestFaustSource(SourceContract):
    @pytest.fixture
    def world(self, world: KafkaWorld) -> World:
        return world


async def test_aborted_transactions_are_never_seen_and_committed_ones_are(world: KafkaWorld) -> None:
    handler = Recorder(world.source())
    await world.transaction(0, [b"no"], commit=False)
    await world.transaction(0, [b"yes"], commit=True)
    await world.transaction(0, [b"no", b"never"], commit=False)
    async with running(world, handler):
        await handler.until(lambda: bool(handler.of(0)) and handler.of(0)[-1].end == 7)
    assert handler.values(0) == [b"yes"]


async def test_a_log_with_an_open_transaction_has_no_end(world: KafkaWorld) -> None:
    handler = Recorder(world.source())
    await world.append(0, [b"a"])
    producer = AIOKafkaProducer(**world.connection.options(), transactional_id=uuid.uuid4().hex)
    async with producer, running(world, handler):
        await producer.begin_transaction()
        await producer.send_and_wait(world.topic, b"b", partition=0)
        await handler.until(lambda: handler.values(0) == [b"a"])
        known = len(handler.of(0))
        await handler.until(lambda: len(handler.of(1)) >= 3)
        assert all(chunk.end_of_log_ms is None for chunk in handler.of(0)[known:])
        await producer.commit_transaction()
        await handler.until(lambda: handler.values(0) == [b"a", b"b"] and handler.of(0)[-1].end_of_log_ms is not None)


@pytest.mark.parametrize("compression", ["lz4", "snappy", "zstd", "gzip", None])
async def test_compressed_logs_are_read(world: KafkaWorld, compression: str | None) -> None:
    handler = Recorder(world.source())
    await world.append(1, [b"%d" % n * 20 for n in range(500)], compression)
    async with running(world, handler):
        await handler.until(lambda: len(handler.values(1)) == 500)
    assert handler.values(1) == [b"%d" % n * 20 for n in range(500)]


async def test_work_far_longer_than_a_session_costs_no_membership(world: KafkaWorld) -> None:
    handler = Recorder(world.source())
    await world.append(0, [b"a"])

    async def claim_slowly(tp: TopicPartition) -> int:
        await asyncio.sleep(1.5 * tp.partition + 1.5)
        return 0

    async def process_slowly(chunk: Chunk) -> None:
        if chunk.records:
            await asyncio.sleep(5)

    handler.on_assigned = claim_slowly
    handler.on_process = process_slowly
    async with running(world, handler):
        await handler.until(lambda: handler.values(0) == [b"a"])
        count = len(handler.of(0))
        await handler.until(lambda: len(handler.of(0)) > count)  # the chunk after the slow one
        assert handler.revocations == []
        assert handler.claims == 1


async def test_the_groups_offsets_follow_what_is_reported(world: KafkaWorld) -> None:
    handler = Recorder(world.source())
    await world.append(0, [b"a", b"b", b"c"])

    async def report(chunk: Chunk) -> None:
        handler.source.report(TopicPartition(chunk.topic, chunk.partition), chunk.end)

    handler.on_process = report
    async with running(world, handler):
        await handler.until(lambda: handler.values(0) == [b"a", b"b", b"c"])
        async with asyncio.timeout(10):
            while (await world.group_offsets()).get(0) != 3:
                await handler.news.wait()
        await world.append(0, [b"d"])
        await handler.until(lambda: b"d" in handler.values(0))
    assert (await world.group_offsets())[0] == 4


async def test_a_consumer_that_stands_still_while_its_log_moves_ends_the_worker(world: KafkaWorld) -> None:
    source = world.source(SourceSettings(stall_s=1.0))
    handler = Recorder(source)
    await world.append(0, [b"a"])
    async with running(world, handler) as task:
        await handler.until(lambda: bool(handler.of(0)) and bool(handler.of(1)))
        assert source.feed is not None
        assert source.feed._member is not None
        stuck = source.feed._member.reader._consumer
        source.feed._member.post(stuck.pause, *stuck.assignment())  # as if its fetcher had died
        await asyncio.sleep(1.5)
        assert not task.done()  # nothing to fetch is no standstill
        await world.append(1, [b"b"])
        await asyncio.wait({task}, timeout=10)
    with pytest.raises(Halt, match=f"{world.topic}/1 has stood at offset 0"):
        task.result()


async def test_a_static_member_comes_back_to_its_partitions(world: KafkaWorld) -> None:
    settings = SourceSettings(member=MemberSettings(session_timeout_s=6.0, instance_id="one"))
    for _ in range(2):
        handler = Recorder(world.source(settings))
        async with running(world, handler):
            await handler.until(lambda: len(handler.mine) == 2, 5.0)  # noqa: B023 -- used before the next round


async def test_a_cluster_that_is_away_at_the_start_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    source = FaustSource(NOWHERE, ["costs"], "nobody", SourceSettings(retry_s=0.05))
    caplog.set_level(logging.INFO, "streams")
    run = asyncio.ensure_future(source.run(Recorder(source)))
    async with asyncio.timeout(5):
        while not caplog.records:  # noqa: ASYNC110 -- a log calls nobody
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    assert not run.done()
    await source.stop()
    async with asyncio.timeout(5):
        await run
    said = [record for record in caplog.records if record.name.startswith("streams")]
    assert [record.getMessage().startswith("waiting for Kafka: ") for record in said] == [True]
    assert said[0].exc_info is None


async def test_bounds_of_a_cluster_that_is_away_are_transient() -> None:
    with pytest.raises(Transient, match=r"127\.0\.0\.1:1"):
        await FaustSource(NOWHERE, ["costs"], "nobody").bounds(TopicPartition("costs", 0))


async def test_a_source_stopped_before_it_runs_ends_at_once() -> None:
    source = FaustSource(NOWHERE, ["costs"], "nobody")
    await source.stop()
    async with asyncio.timeout(5):
        await source.run(Recorder(source))
