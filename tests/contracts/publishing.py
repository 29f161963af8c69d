"""Everything that a worker publishes of a log, as it lies on the broker."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from drivers import topics
from drivers.memory.log import MemoryLog
from drivers.memory.publisher import MemoryPublisher
from drivers.memory.store import MemoryStore
from engines.core.model import Record, TopicPartition
from engines.cost.domain import TOPIC, CostDomain
from engines.cost.fold import FoldLimits
from engines.cost.rules import PROFILES, ProfileName
from streams.limits import ShellLimits
from streams.owner import Owner
from tests import oracle
from tests.streams.learning import Learning, in_memory
from tests.streams.running import NOW_MS, PRICES, deps_for, feed


@dataclass(frozen=True)
class Published:
    """One message on a topic of ours."""

    topic: str
    partition: int
    record: Record

    @property
    def line(self) -> dict[str, Any]:
        """Its value."""
        found: dict[str, Any] = json.loads(self.record.value or b"")
        return found

    @property
    def headers(self) -> dict[str, str]:
        """Its headers; a name that comes twice would be an error."""
        assert len({name for name, _ in self.record.headers}) == len(self.record.headers)
        return {name: value.decode() for name, value in self.record.headers}


async def published(
    stream: Sequence[oracle.LogRecord],
    *,
    settings: Sequence[oracle.Setting] = (),
    profile: str = "standard",
    partitions: int = 2,
    chunk: int = 200,
) -> list[Published]:
    """Return what workers publish of *stream*, with snapshots, forwarded records included."""
    log = MemoryLog({topic.name: topic.partitions for topic in topics.load().topics} | {TOPIC: partitions}, _now_ms)
    sent = dict.fromkeys(range(partitions), 0)
    for entry in oracle.placed(stream, partitions):
        tp = TopicPartition(TOPIC, entry.partition or 0)
        append_ms = NOW_MS if entry.append_us is None else entry.append_us // 1000
        log.append(tp, entry.value, key=entry.key, headers=entry.headers, timestamp_ms=append_ms)
        sent[tp.partition] += 1
    stores = [MemoryStore() for _ in range(partitions)]
    learning = Learning(settings, partitions, in_memory(stores))
    deps = deps_for(log, stores[0], MemoryPublisher(log), profile, ShellLimits(backoff_s=0.001))
    domain = CostDomain(PRICES, PROFILES[ProfileName(profile)], FoldLimits(publish_snapshots=True, forecasts=True))
    deps = replace(
        deps,
        domains={TOPIC: domain},
        store_for=lambda tp: stores[tp.partition],
        settings_known=learning.seen_by,
    )
    owners = [Owner(TopicPartition(TOPIC, partition), deps) for partition in range(partitions)]
    for owner in owners:
        await learning.tell(owner.tp.partition, -1)
        await owner.start()
    while any([await feed(owner, log, lambda: chunk, learning) for owner in owners]):
        pass
    for owner in owners:
        await owner.release()
    return [
        Published(topic.name, partition, record)
        for topic in topics.load().topics
        for partition in range(log.partitions(topic.name))
        for record in log.log(TopicPartition(topic.name, partition)).records[_skipped(topic.name, partition, sent) :]
    ]


def _skipped(topic: str, partition: int, sent: dict[int, int]) -> int:
    return sent[partition] if topic == TOPIC else 0


def _now_ms() -> int:
    return NOW_MS
