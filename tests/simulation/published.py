"""What lies in the topics, held against what is committed.

All that is committed is published, in order; all that is published is committed, in the history that stands or again,
identically, after a database was rolled back.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from drivers.kafka.murmur2 import partition_of
from engines.core.model import Headers, OutboxRow, TopicPartition
from engines.cost.anomalies import FINAL
from streams import fates
from tests.simulation.differences import SHOWN
from tests.simulation.faults import Kind
from tests.simulation.feeds import Feed
from tests.simulation.reading import TOLD, identity_in
from tests.simulation.truth import BURIED
from tests.simulation.world import World


class _Message(NamedTuple):
    """A message where it lies, as its digest: most are only ever compared."""

    topic: str
    partition: int
    digest: bytes


def problems(world: World, feed: Feed, committed: Mapping[TopicPartition, Mapping[int, OutboxRow]]) -> Iterator[str]:
    """Return what is missing in the topics, what is too much there, and what has two contents."""
    found = dict(_found(world))
    due: set[_Message] = set()
    for tp, rows in committed.items():
        mine = [_due(world, row) for _, row in sorted(rows.items())]
        missing = [row for message, row in zip(mine, rows.values(), strict=True) if message not in found]
        if missing:
            yield f"{tp}: {len(missing)} messages are committed and not published: {missing[:SHOWN]}"
        due.update(mine)
    excused = Excused(world, feed)
    extra = [shown for message, shown in found.items() if message not in due and not excused.message(shown)]
    if extra:
        yield f"{len(extra)} messages are published and not committed: {extra[:SHOWN]}"
    yield from _contents(world, excused)


class Excused:
    """Of whom what was published may differ from what is committed: rolled back state met another world.

    That is one with settings rows set since, without records that an operator gave up since, or with a record that was
    given up. The revision counts records and rows, so the same one may then have two contents; and what was told may
    never come to hold again. Consumers get over it with the final revision, if there is one.
    """

    def __init__(self, world: World, feed: Feed) -> None:
        self._rolled_back = bool(world.weather.struck[Kind.ROLLBACK])
        self._partitions = world.broker.partitions
        self._concerns = world.operator.concerns
        self._topic = world.broker.log.topic
        self._changed = {tp.partition for tp in self._partitions if world.broker.history.gave_up(tp)}
        if self._rolled_back:
            self._changed |= set(_buried(world, feed))

    def fact(self, fact: Mapping[str, Any]) -> bool:
        """Whether two contents of *fact* are excused: of a final one of costs not because of settings.

        Acknowledgements settle nothing, so final feedback may be told with one more of them, and a run less.
        """
        of_settings = (fact["status"] != FINAL or "anomaly_id" not in fact) and self._concerns(fact["tenant_id"])
        return self._rolled_back and (of_settings or self._home(fact["tenant_id"]) in self._changed)

    def message(self, shown: OutboxRow) -> bool:
        """Whether it is excused that a message is published and not committed."""
        if not self._rolled_back:
            return False
        if shown.topic == self._topic:  # whose it was is told by its origin
            return bool(self._changed)
        line = msgspec.json.decode(shown.value or b"null")
        if shown.topic == fates.DEAD_LETTERS:
            return line["partition"] in self._changed
        of_settings = shown.topic in TOLD[self._topic] and self._concerns(line["tenant_id"])
        return of_settings or self._home(line["tenant_id"]) in self._changed

    def _home(self, tenant_id: str) -> int:
        return partition_of(tenant_id.encode(), len(self._partitions))


def _buried(world: World, feed: Feed) -> Iterator[int]:
    """Yield the partitions of which a record was given up after deaths that were not its fault, in any history."""
    for record in world.broker.log.log(TopicPartition(fates.DEAD_LETTERS, 0)).records:
        line = msgspec.json.decode(record.value or b"null")
        if line["reason"].startswith(BURIED):
            headers = tuple((name, base64.b64decode(value)) for name, value in line["headers"])
            found = identity_in(world.broker.log.topic, base64.b64decode(line["value_base64"] or ""), headers)
            if found not in feed.killers:
                yield line["partition"]


def _found(world: World) -> Iterator[tuple[_Message, OutboxRow]]:
    """Yield every message that was ever published, and what it is."""
    for topic in world.broker.log.topics:
        for number in range(world.broker.log.partitions(topic)):
            tp = TopicPartition(topic, number)
            own = topic == world.broker.log.topic
            for record in world.broker.history.everything(tp) if own else world.broker.log.log(tp).records:
                if not own or any(name == fates.FORWARDED_FROM for name, _ in record.headers):
                    shown = OutboxRow(0, topic, record.key, record.value, record.headers, None, number)
                    yield _Message(topic, number, _digest(topic, record.key, record.value, record.headers)), shown


def _due(world: World, row: OutboxRow) -> _Message:
    n = world.broker.log.partitions(row.topic)
    partition = row.partition % n if row.route is None else partition_of(row.route, n)
    return _Message(row.topic, partition, _digest(row.topic, row.key, row.value, row.headers))


def _digest(topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> bytes:
    if topic == fates.DEAD_LETTERS:  # tracebacks and numbers of tries differ
        value = msgspec.json.encode(msgspec.json.decode(value or b"null") | {"reason": ""})
    return hashlib.blake2b(repr((key, value, [tuple(header) for header in headers])).encode(), digest_size=16).digest()


def _contents(world: World, excused: Excused) -> Iterator[str]:
    """Return revisions with two contents: final ones of costs never may have them."""
    contents: dict[tuple[str, int], dict[str, Any]] = {}
    for topic, name in TOLD[world.broker.log.topic].items():
        for number in range(world.broker.log.partitions(topic)):
            for record in world.broker.log.log(TopicPartition(topic, number)).records:
                fact = msgspec.json.decode(record.value or b"null")
                first = contents.setdefault((fact[name], fact["revision"]), fact)
                if first != fact and not excused.fact(fact):
                    yield f"two contents of one revision: {first} and {fact}"
