"""Both publishers: what they send is counted at home, and Kafka's absence is nobody's trouble but the buffer's."""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine

import publish
import publish_confluent
import pytest
from aiokafka import AIOKafkaConsumer

from drivers.embedded.kafka import embedded_kafka
from drivers.kafka.murmur2 import partition_of
from tests.examples.doors import opened, unanswered
from tests.examples.sink import counted

PARTITIONS = 12
TENANTS = ("acme", "globex", "initech", "hooli")


def record(number: int) -> dict[str, object]:
    return {
        "id": f"call-{number}",
        "tenant_id": TENANTS[number % len(TENANTS)],
        "occurred_at": "2026-01-02T03:04:05Z",
        "model": "gpt-4o",
        "input_tokens": number,
        "output_tokens": 1,
    }


async def read(servers: str, records: int) -> dict[str, int]:
    """Return the ids of so many records, each with its partition; each must be acceptable."""
    found: dict[str, int] = {}
    async with AIOKafkaConsumer("costs", bootstrap_servers=servers, auto_offset_reset="earliest") as consumer:
        async with asyncio.timeout(30):
            while len(found) < records:
                one = await consumer.getone()
                found[counted(json.loads(one.value)).id] = one.partition
    return found


async def with_asyncio(servers: str, records: int, meanwhile: Callable[[], Awaitable[None]]) -> int:
    async with publish.Costs(servers) as costs:
        for number in range(records):
            costs.publish(record(number))
        await meanwhile()
    return costs.lost


async def with_threads(servers: str, records: int, meanwhile: Callable[[], Awaitable[None]]) -> int:
    costs = publish_confluent.Costs(servers)
    for number in range(records):
        costs.publish(record(number))
    await meanwhile()
    await asyncio.to_thread(costs.close)
    return costs.lost


both = pytest.mark.parametrize("run", [with_asyncio, with_threads], ids=["asyncio", "threads"])
Run = Callable[[str, int, Callable[[], Awaitable[None]]], Coroutine[None, None, int]]


@both
async def test_every_record_arrives_at_the_home_of_its_tenant(run: Run) -> None:
    async def nothing() -> None: ...

    with embedded_kafka({"costs": PARTITIONS}) as servers:
        assert await run(servers, 1200, nothing) == 0
        found = await read(servers, 1200)
    homes = {f"call-{n}": partition_of(TENANTS[n % len(TENANTS)].encode(), PARTITIONS) for n in range(1200)}
    assert found == homes


@both
async def test_records_wait_for_a_broker_that_is_not_there_yet(run: Run) -> None:
    address = unanswered()
    with embedded_kafka({"costs": PARTITIONS}) as servers:
        async with asyncio.TaskGroup() as tasks:
            waiting, arrived = asyncio.Event(), asyncio.Event()

            async def meanwhile() -> None:
                waiting.set()
                await arrived.wait()

            running = tasks.create_task(run(address, 300, meanwhile))
            await waiting.wait()
            async with opened(address, servers):
                assert len(await read(servers, 300)) == 300
                arrived.set()
                assert await running == 0


async def test_a_full_buffer_drops_counts_and_logs_and_the_caller_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    began = time.monotonic()
    async with publish.Costs(unanswered(), buffer_records=5, flush_s=0.2) as costs:
        for number in range(100):
            costs.publish(record(number))
        assert costs.lost == 95
        assert time.monotonic() - began < 5
    assert costs.lost == 100
    assert "1 cost records are lost so far: QueueFull()" in caplog.text
    threads = publish_confluent.Costs(unanswered(), buffer_records=5, flush_s=0.2)
    began = time.monotonic()
    for number in range(100):
        threads.publish(record(number))
    assert time.monotonic() - began < 5
    assert threads.lost == 95
    threads.close()
    assert threads.lost == 100


@pytest.mark.parametrize("bad", [{}, {"tenant_id": "acme", "id": object()}], ids=["nobody's", "no JSON"])
async def test_what_is_no_record_is_lost_and_raises_nothing(bad: dict[str, object]) -> None:
    async with publish.Costs(unanswered(), flush_s=0) as costs:
        costs.publish(bad)
    threads = publish_confluent.Costs(unanswered(), flush_s=0)
    threads.publish(bad)
    threads.close()
    assert (costs.lost, threads.lost) == (1, 1)


async def test_the_log_has_one_line_for_each_thousand_lost(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "costs")
    async with publish.Costs(unanswered(), buffer_records=1, flush_s=0) as costs:
        for number in range(2500):
            costs.publish(record(number))
    assert costs.lost == 2500
    assert [one.getMessage().split()[0] for one in caplog.records] == ["1", "1000", "2000"]
