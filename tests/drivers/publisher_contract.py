"""What every publisher keeps to, whatever broker is behind it."""

import random
from collections.abc import Collection
from typing import Protocol

import pytest

from drivers.kafka.murmur2 import partition_of
from engines.core.errors import DataRefused
from engines.core.model import OutboxRow, Record
from engines.core.ports import Publisher


class World(Protocol):
    """A topic of three partitions that takes values of less than 2 MiB."""

    topic: str

    @property
    def publisher(self) -> Publisher: ...

    async def records(self, partition: int) -> Collection[Record]:
        """Return all records of a partition, in order."""


def row(world: World, seq: int, value: bytes | None, route: bytes | None = None, partition: int = 0) -> OutboxRow:
    return OutboxRow(seq, world.topic, b"key", value, (("a", b"1"), ("a", b"2")), route, partition)


class PublisherContract:
    """Subclassed once per publisher, with a fixture ``world``."""

    async def test_rows_arrive_whole_and_in_order(self, world: World) -> None:
        await world.publisher.publish([row(world, seq, b"%d" % seq) for seq in range(3000)])
        await world.publisher.publish([row(world, 3000, None)])
        records = list(await world.records(0))
        assert [record.value for record in records] == [*(b"%d" % seq for seq in range(3000)), None]
        assert records[0].key == b"key"
        assert list(records[0].headers) == [("a", b"1"), ("a", b"2")]

    async def test_a_route_decides_the_partition_as_java_clients_do(self, world: World) -> None:
        tenants = [b"tenant-%d" % n for n in range(30)]
        await world.publisher.publish([row(world, n, tenant, route=tenant) for n, tenant in enumerate(tenants)])
        for partition in range(3):
            at_home = [tenant for tenant in tenants if partition_of(tenant, 3) == partition]
            assert [record.value for record in await world.records(partition)] == at_home
            assert at_home

    async def test_without_a_route_the_rows_partition_counts_modulo_the_topics(self, world: World) -> None:
        await world.publisher.publish([row(world, n, b"%d" % n, partition=n) for n in range(7)])
        assert [record.value for record in await world.records(1)] == [b"1", b"4"]

    async def test_nothing_to_publish_is_published_at_once(self, world: World) -> None:
        await world.publisher.publish([])
        assert list(await world.records(0)) == []

    async def test_a_value_the_topic_does_not_take_is_refused_by_name_and_does_not_spoil_the_next(
        self, world: World
    ) -> None:
        with pytest.raises(DataRefused, match=f"{world.topic}, outbox row 8, value of 3145728 bytes"):
            await world.publisher.publish(
                [row(world, 7, b"small"), row(world, 8, random.Random(1).randbytes(3 << 20), b"x")]
            )
        await world.publisher.publish([row(world, 9, b"after", partition=1)])
        assert b"after" in [record.value for record in await world.records(1)]
