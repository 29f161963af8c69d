from collections.abc import Collection

import pytest

from drivers.memory.log import MemoryLog
from drivers.memory.publisher import MemoryPublisher
from engines.core.model import Record, TopicPartition
from tests.drivers.publisher_contract import PublisherContract, World, row


class MemoryWorld:
    topic = "facts"

    def __init__(self) -> None:
        self.log = MemoryLog({self.topic: 3}, lambda: 7)
        self.steps: list[str] = []
        self.publisher = MemoryPublisher(self.log, self._suspend, value_bytes_max=2 << 20)

    async def records(self, partition: int) -> Collection[Record]:
        return self.log.log(TopicPartition(self.topic, partition)).records

    async def _suspend(self, step: str) -> None:
        self.steps.append(f"{step} with {self.log.log(TopicPartition(self.topic, 0)).end}")


class TestMemoryPublisher(PublisherContract):
    @pytest.fixture
    def world(self) -> World:
        return MemoryWorld()


async def test_it_suspends_around_its_effect() -> None:
    world = MemoryWorld()
    await world.publisher.publish([row(world, 1, b"a")])
    assert world.steps == ["publish:before with 0", "publish:after with 1"]
    assert [record.timestamp for record in await world.records(0)] == [7]
