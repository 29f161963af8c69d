"""The port ``ChunkSource`` as a Faust worker whose event is one fetched chunk; the only module that knows Faust.

Faust is the host: group membership, the consumer's thread, one serial agent instance per partition. What it would
decide itself is taken from it: positions come from the handler, commits are for lag displays only, failures end
inside the handler, and how much is fetched ahead is counted in ``Feed`` (its own buffers count a chunk as one).
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterable
from typing import Any, TypeVar

import faust
from aiokafka.errors import KafkaError
from faust.app.base import BootStrategy
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from drivers.kafka.bounds import LogBoundsReader
from drivers.kafka.chunks import ChunkReader
from drivers.kafka.connection import KafkaConnection
from drivers.kafka.member import new_consumer
from engines.core.errors import Halt
from engines.core.model import LogBounds, TopicPartition
from engines.core.ports import ChunkHandler
from streams.feed import Delivery, Feed, SourceSettings

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

_STOP_S = 4.0
_FAUSTS_OWN = logging.getLogger("faust.host")  # what Faust says of these classes is not ours to say


class FaustSource:
    """A member of consumer group *group_id* over *topics*; ``run`` is called once."""

    def __init__(
        self,
        connection: KafkaConnection,
        topics: Collection[str],
        group_id: str,
        settings: SourceSettings | None = None,
    ) -> None:
        self.connection = connection
        self.topics = tuple(topics)
        self.group_id = group_id
        self.settings = settings or SourceSettings()
        self._bounds = LogBoundsReader(connection)
        self.feed: Feed | None = None  # of the run under way
        self._stopped = False

    async def run(self, handler: ChunkHandler) -> None:
        """Deliver assignments and chunks to *handler* until ``stop``.

        Raises:
            Halt: the consumer stands still though the log moves, may not read, or broke.
        """
        feed = self.feed = Feed(handler, self._bounds, self.settings)
        if self._stopped:
            feed.stopping.set()
        try:
            if await feed.reach():
                await self._consume(feed)
        finally:
            await self._bounds.close()

    async def stop(self) -> None:
        """Make ``run`` revoke everything, leave the group and return."""
        self._stopped = True
        if self.feed is not None:
            self.feed.stopping.set()

    async def bounds(self, tp: TopicPartition) -> LogBounds:
        """Return log start, last stable offset and ids of *tp*. Raises Transient."""
        return await self._bounds.bounds(tp)

    def seek(self, tp: TopicPartition, offset: int) -> None:
        """Make the next chunk of *tp* start at *offset*; chunks fetched before are not delivered any more."""
        if self.feed is not None:
            self.feed.flows.seek(tp, offset)

    def report(self, tp: TopicPartition, next_offset: int) -> None:
        """Let the group's committed offset follow within a second or so, or not at all."""
        if self.feed is not None:
            self.feed.report(tp, next_offset)

    async def _consume(self, feed: Feed) -> None:
        app = _App(self, feed)
        works: list[Coroutine[Any, Any, None]] = [app.start(), app.crash_noticed(), feed.watch(), feed.tell_group()]
        tasks = [asyncio.ensure_future(work) for work in works]
        for task in tasks:
            task.add_done_callback(lambda done: _fail_with(feed, done))
        stopping = asyncio.ensure_future(feed.stopping.wait())
        try:
            over: set[asyncio.Future[Any]] = {feed.flows.failed, stopping}
            await asyncio.wait(over, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            await _leave(feed, app, tasks)
        if feed.flows.failed.done():
            feed.flows.failed.result()


def _fail_with(feed: Feed, task: asyncio.Future[None]) -> None:
    """End the run when one of its tasks failed."""
    error = None if task.cancelled() else task.exception()
    if error is not None:
        feed.flows.fail(error)


async def _leave(feed: Feed, app: _App, tasks: Collection[asyncio.Future[None]]) -> None:
    """Give everything up and leave the group, in limited time, whatever state things are in."""
    feed.stopping.set()
    try:
        await feed.revoke([flow.tp for flow in feed.flows])
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        try:
            async with asyncio.timeout(_STOP_S):
                await app.stop()
        except TimeoutError:
            _log.warning("the Kafka consumer did not end within %g s; the group will notice by itself", _STOP_S)


# ---------------------------------------------------------------- what Faust needs inheritance for


class _AsIs(faust.Schema[None, Delivery]):
    """Hands a message's value to the stream as it is: here it is a ``Delivery``."""

    def compile(self, app: Any, **_: Any) -> Any:  # noqa: ANN401 -- Faust's signature
        """Return the function that makes an event of a message."""

        async def decode(message: Any, *, propagate: bool = False) -> Any:  # noqa: ANN401, ARG001 -- Faust's signature
            return app.create_event(None, message.value, None, message)

        return decode


class _ConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread around our own consumer; a ``Member``."""

    app: _App
    logger = _FAUSTS_OWN
    reader: ChunkReader

    def _create_consumer(self, loop: asyncio.AbstractEventLoop) -> Any:  # noqa: ANN401, ARG002 -- Faust's signature
        source: FaustSource = self.app.source
        self._assignor = self.app.assignor
        consumer = new_consumer(source.connection, source.group_id, source.settings.member, self._assignor)
        self.reader = ChunkReader(consumer, source.settings.limits)
        return consumer

    async def on_thread_started(self) -> None:
        await super().on_thread_started()
        self.parent_loop.call_soon_threadsafe(self.app.feed.joined, self)

    async def on_thread_stop(self) -> None:
        """Leave the group and end, without a broker too: aiokafka then lets a cancellation of its own escape."""
        try:
            async with asyncio.timeout(_STOP_S / 2):
                await super().on_thread_stop()
        except (KafkaError, TimeoutError, asyncio.CancelledError) as error:
            _log.warning("the Kafka consumer could not leave its group: %r", error)
            await self._ensure_consumer()._client.close()  # noqa: SLF001 -- stop() did not come that far

    def post(self, call: Callable[..., None], *args: Any) -> None:  # noqa: ANN401 -- whatever *call* takes
        if not self.thread_loop.is_closed():
            self.thread_loop.call_soon_threadsafe(call, *args)

    async def ask(self, work: Coroutine[Any, Any, _T]) -> _T:
        answer = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.thread_loop))
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may be left to ask
        return await asyncio.shield(answer)

    async def on_partitions_revoked(self, revoked: Any) -> None:  # noqa: ANN401 -- Faust's sets of TP
        self.reader.forget()
        await self._in_parent(self.consumer.on_partitions_revoked(revoked))

    async def on_partitions_assigned(self, assigned: Any, generation_id: int = 0) -> None:  # noqa: ANN401 -- same
        self.reader.hold(assigned)
        await self._in_parent(self.consumer.on_partitions_assigned(assigned, generation_id))

    async def _in_parent(self, work: Coroutine[Any, Any, None]) -> None:
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.parent_loop))

    def on_crash(self, msg: str, *fmt: Any, **_: Any) -> None:  # noqa: ANN401 -- Faust's signature
        _log.error(msg.format(*fmt))  # not with its traceback on stderr


class _Consumer(driver.Consumer):
    """Turns chunks into Faust messages; takes no positions from the group and commits none by itself."""

    app: _App
    logger = _FAUSTS_OWN

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 -- Faust's signature
        super().__init__(*args, **kwargs)
        self._serial = itertools.count()  # as offsets: Faust drops what does not grow, and takes gaps for losses

    def _new_consumer_thread(self) -> _ConsumerThread:
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:  # noqa: ARG002, ASYNC109 -- Faust's signature
        """Yield one message per chunk."""
        if not self.flow_active:
            await self.can_resume_flow.wait()
        for delivery in await self.app.feed.fetch():
            chunk = delivery.fetched.chunk
            tp = TP(chunk.topic, chunk.partition)
            value: Any = delivery  # Faust expects bytes and never looks
            message = ConsumerMessage(*tp, next(self._serial), 0.0, 0, None, None, value, None, tp=tp)
            message.generation_id = self.app.consumer_generation_id  # of another one: Faust skips it
            yield tp, message

    async def on_partitions_revoked(self, revoked: Any) -> None:  # noqa: ANN401 -- Faust's sets of TP
        await self.app.feed.revoke([TopicPartition(*tp) for tp in revoked])
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: Any, generation_id: int = 0) -> None:  # noqa: ANN401 -- same
        await super().on_partitions_assigned(assigned, generation_id)
        if not self.app.feed.stopping.is_set():
            # Not waited for: the group would take a slow database for a dead member.
            self.app.feed.flows.assign([TopicPartition(*tp) for tp in assigned])

    async def seek_to_committed(self) -> dict[TP, int]:
        """Seek nowhere: the handler does."""
        return {}

    async def commit(self, *_: Any, **__: Any) -> bool:  # noqa: ANN401 -- Faust's signature
        """Commit nothing: ``report`` does."""
        return False

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Check nothing: ``Feed.watch`` does."""


class _Transport(driver.Transport):
    Consumer = _Consumer


class _Boot(BootStrategy):
    """Starts the consumer and the agent; no producer, leader, reply or web services."""

    def kafka_producer(self) -> Iterable[Any]:
        return []

    def kafka_consumer(self) -> Iterable[Any]:
        return [self.app.consumer]


class _App(faust.App):
    """A Faust app with one agent, whose body is one call."""

    BootStrategy = _Boot
    logger = _FAUSTS_OWN

    def __init__(self, source: FaustSource, feed: Feed) -> None:
        super().__init__(
            source.group_id,
            broker="kafka://" + source.connection.bootstrap_servers.replace(",", ";"),
            store="memory://",
            web_enabled=False,
            topic_allow_declare=False,
            topic_disable_leader=True,
            stream_wait_empty=False,
            autodiscover=False,
        )
        self.source = source
        self.feed = feed
        topic = self.topic(*source.topics, schema=_AsIs(), acks=False, internal=False)
        self.agent(topic, name="chunks", isolated_partitions=True)(_deliver_all(feed))

    async def on_first_start(self) -> None:
        """Make no folder: nothing is kept on disk."""

    def _new_transport(self) -> Any:  # noqa: ANN401 -- Faust's signature
        return _Transport(self.conf.broker_consumer, self)

    async def crash_noticed(self) -> None:
        """Raise Halt when some part of Faust crashed."""
        await self._crashed.wait()
        raise Halt(f"Kafka consumer: {self.crash_reason!r}") from self.crash_reason


def _deliver_all(feed: Feed) -> Callable[[Any], Coroutine[Any, Any, None]]:
    async def chunks(stream: Any) -> None:  # noqa: ANN401 -- Faust's stream
        try:
            async for delivery in stream:
                await feed.deliver(delivery)
        except asyncio.CancelledError:
            return  # Faust would restart an instance that is cancelled, of a revoked partition too

    return chunks
