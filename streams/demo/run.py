"""``outlay demo`` from the rise of the curtain to its fall."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final, NoReturn

import msgspec

from drivers import topics
from drivers.embedded import ServerFailed
from drivers.prices import Prices
from engines.core.errors import OutlayError
from engines.cost.domain import TOPIC, CostDomain
from engines.cost.rules import STANDARD
from streams import fates
from streams.demo.board import Board
from streams.demo.keep import kept
from streams.demo.play import play
from streams.demo.plot import plot, refuse_plot
from streams.demo.scenario import Totals, month
from streams.demo.screen import Screen
from streams.demo.stage import Stage, raised
from streams.demo.verdict import Check, Ended, by_tenant, judge_any, judge_month
from streams.lines import STDIN, LineReader
from streams.replay import Replay, Replayed

_RATE: Final = 3_500.0
"""Events a second of the generated weeks: some ten seconds, so that facts can be seen to come one by one."""
_EPOCH: Final = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Extras:
    """What is wanted beside the play.

    Attributes:
        keep: everything stays up afterwards, until it is interrupted.
        plot: where a picture of it goes.
    """

    keep: bool = False
    plot: Path | None = None


NOTHING_MORE: Final = Extras()


def run_month(seed: int, extras: Extras = NOTHING_MORE) -> bool:
    """Play the weeks that *seed* makes; return whether everything came out. Raises OutlayError."""
    screen, board = _opened(extras)
    made = month(seed)
    screen.said(f"{len(made.lines):,} records of five weeks (seed {seed}); what goes wrong in them:")
    for incident in made.incidents:
        screen.said(f"  {incident.tenant_id}: {incident.story}")
    with _ended_in_order(), raised(screen.said) as stage:
        with screen.watching(board):
            ended = asyncio.run(play(stage, screen, board, made.lines, _RATE, made.budgets))
        screen.facts()
        screen.totals(by_tenant(made.totals, ended.stored), "sent")
        holds = screen.verdict(judge_month(made, ended))
        _after(extras, stage, screen, board, ended)
    return holds


def run_files(names: Sequence[str], extras: Extras = NOTHING_MORE) -> bool:
    """Play the records in files; return whether PostgreSQL ends with what a replay in memory gives.

    Raises:
        OutlayError: a file cannot be read, or the demo not be brought to its end.
    """
    if STDIN in names:
        raise OutlayError("the demo reads its records twice, so they must lie in files")
    screen, board = _opened(extras)
    reader, again = LineReader(names), LineReader(names)
    now_ms = time.time_ns() // 1_000_000
    with _ended_in_order(), raised(screen.said) as stage:
        with screen.watching(board):
            ended = asyncio.run(play(stage, screen, board, reader, None))
        screen.facts()
        replayed = asyncio.run(_replayed(again, now_ms))
        expected = totals_of(replayed)
        screen.totals(by_tenant(expected, ended.stored), "replayed")
        holds = screen.verdict([_same_ends(replayed, ended), *judge_any(expected, ended, "replayed")])
        _after(extras, stage, screen, board, ended)
    return holds


def _opened(extras: Extras) -> tuple[Screen, Board]:
    if extras.plot is not None:
        refuse_plot(extras.plot)
    return Screen(), Board()


def _after(extras: Extras, stage: Stage, screen: Screen, board: Board, ended: Ended) -> None:
    if extras.plot is not None:
        plot(extras.plot, ended.stored, board.in_order())
        screen.said(f"drawn: {extras.plot}")
    if extras.keep:
        kept(stage, screen.said, screen.pasted)


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Make a polite end by signal an exception, so that everything is stopped; a server that fails is one line."""

    def end(number: int, _frame: object) -> NoReturn:
        sys.exit(128 + number)

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, end) for number in numbers]
    try:
        yield
    except ServerFailed as error:
        raise OutlayError(str(error)) from error
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


async def _replayed(reader: LineReader, now_ms: int) -> Replayed:
    domain = CostDomain(Prices(), STANDARD)
    replay = Replay(domain, topics.load().named(TOPIC).partitions, now_ms)
    await replay.start()
    while block := await reader.take():
        await replay.feed(line.value for line in block.lines)
    return await replay.finish(close_all=False)


class _Snapshot(msgspec.Struct):
    """What is needed of a snapshot line (CONTRACT §5)."""

    tenant_id: str
    entity_type: str
    window: str
    start: str
    requests: int
    unpriced_requests: int
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    cost_nanousd: int | None


def totals_of(replayed: Replayed) -> dict[tuple[str, int], Totals]:
    """Return what a replay ends with, by tenant and day."""
    read = msgspec.json.Decoder(_Snapshot).decode
    lines = (read(line) for line in replayed.snapshots)
    return {
        (line.tenant_id, (date.fromisoformat(line.start[:10]) - _EPOCH).days): Totals(
            line.requests,
            line.unpriced_requests,
            line.input_tokens,
            line.cached_input_tokens,
            line.output_tokens,
            line.cost_nanousd or 0,
        )
        for line in lines
        if line.window == "day" and line.entity_type == "tenant"
    }


def _same_ends(replayed: Replayed, ended: Ended) -> Check:
    differing = [fate for fate in fates.FATES if replayed.counts.get(fate, 0) != ended.count(fate)]
    told = ", ".join(
        f"{replayed.counts.get(fate, 0):,} {fate} in memory, {ended.count(fate):,} here" for fate in differing
    )
    return Check("records end as they do in a replay in memory", not differing, told or "the same number of each end")
