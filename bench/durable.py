"""Durable, end to end: a real worker process from a real broker into a real PostgreSQL with fsync."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterable

import asyncpg
from confluent_kafka import Producer

from drivers import topics
from drivers.kafka import admin
from drivers.kafka.connection import KafkaConnection
from drivers.postgres.connections import libpq_url
from drivers.postgres.migrate import migrate
from engines.cost.domain import TOPIC
from tests.stack import Stack
from tests.stack.databases import fresh_database

_POLL_S = 0.02
_STALL_S = 120.0


async def prepare(bootstrap: str) -> None:
    """Make the topics."""
    await admin.apply(topics.load().topics, KafkaConnection(bootstrap_servers=bootstrap), replication=1)


def publish(bootstrap: str, events: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
    """Publish *events* to their home partitions, lz4; return their values in order."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "partitioner": "murmur2_random",
            "compression.type": "lz4",
            "linger.ms": 50,
            "batch.size": 262_144,
            "queue.buffering.max.messages": 200_000,
        }
    )
    values = []
    for key, value in events:
        values.append(value)
        while True:
            try:
                producer.produce(TOPIC, value, key)
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush()
    return values


def rate(stack: Stack, records: int) -> float:
    """Return records per second of one worker, from its first commit of records to the commit of the last one.

    What is committed first is not counted, for neither is the start of the worker and its joining of the group.
    """
    with fresh_database(stack) as url:
        asyncio.run(migrate(url))
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("OUTLAY_")},
            "OUTLAY_KAFKA_BOOTSTRAP_SERVERS": stack.bootstrap,
            "OUTLAY_DATABASE_URL": url,
            "OUTLAY_GROUP_ID": f"bench-{time.time_ns()}",
            "OUTLAY_METRICS_PORT": "0",
        }
        command = [sys.executable, "-c", "from streams.cli import main; main()", "worker"]
        worker = subprocess.Popen(command, env=environment)
        try:
            return asyncio.run(_watch(url, records, worker))
        finally:
            worker.terminate()
            worker.wait(30)


async def _watch(url: str, records: int, worker: subprocess.Popen[bytes]) -> float:
    connection = await asyncpg.connect(libpq_url(url))
    first, started = 0, 0.0
    moved = time.perf_counter()
    last = -1
    try:
        while True:
            done = await connection.fetchval("SELECT coalesce(sum(next_offset), 0) FROM positions")
            now = time.perf_counter()
            if not first and done:
                first, started = done, now
            if done >= records:
                return float(records - first) / (now - started)
            if done != last:
                last, moved = done, now
            if worker.poll() is not None or now - moved > _STALL_S:
                message = f"the worker stands still at {done} of {records} records"
                raise RuntimeError(message)
            await asyncio.sleep(_POLL_S)
    finally:
        await connection.close()
