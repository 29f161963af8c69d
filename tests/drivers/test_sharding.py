import pytest

from drivers.memory.store import MemoryStore
from drivers.sharding import store_for
from engines.core.model import TopicPartition


def test_a_partition_lives_in_one_database_whatever_its_topic() -> None:
    stores = [MemoryStore(), MemoryStore(), MemoryStore()]
    choose = store_for(stores)
    for partition in range(12):
        assert choose(TopicPartition("costs", partition)) is stores[partition % 3]
        assert choose(TopicPartition("runs", partition)) is stores[partition % 3]


def test_without_a_database_there_is_nothing_to_choose() -> None:
    with pytest.raises(ValueError, match="at least one"):
        store_for([])
