"""What every chunk source keeps of its partitions between assignment and revocation, whatever the chunks come from.

One invariant: a chunk reaches the handler only if its partition is assigned, claimed, and was not sought since the
chunk was fetched.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from engines.core.errors import Halt
from engines.core.model import Chunk, TopicPartition
from engines.core.ports import ChunkHandler


@dataclass(slots=True, eq=False)
class Flow:
    """One assigned partition.

    Attributes:
        claimed: ``assigned`` has returned for it.
        seek_number: which seek is in force, 0 before the first.
        position: where the next chunk to be fetched starts.
        queued: chunks fetched and not yet taken in.
        task: the handler taking one in.
        moved_at: when it last got anywhere, in the loop's time.
    """

    tp: TopicPartition
    moved_at: float
    claimed: bool = False
    seek_number: int = 0
    position: int = -1
    queued: int = 0
    task: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """Whether chunks may be fetched."""
        return self.claimed and self.seek_number > 0


class Flows:
    """The assigned partitions of one source, and the calls of its handler.

    ``sought(tp, offset, seek_number)`` moves the consumer, ``roomy()`` tells it that more may be wanted.
    """

    def __init__(
        self,
        handler: ChunkHandler,
        sought: Callable[[TopicPartition, int, int], None],
        roomy: Callable[[], None],
    ) -> None:
        self._handler = handler
        self._sought = sought
        self._roomy = roomy
        self._flows: dict[TopicPartition, Flow] = {}
        self._claims: set[asyncio.Task[None]] = set()
        self._claiming = asyncio.Lock()
        self._seek_numbers = itertools.count(1)
        self.offered = False
        """Whether there ever was an assignment, an empty one perhaps."""
        self._loop = asyncio.get_running_loop()
        self.failed: asyncio.Future[None] = self._loop.create_future()

    def __iter__(self) -> Iterator[Flow]:
        return iter(list(self._flows.values()))

    def flow(self, tp: TopicPartition) -> Flow | None:
        """Return the flow of *tp*, None when it is not assigned."""
        return self._flows.get(tp)

    def assign(self, tps: Collection[TopicPartition]) -> None:
        """Take *tps* on and let the handler claim them, without waiting for it: it may take as long as it likes."""
        self.offered = True
        for tp in tps:
            self._flows[tp] = Flow(tp, self._loop.time())
        self._claim()

    async def reclaim(self, tp: TopicPartition) -> None:
        """Take *tp* away from the handler and offer it again, because its position is not in the log any more."""
        await self.revoke([tp])
        self.assign([tp])

    async def revoke(self, tps: Collection[TopicPartition]) -> None:
        """Stop delivering *tps*, let the handler give them up, and end what it still does with them."""
        gone = [self._flows.pop(tp) for tp in tps if tp in self._flows]
        if not gone:
            return
        for flow in gone:
            flow.claimed = False
        await self._end_claims()
        try:
            await self._handler.revoked([flow.tp for flow in gone])
        except Exception as error:  # noqa: BLE001 -- a bug in the handler must end the worker, not the rebalance
            self.fail(error)
        for flow in gone:
            if flow.task is not None and not flow.task.done():
                flow.task.cancel()
                await asyncio.wait({flow.task})
        if any(not flow.claimed for flow in self):
            self._claim()

    def seek(self, tp: TopicPartition, offset: int) -> None:
        """Make the next chunk of *tp* start at *offset*; nothing happens when it is not assigned."""
        flow = self._flows.get(tp)
        if flow is not None:
            flow.seek_number = next(self._seek_numbers)
            flow.position = offset
            flow.moved_at = self._loop.time()
            self._sought(tp, offset, flow.seek_number)
            self._roomy()

    def admit(self, chunk: Chunk, seek_number: int) -> Flow | None:
        """Return the flow *chunk* is to be delivered to, None when it is stale."""
        flow = self._flows.get(TopicPartition(chunk.topic, chunk.partition))
        if flow is None or not flow.claimed or flow.seek_number != seek_number:
            return None
        flow.queued += 1
        flow.position = chunk.end
        flow.moved_at = self._loop.time()
        return flow

    async def deliver(self, flow: Flow, chunk: Chunk, seek_number: int) -> None:
        """Hand an admitted *chunk* to the handler unless it went stale meanwhile; when cancelled, so is the handler."""
        try:
            if flow.claimed and flow.seek_number == seek_number:
                flow.task = asyncio.ensure_future(self._process(chunk))
                try:
                    await asyncio.wait({flow.task})
                except asyncio.CancelledError:
                    flow.task.cancel()
                    await asyncio.wait({flow.task})
                    raise
        finally:
            flow.queued -= 1
            flow.moved_at = self._loop.time()
            self._roomy()

    def fail(self, error: BaseException) -> None:
        """Make the source's ``run`` end with *error*; the first one counts."""
        if not self.failed.done():
            if not isinstance(error, Halt):
                halt = Halt(f"{type(error).__name__}: {error}")
                halt.__cause__ = error
                error = halt
            self.failed.set_exception(error)

    async def _process(self, chunk: Chunk) -> None:
        try:
            await self._handler.process(chunk)
        except Exception as error:  # noqa: BLE001 -- a handler does not raise; one that does has lost the chunk
            self.fail(error)

    def _claim(self) -> None:
        task = asyncio.ensure_future(self._claim_unclaimed())
        self._claims.add(task)
        task.add_done_callback(self._claims.discard)

    async def _claim_unclaimed(self) -> None:
        """Have the handler claim what it has not, one such call at a time."""
        async with self._claiming:
            flows = [flow for flow in self if not flow.claimed]
            if not flows:
                return
            try:
                await self._handler.assigned([flow.tp for flow in flows])
            except Exception as error:  # noqa: BLE001 -- as for ``process``
                self.fail(error)
                return
            for flow in flows:
                flow.claimed = True
        self._roomy()

    async def _end_claims(self) -> None:
        """Cancel the claim under way and those behind it."""
        for task in self._claims:
            task.cancel()
        if self._claims:
            await asyncio.wait(set(self._claims))
