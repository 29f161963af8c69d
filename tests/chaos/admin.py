"""What an operator of the broker may do to a topic and see of a group."""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewPartitions

_TIMEOUT_S = 20.0


def _client(bootstrap: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})


def acknowledged(bootstrap: str, group: str, topic: str = "costs") -> dict[int, int]:
    """Return the offsets that *group* has committed on *topic*."""
    client = _client(bootstrap)  # kept: what it was asked for ends with it
    asked = client.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])
    answer = asked[group].result(_TIMEOUT_S)
    return {tp.partition: tp.offset for tp in answer.topic_partitions or () if tp.topic == topic and tp.offset >= 0}


def cut(bootstrap: str, starts: Mapping[int, int], topic: str = "costs") -> None:
    """Delete the records before *starts* of some partitions."""
    wanted = [TopicPartition(topic, partition, offset) for partition, offset in starts.items()]
    client = _client(bootstrap)
    for done in client.delete_records(wanted, operation_timeout=_TIMEOUT_S).values():
        done.result(_TIMEOUT_S)


def widen(bootstrap: str, partitions: int, topic: str = "costs") -> None:
    """Give *topic* more partitions."""
    client = _client(bootstrap)
    for done in client.create_partitions([NewPartitions(topic, partitions)]).values():
        done.result(_TIMEOUT_S)


def set_topic(bootstrap: str, topic: str = "costs", **settings: str) -> None:
    """Change *settings* of *topic*; an underscore stands for a dot."""
    _set(bootstrap, ResourceType.TOPIC, topic, settings)


def set_broker(bootstrap: str, node: int = 1, **settings: str) -> None:
    """Change *settings* of a broker that runs; an underscore stands for a dot."""
    _set(bootstrap, ResourceType.BROKER, f"{node}", settings)


def _set(bootstrap: str, kind: ResourceType, name: str, settings: Mapping[str, str]) -> None:
    entries = [
        ConfigEntry(setting.replace("_", "."), value, incremental_operation=AlterConfigOpType.SET)
        for setting, value in settings.items()
    ]
    resource = ConfigResource(kind, name, incremental_configs=entries)
    client = _client(bootstrap)
    for done in client.incremental_alter_configs([resource]).values():
        done.result(_TIMEOUT_S)
