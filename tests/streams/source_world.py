"""What a test of a chunk source stands on: a topic, and a handler that remembers what came."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from typing import Protocol

from engines.core.model import Chunk, TopicPartition
from engines.core.ports import ChunkSource


class World(Protocol):
    """A topic of two partitions, and members of one group that read it."""

    topic: str

    async def append(self, partition: int, values: list[bytes]) -> None: ...

    async def gap(self, partition: int) -> None:
        """Use up at least one offset without a record to read."""

    def source(self) -> ChunkSource: ...

    async def joined(self, source: ChunkSource) -> None:
        """Have *source*, running, get all partitions if it is the first, else its share of them."""

    async def fetched_ahead(self) -> None:
        """Leave sources the time to fetch what was appended while a handler is busy."""

    async def left(self, source: ChunkSource) -> None:
        """Have the others get what *source*, which has ended, had."""


class Recorder:
    """A handler that claims at the start of the log and remembers what came; each of its steps can be replaced."""

    def __init__(self, source: ChunkSource) -> None:
        self.source = source
        self.chunks: list[Chunk] = []
        self.mine: set[TopicPartition] = set()
        self.claims = 0
        self.revocations: list[set[TopicPartition]] = []
        self.news = asyncio.Event()
        self.on_assigned: Callable[[TopicPartition], Awaitable[int]] | None = None
        self.on_process: Callable[[Chunk], Awaitable[None]] | None = None

    async def assigned(self, partitions: Collection[TopicPartition]) -> None:
        self.claims += 1
        for tp in partitions:
            start = (await self.source.bounds(tp)).start if self.on_assigned is None else await self.on_assigned(tp)
            self.source.seek(tp, start)
        self.mine |= set(partitions)
        self.news.set()

    async def revoked(self, partitions: Collection[TopicPartition]) -> None:
        self.mine -= set(partitions)
        self.revocations.append(set(partitions))
        self.news.set()

    async def process(self, chunk: Chunk) -> None:
        self.chunks.append(chunk)
        self.news.set()
        if self.on_process is not None:
            await self.on_process(chunk)

    def of(self, partition: int) -> list[Chunk]:
        return [chunk for chunk in self.chunks if chunk.partition == partition]

    def values(self, partition: int) -> list[bytes | None]:
        return [record.value for chunk in self.of(partition) for record in chunk.records]

    async def until(self, true: Callable[[], bool], seconds: float = 20.0) -> None:
        async with asyncio.timeout(seconds):
            while not true():
                self.news.clear()
                await self.news.wait()


@asynccontextmanager
async def running(world: World, handler: Recorder) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.ensure_future(handler.source.run(handler))
    try:
        await world.joined(handler.source)
        yield task
    finally:
        await handler.source.stop()
        async with asyncio.timeout(10):
            await asyncio.wait({task})


def contiguous(chunks: list[Chunk]) -> bool:
    return all(before.end == after.start for before, after in itertools.pairwise(chunks))
