"""Feeds a handler from a Kafka group member: who wants chunks, what a failed fetch means, whether anything moves.

Lives in the worker's event loop; the consumer lives in another thread's, behind the protocol ``Member``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeVar

from drivers.kafka.bounds import LogBoundsReader
from drivers.kafka.chunks import ChunkLimits, ChunkReader, Fetched, PositionsLost
from drivers.kafka.member import MemberSettings
from engines.core.errors import Transient
from engines.core.model import TopicPartition
from engines.core.ports import ChunkHandler
from streams.flow import Flow, Flows
from streams.stalls import Stalls

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """How chunks are made and asked for.

    Attributes:
        ahead: chunks of a partition fetched and not yet taken in.
        poll_s: longest wait for chunks in one go.
        report_every_s: how often the group's offsets follow.
        stall_s: how long a log may move while its partition does not before the worker ends.
        retry_s: wait between tries to reach the cluster.
    """

    member: MemberSettings = field(default_factory=MemberSettings)
    limits: ChunkLimits = field(default_factory=ChunkLimits)
    ahead: int = 2
    poll_s: float = 0.5
    report_every_s: float = 1.0
    stall_s: float = 120.0
    retry_s: float = 2.0


class Member(Protocol):
    """The consumer's thread."""

    reader: ChunkReader

    def post(self, call: Callable[..., None], *args: Any) -> None:  # noqa: ANN401 -- whatever *call* takes
        """Have *call* made in the thread, in the order of posting, without waiting."""

    async def ask(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Return the result of *work* done in the thread; done to its end even if nobody waits any more."""


class Delivery(NamedTuple):
    """A chunk on its way to the handler."""

    flow: Flow
    fetched: Fetched


class Feed:
    """One run of a source."""

    def __init__(self, handler: ChunkHandler, bounds: LogBoundsReader, settings: SourceSettings) -> None:
        self._bounds = bounds
        self._settings = settings
        self._member: Member | None = None
        self._reports: dict[TopicPartition, int] = {}
        self._told = ""
        self._room = asyncio.Event()
        self.stopping = asyncio.Event()
        self.flows = Flows(handler, self._sought, self._roomy)

    def joined(self, member: Member) -> None:
        """Use *member* from now on."""
        self._member = member

    async def revoke(self, tps: Collection[TopicPartition]) -> None:
        """Give *tps* up and let the group know how far they came."""
        await self.flows.revoke(tps)
        await self._commit()

    def report(self, tp: TopicPartition, next_offset: int) -> None:
        """Remember to tell the group."""
        self._reports[tp] = next_offset

    async def fetch(self) -> list[Delivery]:
        """Return chunks of the partitions that want any, nothing after a while."""
        wanted = [flow.tp for flow in self.flows if flow.ready and flow.queued < self._settings.ahead]
        self._room.clear()
        if not wanted or self._member is None:
            await self._pause(self._room, self._settings.poll_s)
            return []
        try:
            fetched = await self._member.ask(self._member.reader.read(wanted, self._settings.poll_s))
        except PositionsLost as lost:
            for tp in lost.tps:
                _log.error("%s/%d: the position is not in the log any more; claiming again", tp.topic, tp.partition)
                await self.flows.reclaim(tp)
            return []
        except Transient as error:
            _log.warning("fetching failed, trying again: %s", error)
            await self._pause(self.stopping, self._settings.retry_s)
            return []
        except Exception as error:  # noqa: BLE001 -- Halt, or a bug: Faust would only log it and stand still
            if not self.stopping.is_set():
                self.flows.fail(error)
            await self._pause(self.stopping, self._settings.retry_s)
            return []
        admitted = ((self.flows.admit(*one), one) for one in fetched)
        return [Delivery(flow, one) for flow, one in admitted if flow is not None]

    async def deliver(self, delivery: Delivery) -> None:
        """Hand a chunk to the handler."""
        await self.flows.deliver(delivery.flow, *delivery.fetched)

    async def reach(self) -> bool:
        """Wait until the cluster answers; False when stopped before."""
        away = False
        while not self.stopping.is_set():
            try:
                await self._bounds.reach()
            except Transient as error:
                if not away:
                    _log.warning("waiting for Kafka: %s", error)
                away = True
                await self._pause(self.stopping, self._settings.retry_s)
            else:
                if away:
                    _log.info("Kafka is there")
                return True
        return False

    async def watch(self) -> None:
        """Raise Halt when a log moves and its partition does not: aiokafka can stay stuck after a broker's restart."""
        stalls = Stalls(self._settings.stall_s)
        clock = asyncio.get_running_loop().time
        away = False
        while True:
            await asyncio.sleep(min(self._settings.stall_s / 4, 10.0))
            idle = {flow.tp: flow for flow in self.flows if flow.ready and flow.queued == 0}
            try:
                ends = await self._bounds.ends(idle) if idle else {}
            except Transient as error:
                if not away:
                    _log.warning("Kafka is away, waiting: %s", error)
                away = True
                continue
            if away:
                _log.info("Kafka is back")
            away = False
            stalls.look(clock(), {tp: (flow.position, flow.moved_at, ends[tp]) for tp, flow in idle.items()})

    async def tell_group(self) -> None:
        """Let the group's offsets follow what was reported, for ever."""
        while True:
            await asyncio.sleep(self._settings.report_every_s)
            await self._commit()
            await self._look()

    async def _commit(self) -> None:
        """Commit what was reported, best effort: nobody resumes from it."""
        reports, self._reports = self._reports, {}
        if reports and self._member is not None:
            try:
                await self._member.ask(self._member.reader.commit(reports))
            except Transient as error:
                _log.debug("%s", error)

    async def _look(self) -> None:
        """Say what keeps the member out of its group, when it is new; Faust does not fetch before it is in."""
        if self._member is None or any(True for _ in self.flows):
            return
        try:
            await self._member.ask(self._member.reader.look())
        except Transient as error:
            if str(error) != self._told:
                _log.warning("waiting for Kafka: %s", error)
            self._told = str(error)

    def _sought(self, tp: TopicPartition, offset: int, seek_number: int) -> None:
        self._reports.pop(tp, None)
        if self._member is not None:
            self._member.post(self._member.reader.seek, tp, offset, seek_number)

    def _roomy(self) -> None:
        self._room.set()
        if self._member is not None:
            self._member.post(self._member.reader.interrupt)

    async def _pause(self, event: asyncio.Event, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()
