"""The port ``ChunkSource`` over a broker in memory, for replay, simulation and tests.

Nothing happens by itself: who drives it assigns and revokes. It runs on any event loop, sleeps never, and suspends at
every step it takes, so that a simulation may put a crash or another task anywhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection

from drivers.memory.log import MemoryLog
from engines.core.model import Chunk, LogBounds, TopicPartition
from engines.core.ports import ChunkHandler
from streams.flow import Flow, Flows

Suspend = Callable[[str], Awaitable[None]]
ChunkSize = Callable[[], int]

CHUNK_RECORDS_MAX = 5_000
CHUNK_BYTES_MAX = 4 << 20


class MemorySource:
    """Chunks of the partitions that are assigned, as large as *chunk_size* says (asked for each one).

    Args:
        log: the broker.
        chunk_size: records of the next chunk, at most 5 000.
        suspend: awaited with the name of the step; None: only give way to other tasks.
        ahead: chunks of a partition fetched before the handler has taken them in.
        end_of_log_every_ms: how often an idle partition says that its log has ended.
    """

    def __init__(
        self,
        log: MemoryLog,
        *,
        chunk_size: ChunkSize = lambda: CHUNK_RECORDS_MAX,
        suspend: Suspend | None = None,
        ahead: int = 2,
        end_of_log_every_ms: int = 1_000,
    ) -> None:
        self._log = log
        self._chunk_size = chunk_size
        self._suspend = suspend
        self._ahead = ahead
        self._end_of_log_every_ms = end_of_log_every_ms
        self._flows: Flows | None = None
        self._pumps: dict[TopicPartition, list[asyncio.Task[None]]] = {}
        self._change = asyncio.Event()
        self._stopping = asyncio.Event()
        self._running = asyncio.Event()
        self.reported: dict[TopicPartition, int] = {}

    async def run(self, handler: ChunkHandler) -> None:
        """Deliver assignments and chunks to *handler* until ``stop``; raises Halt when the handler raised."""
        flows = self._flows = Flows(handler, lambda *_: None, self.wake)
        self._running.set()
        stopping = asyncio.ensure_future(self._stopping.wait())
        over: set[asyncio.Future[object]] = {flows.failed, stopping}  # type: ignore[arg-type]  # Future is invariant
        try:
            await asyncio.wait(over, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            await self.revoke([flow.tp for flow in flows])
            self._flows = None
        if flows.failed.done():
            flows.failed.result()

    async def stop(self) -> None:
        """Make ``run`` revoke everything and return."""
        self._stopping.set()

    async def bounds(self, tp: TopicPartition) -> LogBounds:
        """Return log start, log end and ids of *tp*."""
        await self._step("bounds:before")
        bounds = self._log.bounds(tp)
        await self._step("bounds:after")
        return bounds

    def seek(self, tp: TopicPartition, offset: int) -> None:
        """Make the next chunk of *tp* start at *offset*; chunks fetched before are not delivered any more."""
        if self._flows is not None:
            self._flows.seek(tp, offset)

    def report(self, tp: TopicPartition, next_offset: int) -> None:
        """Remember the group's offset in ``reported``."""
        self.reported[tp] = next_offset

    # what stands in for the group

    async def assign(self, tps: Collection[TopicPartition]) -> None:
        """Give *tps* to the running source; returns before the handler has claimed them."""
        await self._running.wait()
        if self._flows is None:
            return
        self._flows.assign(tps)
        for tp in tps:
            chunks: asyncio.Queue[tuple[Flow, Chunk, int]] = asyncio.Queue()
            works = (self._fetch(self._flows, tp, chunks), self._deliver(self._flows, chunks))
            self._pumps[tp] = [asyncio.ensure_future(work) for work in works]

    async def revoke(self, tps: Collection[TopicPartition]) -> None:
        """Take *tps* away; after this returns another source may have them."""
        if self._flows is not None:
            await self._flows.revoke(tps)
        pumps = [pump for tp in tps for pump in self._pumps.pop(tp, [])]
        for pump in pumps:
            pump.cancel()
        if pumps:
            await asyncio.wait(pumps)

    def wake(self) -> None:
        """Look at the log again: something was appended, or time has passed."""
        self._change.set()

    # the rest

    async def _fetch(self, flows: Flows, tp: TopicPartition, chunks: asyncio.Queue[tuple[Flow, Chunk, int]]) -> None:
        """Queue chunks of *tp* as long as there are any, then wait for ``wake``."""
        told_ms: int | None = None
        while (flow := flows.flow(tp)) is not None:
            if flow.ready and not self._holds(tp, flow.position):
                await flows.reclaim(tp)
                continue
            chunk = self._read(flow, told_ms) if flow.ready and flow.queued < self._ahead else None
            if chunk is None:
                self._change.clear()
                await self._change.wait()
                continue
            if chunk.end_of_log_ms is not None:
                told_ms = chunk.end_of_log_ms
            seek_number = flow.seek_number
            await self._step("fetch")
            if flows.admit(chunk, seek_number) is flow:
                chunks.put_nowait((flow, chunk, seek_number))

    def _holds(self, tp: TopicPartition, position: int) -> bool:
        log = self._log.log(tp)
        return log.start <= position <= log.end

    def _read(self, flow: Flow, told_ms: int | None) -> Chunk | None:
        """Return the next chunk, None when there is nothing to say."""
        log, now_ms = self._log.log(flow.tp), self._log.now_ms()
        limit = max(1, min(self._chunk_size(), CHUNK_RECORDS_MAX))
        records, end = log.read(flow.position, limit, CHUNK_BYTES_MAX)
        at_end = end == log.end
        if end == flow.position and told_ms is not None and now_ms - told_ms < self._end_of_log_every_ms:
            return None
        return Chunk(*flow.tp, flow.position, end, records, now_ms if at_end else None)

    async def _deliver(self, flows: Flows, chunks: asyncio.Queue[tuple[Flow, Chunk, int]]) -> None:
        while True:
            flow, chunk, seek_number = await chunks.get()
            await self._step("deliver")
            await flows.deliver(flow, chunk, seek_number)

    async def _step(self, name: str) -> None:
        if self._suspend is None:
            await asyncio.sleep(0)
        else:
            await self._suspend(name)
