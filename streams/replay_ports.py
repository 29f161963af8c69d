"""The ports of a replay: a log handed over by hand, and a publisher that keeps what readers would end up with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import msgspec

from engines.core.model import LogBounds, OutboxRow, TopicPartition
from engines.core.ports import ChunkHandler
from engines.cost.anomalies import FACTS_TOPIC
from streams import fates

_decode = msgspec.json.Decoder().decode
Line = dict[str, object]


class ReplayLog:
    """The port ``ChunkSource`` where chunks are handed over by hand and nothing is ever sought twice."""

    def __init__(self, topic: str, partitions: int) -> None:
        self._topic = topic
        self._partitions = partitions
        self.ends = [0] * partitions

    async def run(self, handler: ChunkHandler) -> None:
        """Nothing runs by itself here."""

    async def stop(self) -> None:
        """Nothing runs by itself here."""

    async def bounds(self, tp: TopicPartition) -> LogBounds:
        """Return the bounds of a log that begins here and now."""
        return LogBounds(0, self.ends[tp.partition], "replay", "", self._partitions)

    def seek(self, tp: TopicPartition, offset: int) -> None:
        """Take in where an owner stands; a replay always is there."""

    def report(self, tp: TopicPartition, next_offset: int) -> None:
        """Nobody watches lag here."""


@dataclass(slots=True)
class Collected:
    """The port ``Publisher`` that keeps what a reader of the topics would end up with.

    ``keep_dead`` is False where nobody will look at dead letters: a replay of the wrong file is all of them.
    """

    keep_dead: bool
    facts: dict[str, Line] = field(default_factory=dict)
    dead: list[Line] = field(default_factory=list)
    late: list[Line] = field(default_factory=list)

    async def publish(self, rows: Sequence[OutboxRow]) -> None:
        """Keep the newest revision of each fact, and every dead and late line; the rest is read where it is stored."""
        logs = {fates.LATE_RECORDS: self.late} | ({fates.DEAD_LETTERS: self.dead} if self.keep_dead else {})
        for row in rows:
            if row.topic not in {FACTS_TOPIC, *logs}:
                continue
            line: Line = _decode(row.value or b"")
            if row.topic == FACTS_TOPIC:
                held = self.facts.setdefault(str(line["anomaly_id"]), line)
                if cast("int", held["revision"]) <= cast("int", line["revision"]):
                    self.facts[str(line["anomaly_id"])] = line
            else:
                logs[row.topic].append(line)
