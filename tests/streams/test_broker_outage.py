import asyncio
import time
from collections import Counter
from pathlib import Path

import pytest

from drivers.kafka.admin import apply
from drivers.kafka.connection import KafkaConnection
from drivers.kafka.publisher import KafkaPublisher
from drivers.topics import load
from engines.core.errors import Transient
from engines.core.model import Chunk, OutboxRow, TopicPartition
from streams.faust_source import FaustSource
from streams.feed import SourceSettings
from tests.stack import Stack
from tests.streams.source_world import Recorder

TOPIC = "costs"


async def publish_for_ever(publisher: KafkaPublisher, published: list[bytes]) -> None:
    """Publish growing numbers, each again until it is acknowledged."""
    n = 0
    while True:
        rows = [OutboxRow(i, TOPIC, None, b"%d" % i, (), None, i) for i in range(n, n + 50)]
        try:
            await publisher.publish(rows)
        except Transient:
            await asyncio.sleep(0.2)
            continue
        published += [row.value or b"" for row in rows]
        n += 50
        await asyncio.sleep(0.02)


@pytest.mark.kafka
@pytest.mark.slow
async def test_a_killed_broker_loses_and_doubles_nothing_and_a_dead_one_holds_up_no_stop(tmp_path: Path) -> None:
    with Stack.private(tmp_path, with_postgres=False) as stack:
        connection = KafkaConnection(stack.bootstrap)
        await apply([load().named(TOPIC).model_copy(update={"partitions": 3})], connection)
        publisher = KafkaPublisher(connection, timeout_s=3.0)
        handler = Recorder(FaustSource(connection, [TOPIC], "group", SourceSettings(report_every_s=0.1)))
        positions: dict[TopicPartition, int] = {}
        taken: Counter[bytes] = Counter()

        async def go_on(tp: TopicPartition) -> int:
            return positions.get(tp, 0)

        async def count(chunk: Chunk) -> None:
            tp = TopicPartition(chunk.topic, chunk.partition)
            if chunk.start != positions.get(tp, 0):
                handler.source.seek(tp, positions.get(tp, 0))
                return
            taken.update(record.value or b"" for record in chunk.records)
            positions[tp] = chunk.end
            handler.source.report(tp, chunk.end)

        handler.on_assigned, handler.on_process = go_on, count
        published: list[bytes] = []
        publishing = asyncio.ensure_future(publish_for_ever(publisher, published))
        run = asyncio.ensure_future(handler.source.run(handler))
        await handler.until(lambda: len(taken) > 500)

        await asyncio.to_thread(stack.stop_broker, kill=True)
        await asyncio.sleep(2)
        before = len(taken)
        await asyncio.to_thread(stack.start_broker)
        await handler.until(lambda: len(taken) > before + 500, 60)
        publishing.cancel()
        await asyncio.wait({publishing})
        await handler.until(lambda: set(published) <= set(taken), 30)
        # A publisher may repeat what was not acknowledged; the source repeats nothing, which positions show.
        ends = [(await handler.source.bounds(TopicPartition(TOPIC, p))).end for p in range(3)]
        await handler.until(lambda: [positions[TopicPartition(TOPIC, p)] for p in range(3)] == ends, 30)
        assert sum(taken.values()) == sum(ends)

        await asyncio.to_thread(stack.stop_broker, kill=True)
        await asyncio.sleep(1)
        started = time.monotonic()
        await handler.source.stop()
        await run
        assert time.monotonic() - started < 9
        assert handler.mine == set()
        await publisher.close()
