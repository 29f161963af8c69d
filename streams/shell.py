"""The shell of one worker: an owner for each partition it is assigned (port ``ChunkHandler``)."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from engines.core.model import Chunk, TopicPartition
from streams.deps import Deps
from streams.owner import Owner


class Shell:
    """Routes assignments and chunks to the owners of their partitions."""

    def __init__(self, deps: Deps) -> None:
        self.owners: dict[TopicPartition, Owner] = {}
        self._deps = deps

    async def assigned(self, partitions: Collection[TopicPartition]) -> None:
        """Claim *partitions* and seek each to its position."""
        fresh = [Owner(tp, self._deps) for tp in sorted(partitions) if tp not in self.owners]
        for owner in fresh:
            self.owners[owner.tp] = owner
        await asyncio.gather(*(owner.start() for owner in fresh))

    async def revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Give *partitions* up, as cleanly as time allows."""
        leaving = [self.owners.pop(tp) for tp in sorted(partitions) if tp in self.owners]
        await asyncio.gather(*(owner.release() for owner in leaving))

    async def process(self, chunk: Chunk) -> None:
        """Take in one chunk; a chunk of a partition that is not ours any more is nobody's loss."""
        owner = self.owners.get(TopicPartition(chunk.topic, chunk.partition))
        if owner is not None:
            await owner.take(chunk)
