"""Topics on a cluster: made as ``topics.yaml`` says, or held against it; never changed silently.

A topic that differs is refused, because each setting is a decision about data that is already there: another number
of partitions moves every tenant's home, another timestamp type changes what watermarks mean.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from drivers.kafka.connection import KafkaConnection
from drivers.kafka.refusals import explain
from drivers.topics import Topic
from engines.core.errors import SettingsError, Transient

_TIMEOUT_S = 30.0
_APPEAR_EVERY_S = 0.05


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of one topic: made now, or found to be as it should."""

    topic: str
    created: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting of a topic that is not as the list says."""

    topic: str
    setting: str
    wanted: str
    found: str

    def __str__(self) -> str:
        return f"topic {self.topic}: {self.setting} is {self.found}, wanted {self.wanted}"


async def apply(topics: Collection[Topic], connection: KafkaConnection, *, replication: int = -1) -> list[Applied]:
    """Make the *topics* that do not exist and verify those that do.

    Args:
        topics: what should be there.
        connection: the cluster.
        replication: copies of a new topic's partitions, -1: the cluster's default.

    Raises:
        SettingsError: a topic differs, is refused by the cluster, or may not be seen; an operator decides.
        Transient: the cluster is away or busy.
    """
    async with _admin(connection) as admin:
        existing = await _partitions(admin, topics)
        differences = await _differences(admin, topics, existing)
        if differences:
            raise SettingsError("; ".join(map(str, differences)))
        missing = [topic for topic in topics if topic.name not in existing]
        await _create(admin, missing, replication)
        await _appear(admin, missing)
    return [Applied(topic.name, topic.name not in existing) for topic in topics]


async def verify(topics: Collection[Topic], connection: KafkaConnection) -> list[Difference]:
    """Return how the cluster's *topics* differ from the list; a missing one has 0 partitions. Errors: ``apply``'s."""
    async with _admin(connection) as admin:
        existing = await _partitions(admin, topics)
        missing = [Difference(t.name, "partitions", str(t.partitions), "0") for t in topics if t.name not in existing]
        return missing + await _differences(admin, topics, existing)


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as the cluster has it.

    Attributes:
        replicas: copies of the partition that has the fewest.
        short: partitions that lack some of their copies right now.
        config: every setting.
    """

    partitions: int
    replicas: int
    short: int
    config: Mapping[str, str]


async def describe(names: Collection[str], connection: KafkaConnection) -> dict[str, TopicState]:
    """Return those of the topics *names* that exist. Raises Transient, SettingsError when they may not be seen."""
    async with _admin(connection) as admin:
        there = set(await admin.list_topics())
        wanted = [name for name in names if name in there]
        configs = await _configs(admin, wanted)
        found: dict[str, TopicState] = {}
        for topic in await admin.describe_topics(wanted) if wanted else []:
            copies = [(len(one["replicas"]), len(one["isr"])) for one in topic["partitions"]]
            fewest, short = min(n for n, _ in copies), sum(in_sync < n for n, in_sync in copies)
            found[topic["topic"]] = TopicState(len(copies), fewest, short, configs[topic["topic"]])
        return found


@asynccontextmanager
async def _admin(connection: KafkaConnection) -> AsyncIterator[AIOKafkaAdminClient]:
    """Lend a connected client for at most ``_TIMEOUT_S``; its errors become ours, a refused login a SettingsError."""
    admin = AIOKafkaAdminClient(**connection.options(), request_timeout_ms=10_000)
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            await admin.start()
            yield admin
    except (KafkaError, OSError, TimeoutError) as error:
        raise await explain(connection, error) from error
    finally:
        await admin.close()


async def _partitions(admin: AIOKafkaAdminClient, topics: Iterable[Topic]) -> dict[str, int]:
    """Return how many partitions each topic has, of those that exist."""
    there = set(await admin.list_topics())
    names = [topic.name for topic in topics if topic.name in there]
    described = await admin.describe_topics(names) if names else []
    return {topic["topic"]: len(topic["partitions"]) for topic in described}


async def _differences(
    admin: AIOKafkaAdminClient, topics: Iterable[Topic], existing: Mapping[str, int]
) -> list[Difference]:
    """Return what differs on the topics that exist, in the order of the list."""
    there = [topic for topic in topics if topic.name in existing]
    configs = await _configs(admin, [topic.name for topic in there])
    found: list[Difference] = []
    for topic in there:
        wanted = {"partitions": str(topic.partitions), **topic.config()}
        actual = {"partitions": str(existing[topic.name]), **configs[topic.name]}
        found += [
            Difference(topic.name, setting, value, actual.get(setting, "not shown"))
            for setting, value in wanted.items()
            if actual.get(setting) != value
        ]
    return found


async def _configs(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    """Return every setting of the topics *names*."""
    if not names:
        return {}
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    configs: dict[str, dict[str, str]] = {}
    for answer in answers:
        for code, message, _kind, name, entries in answer.resources:
            _refuse(code, f"topic {name}: {message or 'its settings are not shown'}")
            configs[name] = {entry[0]: entry[1] for entry in entries}
    return configs


async def _create(admin: AIOKafkaAdminClient, topics: list[Topic], replication: int) -> None:
    """Ask for *topics*; somebody else making one at the same time is no error (it is verified at the next apply)."""
    if not topics:
        return
    placed: dict[int, list[int]] | None = (
        {} if replication == -1 else None
    )  # aiokafka takes -1 only beside a placement, which may be empty
    wanted = [NewTopic(t.name, t.partitions, replication, placed, t.config()) for t in topics]
    answer: Any = await admin.create_topics(wanted, timeout_ms=10_000)
    for name, code, *rest in answer.topic_errors:
        if for_code(code) is not TopicAlreadyExistsError:
            _refuse(code, f"topic {name}: {(rest and rest[0]) or 'not made'}")


async def _appear(admin: AIOKafkaAdminClient, topics: list[Topic]) -> None:
    """Wait until the cluster shows every partition of *topics*: it answers before all of it knows."""
    while await _partitions(admin, topics) != {topic.name: topic.partitions for topic in topics}:  # noqa: ASYNC110 -- only asking tells
        await asyncio.sleep(_APPEAR_EVERY_S)


def _refuse(code: int, message: str) -> None:
    """Raise SettingsError or Transient for a broker's error *code*, nothing for success."""
    error = for_code(code)
    if code and error.retriable:
        raise Transient(f"{message} ({error.__name__})")
    if code:
        raise SettingsError(f"{message} ({error.__name__})")
