"""The shell of one worker: an owner for each partition it is assigned (port ``ChunkHandler``)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence

from engines.core.model import Chunk, TopicPartition
from streams.deps import Deps
from streams.owner import Owner

log = logging.getLogger(__name__)


class Shell:
    """Routes assignments and chunks to the owners of their partitions."""

    def __init__(self, deps: Deps) -> None:
        self.owners: dict[TopicPartition, Owner] = {}
        self._deps = deps

    def period_us(self, topic: str) -> int:
        """Return how long the windows are that close on *topic*."""
        return self._deps.domains[topic].period_us

    async def assigned(self, partitions: Collection[TopicPartition]) -> None:
        """Claim *partitions* and seek each to its position.

        A claim that must wait (a lock, one of several databases) does not hold up the others: it goes on by itself,
        and seeks its partition, which stands still until then, when it has succeeded.
        """
        fresh = [Owner(tp, self._deps) for tp in sorted(partitions) if tp not in self.owners]
        for owner in fresh:
            self.owners[owner.tp] = owner
        starts = [asyncio.ensure_future(owner.start()) for owner in fresh]
        if starts:
            _, waiting = await asyncio.wait(starts, timeout=self._deps.limits.claims_wait_s)
            for start in waiting:
                start.cancel()
        _tell("taken", [owner.tp for owner in fresh])

    async def revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Give *partitions* up, as cleanly as time allows."""
        leaving = [self.owners.pop(tp) for tp in sorted(partitions) if tp in self.owners]
        await asyncio.gather(*(owner.release() for owner in leaving))
        _tell("given up", [owner.tp for owner in leaving])

    async def process(self, chunk: Chunk) -> None:
        """Take in one chunk; a chunk of a partition that is not ours any more is nobody's loss."""
        owner = self.owners.get(TopicPartition(chunk.topic, chunk.partition))
        if owner is not None:
            await owner.take(chunk)


def _tell(what: str, partitions: Sequence[TopicPartition]) -> None:
    """Say once per assignment which partitions came or went: what an operator looks for after a rebalance."""
    for topic in sorted({tp.topic for tp in partitions}):
        numbers = [tp.partition for tp in partitions if tp.topic == topic]
        log.info("%s: %d partitions %s: %s", topic, len(numbers), what, ", ".join(map(str, numbers)))
