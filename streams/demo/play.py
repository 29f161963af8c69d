"""The play: records are published, the worker works, a consumer watches the topics, and at the end all is compared."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
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
from engines.cost.domain import TOPIC
from engines.cost.write import CostWriteService
from streams import app, fates
from streams.demo.board import TOPICS, Board, DeadLetter, Fact
from streams.demo.incidents import FIRST_DAY, Budget
from streams.demo.stage import Stage
from streams.demo.verdict import Ended, days_of
from streams.lines import Block, Line, LineReader
from streams.publishing import Publishing

_LOOK_S: Final = 0.1
_STILL_S: Final = 45.0
"""How long nothing may move before the demo gives up."""
_BLOCK_LINES: Final = 500
_UNREAD_BYTES_MAX: Final = 2 << 20
"""The embedded broker keeps 5 MiB of a partition: no more than this is sent before the worker has read it."""


class DemoFailed(OutlayError):
    """The demo cannot be brought to its end; the message holds the worker's last words."""


class Shown(Protocol):
    """Who shows what happens."""

    def said(self, text: str) -> None:
        """Show what happens next."""

    def told(self, news: Fact | DeadLetter) -> None:
        """Show what arrived on a topic."""

    def progressed(self, published: int, read: int) -> None:
        """Show how far it is."""


class Listed:
    """Lines that are there already, as ``Publishing`` takes them."""

    idle = False

    def __init__(self, values: Sequence[bytes]) -> None:
        self._lines = [Line(0, number, value) for number, value in enumerate(values, 1)]
        self._at = 0

    async def take(self) -> Block | None:
        """Return the next lines."""
        lines = self._lines[self._at : self._at + _BLOCK_LINES]
        self._at += len(lines)
        return Block(lines, 0) if lines else None


class Unhurried:
    """Lines of files, held back while the worker has too much to read."""

    def __init__(self, reader: LineReader, worker: Worker) -> None:
        self._reader = reader
        self._worker = worker
        self._lines = self._bytes = 0

    @property
    def idle(self) -> bool:
        """Whether what was taken must go out before there is more."""
        return self._bytes >= _UNREAD_BYTES_MAX or self._reader.idle

    async def take(self) -> Block | None:
        """Return the next lines, once the worker has read enough of those before."""
        if self._bytes >= _UNREAD_BYTES_MAX:
            await self._worker.until(lambda positions: _read(positions) >= self._lines)
            self._bytes = 0
        block = await self._reader.take()
        if block is not None:
            self._lines += len(block.lines)
            self._bytes += sum(len(line.value) for line in block.lines)
        return block


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
    source: Sequence[bytes] | LineReader,
    rate: float | None,
    budgets: Sequence[Budget] = (),
) -> Ended:
    """Publish *source*, let the worker bring it to its end, and return how it ended.

    Args:
        stage: where; its worker is ended here.
        screen: shows it.
        board: collects what the topics tell.
        source: the records, or the files they lie in.
        rate: events per second, so that there is something to watch; None: as fast as it goes.
        budgets: set before the first record.

    Raises:
        OutlayError: it cannot be brought to its end.
    """
    refused: list[str] = []
    bulk = BulkProducer[Line](stage.settings.kafka, TOPIC, lambda _, reason: refused.append(reason))
    async with AsyncExitStack() as held:
        tail = await held.enter_async_context(TopicTail(stage.settings.kafka, TOPICS))
        watching = await held.enter_async_context(_during(_watch(tail, screen, board)))
        worker = Worker(stage, watching)
        held.push_async_callback(worker.close)
        held.push_async_callback(bulk.close)
        partitions = await bulk.start()
        await worker.until(lambda positions: len(positions) == partitions)
        for budget in budgets:
            await _set(budget, stage, screen)
        screen.said("the worker has taken its partitions; publishing")
        lines = Unhurried(source, worker) if isinstance(source, LineReader) else Listed(source)
        async with _during(_show(worker, bulk, screen)):
            await Publishing(lines, bulk, rate=rate).run(partitions)
            await worker.until(lambda positions: _done(positions, bulk.sent))
            await _until_told(worker, board)
        if refused:
            raise DemoFailed(f"the broker refused {len(refused)} records: {refused[0]}")
        exit_code = await asyncio.to_thread(stage.end_worker)
        positions = await worker.read()
        screen.progressed(bulk.sent, _read(positions))
    async with opened(stage.database_url) as database:
        stored = days_of(await totals_by_day(database))
    return Ended(board, bulk.sent, positions, stored, exit_code)


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


async def _show(worker: Worker, bulk: BulkProducer[Line], screen: Shown) -> None:
    while True:
        screen.progressed(bulk.sent, _read(await worker.look()))
        await asyncio.sleep(_LOOK_S)


async def _until_told(worker: Worker, board: Board) -> None:
    """Return once the consumer has read what the worker says it published."""

    def told(positions: Sequence[Position]) -> bool:
        sent = {topic: sum(row.counts.get(fates.SENT + topic, 0) for row in positions) for topic in TOPICS}
        return all(board.messages[topic] >= n for topic, n in sent.items())

    await worker.until(told)


def _read(positions: Sequence[Position]) -> int:
    return sum(row.next_offset for row in positions)


def _done(positions: Sequence[Position], published: int) -> bool:
    """Tell whether everything is counted, told and projected."""
    settled = all(row.published == row.outbox_seq and row.projected >= row.next_offset for row in positions)
    return settled and _read(positions) == published
