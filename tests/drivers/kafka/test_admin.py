import uuid

import pytest

from drivers.kafka.admin import Applied, Difference, apply, verify
from drivers.kafka.bounds import LogBoundsReader
from drivers.kafka.connection import KafkaConnection
from drivers.topics import Topic, load
from engines.core.errors import SettingsError, Transient
from engines.core.model import TopicPartition


def fresh(**changes: object) -> Topic:
    name = f"admin-{uuid.uuid4().hex}"
    return load().named("late-records").model_copy(update={"name": name, "partitions": 2, **changes})


async def test_missing_topics_are_made_and_existing_ones_verified(bootstrap: str) -> None:
    connection = KafkaConnection(bootstrap)
    first, second = fresh(), fresh(cleanup="compact")
    assert await apply([first], connection) == [Applied(first.name, created=True)]
    assert await verify([first, second], connection) == [Difference(second.name, "partitions", "2", "0")]
    assert await apply([first, second], connection) == [
        Applied(first.name, created=False),
        Applied(second.name, created=True),
    ]
    assert await verify([first, second], connection) == []


@pytest.mark.parametrize(
    "changes,complaint",
    [
        ({"partitions": 3}, "partitions is 2, wanted 3"),
        ({"timestamp": "CreateTime"}, "message.timestamp.type is LogAppendTime, wanted CreateTime"),
        ({"cleanup": "compact"}, "cleanup.policy is delete, wanted compact"),
        ({"max_message_bytes": 5000}, "max.message.bytes is 1048588, wanted 5000"),
        ({"retention_ms": 3_600_000}, "retention.ms is 2592000000, wanted 3600000"),
    ],
)
async def test_a_topic_that_differs_is_refused_and_left_alone(
    bootstrap: str, changes: dict[str, object], complaint: str
) -> None:
    connection = KafkaConnection(bootstrap)
    topic, other = fresh(), fresh()
    await apply([topic], connection)
    with pytest.raises(SettingsError) as refused:
        await apply([topic.model_copy(update=changes), other], connection)
    assert str(refused.value) == f"topic {topic.name}: {complaint}"
    assert await verify([topic], connection) == []
    assert len(await verify([other], connection)) == 1


async def test_a_topic_the_cluster_does_not_take_is_refused(bootstrap: str) -> None:
    with pytest.raises(SettingsError, match=r"topic bad name: .*InvalidTopic"):
        await apply([fresh().model_copy(update={"name": "bad name"})], KafkaConnection(bootstrap))


async def test_a_cluster_that_is_away_is_transient() -> None:
    with pytest.raises(Transient, match=r"Kafka at 127\.0\.0\.1:1"):
        await apply([fresh()], KafkaConnection("127.0.0.1:1"))


async def test_a_topic_made_again_has_another_id(bootstrap: str) -> None:
    connection = KafkaConnection(bootstrap)
    topic, other = fresh(), fresh()
    await apply([topic, other], connection)
    reader = LogBoundsReader(connection)
    ids = {(await reader.bounds(TopicPartition(name, 0))).topic_id for name in (topic.name, other.name)}
    assert len(ids) == 2
    with pytest.raises(Transient, match="UnknownTopic"):
        await reader.bounds(TopicPartition(f"{topic.name}-not-there", 0))
    assert (await reader.bounds(TopicPartition(topic.name, 1))).partitions == 2
    await reader.close()


def test_a_connection_shows_no_secret() -> None:
    connection = KafkaConnection("a:1, b:2", "SASL_PLAINTEXT", sasl_username="me", sasl_password="hush")
    assert "hush" not in repr(connection)
    assert connection.options()["bootstrap_servers"] == ["a:1", "b:2"]
    assert connection.options()["sasl_plain_password"] == "hush"


def test_certificates_that_cannot_be_read_are_a_wrong_setting() -> None:
    with pytest.raises(SettingsError, match="Kafka certificates"):
        KafkaConnection("a:1", "SSL", ssl_cafile="/nowhere/ca.pem").options()
