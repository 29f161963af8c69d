"""The play: events are published, the worker works, a consumer watches the topics, and at the end all is compared."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, Protocol

from drivers.kafka.bulk import BulkProducer
from drivers.kafka.tail import TopicTail
from drivers.postgres.connections import PostgresLimits
from drivers.postgres.operator import PositionTable
from drivers.postgres.read import opened, totals_by_day
from engines.core.errors import OutlayError
from engines.core.model import Position
from engines.core.time import day_start_us, format_day
from engines.cost.write import CostWriteService
from engines.patterns.feedback import Record, get_feedback_summary
from engines.prediction.summary import get_prediction_summary
from streams import app, fates
from streams.cli import readers
from streams.demo.board import TOPICS, Board, News
from streams.demo.incidents import FIRST_DAY, Budget
from streams.demo.sources import Source
from streams.demo.stage import Stage
from streams.demo.verdict import Ended, days_of
from streams.lines import Line
from streams.publishing import Publishing

_LOOK_S: Final = 0.1
_STILL_S: Final = 45.0
"""How long nothing may move before the demo gives up."""
_NOTICES_MAX: Final = 100_000


class DemoFailed(OutlayError):
    """The demo cannot be brought to its end; the message holds the worker's last words."""


class Shown(Protocol):
    """Who shows what happens."""

    def said(self, text: str) -> None:
        """Show what happens next."""

    def told(self, news: News) -> None:
        """Show what arrived on a topic."""

    def progressed(self, published: int, read: int) -> None:
        """Show how far it is."""


class Worker:
    """The worker as its positions in the database show it."""

    def __init__(self, stage: Stage, watching: asyncio.Task[None]) -> None:
        self.positions: list[Position] = []
        self._stage = stage
        self._table = PositionTable(stage.database_url, PostgresLimits())
        self._watching = watching

    async def look(self) -> list[Position]:
        """Read the positions. Raises DemoFailed when the worker, or who watches the topics, has ended."""
        if self._watching.done():
            self._watching.result()
        if self._stage.worker.poll() is not None:
            raise DemoFailed(f"the worker has ended:\n{self._stage.last_words()}")
        return await self.read()

    async def read(self) -> list[Position]:
        """Read the positions."""
        held, _ = await self._table.read()
        self.positions = [one.position for one in held]
        return self.positions

    async def close(self) -> None:
        """Close the connection."""
        await self._table.close()

    async def until_read(self, topic: str, records: int) -> None:
        """Return once so many *records* of *topic* are read. Raises DemoFailed when nothing moves for too long."""
        await self.until(lambda positions: _read([row for row in positions if row.topic == topic]) >= records)

    async def until(self, holds: Callable[[Sequence[Position]], bool]) -> None:
        """Return once *holds* of the positions. Raises DemoFailed when nothing moves for too long."""
        clock = asyncio.get_running_loop().time
        moved_s = clock()
        before: Sequence[Position] = ()
        while not holds(positions := await self.look()):
            if positions != before:
                before, moved_s = positions, clock()
            if clock() - moved_s > _STILL_S:
                raise DemoFailed(f"the worker stands still:\n{self._stage.last_words()}")
            await asyncio.sleep(_LOOK_S)


async def play(
    stage: Stage,
    screen: Shown,
    board: Board,
    published: Mapping[str, tuple[Source, float | None]],
    budgets: Sequence[Budget] = (),
) -> Ended:
    """Publish everything, let the worker bring it to its end, and return how it ended.

    Args:
        stage: where; its worker is ended here.
        screen: shows it.
        board: collects what the topics tell.
        published: by topic what is published, and how many events a second, so that there is something to watch;
            None: as fast as it goes.
        budgets: set before the first record.

    Raises:
        OutlayError: it cannot be brought to its end.
    """
    async with AsyncExitStack() as held:
        tail = await held.enter_async_context(TopicTail(stage.settings.kafka, TOPICS))
        watching = await held.enter_async_context(_during(_watch(tail, screen, board)))
        worker = Worker(stage, watching)
        held.push_async_callback(worker.close)
        feeds = [_Feed(stage, worker, topic, source, rate) for topic, (source, rate) in published.items()]
        for feed in feeds:
            held.push_async_callback(feed.bulk.close)
            await feed.start()
        await worker.until(lambda positions: len(positions) == sum(feed.partitions for feed in feeds))
        for budget in budgets:
            await _set(budget, stage, screen)
        screen.said("the worker has taken its partitions; publishing")
        async with _during(_show(worker, feeds, screen)):
            await asyncio.gather(*(feed.run() for feed in feeds))
            await worker.until(lambda positions: _done(positions, _sent(feeds)))
            await _until_told(worker, board)
        exit_code = await asyncio.to_thread(stage.end_worker)
        positions = await worker.read()
        screen.progressed(_sent(feeds), _read(positions))
    async with opened(stage.database_url) as database:
        stored = days_of(await totals_by_day(database))
    return Ended(board, _sent(feeds), positions, stored, exit_code, await _stored_notices(stage))


class _Feed:
    """What is published to one topic."""

    def __init__(self, stage: Stage, worker: Worker, topic: str, source: Source, rate: float | None) -> None:
        self._refused: list[str] = []
        self.bulk = BulkProducer[Line](stage.settings.kafka, topic, lambda _, reason: self._refused.append(reason))
        self.partitions = 0
        self._publishing = Publishing(source(worker.until_read), self.bulk, rate=rate)

    async def start(self) -> None:
        """Connect."""
        self.partitions = await self.bulk.start()

    async def run(self) -> None:
        """Publish it all. Raises DemoFailed when the broker will not have it."""
        await self._publishing.run(self.partitions)
        if self._refused:
            raise DemoFailed(f"the broker refused {len(self._refused)} records: {self._refused[0]}")


async def _stored_notices(stage: Stage) -> dict[str, Record]:
    """Return what the database holds of runs, by id; withdrawn predictions are not shown to anybody."""
    async with readers.of_feedback(stage.settings) as feedback, readers.of_predictions(stage.settings) as predictions:
        told = await get_feedback_summary(feedback, limit=_NOTICES_MAX)
        said = await get_prediction_summary(predictions, include_expired=True, limit=_NOTICES_MAX)
    by_id = {line["feedback_id"]: line for line in told.records}
    return by_id | {line["prediction_id"]: line for line in said.records}


async def _set(budget: Budget, stage: Stage, screen: Shown) -> None:
    """Set *budget* as ``outlay budgets set`` does, while the worker runs."""
    since = format_day(FIRST_DAY)
    options = f"--tenant {budget.tenant_id} --type tenant --monthly-usd {budget.monthly_usd} --effective-from {since}"
    screen.said(f"outlay budgets set {options}")
    async with app.settings_home(stage.settings) as home:
        await CostWriteService(home).create_or_update_budget(
            None,
            budget.tenant_id,
            "tenant",
            None,
            None,
            100 * budget.monthly_usd,
            effective_us=day_start_us(FIRST_DAY),
        )


@asynccontextmanager
async def _during(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """Do *work* while the block runs; what it raises is for who looks at the task."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()


async def _watch(tail: TopicTail, screen: Shown, board: Board) -> None:
    while True:
        for topic, value in await tail.read():
            news = board.take(topic, value)
            if news is not None:
                screen.told(news)


async def _show(worker: Worker, feeds: Sequence[_Feed], screen: Shown) -> None:
    while True:
        screen.progressed(_sent(feeds), _read(await worker.look()))
        await asyncio.sleep(_LOOK_S)


async def _until_told(worker: Worker, board: Board) -> None:
    """Return once the consumer has read what the worker says it published."""

    def told(positions: Sequence[Position]) -> bool:
        sent = {topic: sum(row.counts.get(fates.SENT + topic, 0) for row in positions) for topic in TOPICS}
        return all(board.messages[topic] >= n for topic, n in sent.items())

    await worker.until(told)


def _sent(feeds: Sequence[_Feed]) -> int:
    return sum(feed.bulk.sent for feed in feeds)


def _read(positions: Sequence[Position]) -> int:
    return sum(row.next_offset for row in positions)


def _done(positions: Sequence[Position], published: int) -> bool:
    """Tell whether everything is counted, told and projected."""
    settled = all(row.published == row.outbox_seq and row.projected >= row.next_offset for row in positions)
    return settled and _read(positions) == published
