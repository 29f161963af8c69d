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
from typing import Final

import msgspec

from drivers import topics
from drivers.embedded import ServerFailed
from drivers.prices import Prices
from engines.core.errors import OutlayError
from engines.core.ports import Domain
from engines.cost.domain import TOPIC as COSTS
from engines.cost.domain import CostDomain
from engines.cost.rules import STANDARD
from engines.runs.domain import TOPIC as RUNS
from streams import fates
from streams.demo.board import Board
from streams.demo.keep import kept
from streams.demo.play import play
from streams.demo.plot import plot, refuse_plot
from streams.demo.run_events import run_events
from streams.demo.scenario import Totals, month
from streams.demo.screen import Screen
from streams.demo.sources import TOPICS, Source, listed, of_files
from streams.demo.stage import Stage, raised
from streams.demo.verdict import Check, Ended, by_tenant, judge_any, judge_month
from streams.demo.verdict_runs import AsServed, judge_against_replay, judge_runs
from streams.lines import STDIN
from streams.replay import Replay, Replayed

_RATE: Final = 3_500.0
"""Events a second of the generated weeks: some ten seconds, so that facts can be seen to come one by one."""
_NS_PER_MS: Final = 1_000_000
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
    made, runs = month(seed), run_events(seed)
    screen.said(f"five weeks (seed {seed}), {len(made.lines):,} costs and {len(runs.lines):,} events of runs; in them:")
    for incident in made.incidents:
        screen.said(f"  {incident.tenant_id}: {incident.story}")
    for fault in runs.faults:
        screen.said(f"  {fault.tenant_id} {fault.worker_id}: {fault.story}")
    seconds = len(made.lines) / _RATE
    published = {
        COSTS: (listed(made.lines), _RATE),
        RUNS: (listed(runs.lines), len(runs.lines) / seconds),
    }
    with _ended_in_order(), raised(screen.said) as stage:
        with screen.watching(board):
            ended = asyncio.run(play(stage, screen, board, published, made.budgets))
        screen.facts()
        screen.notices()
        screen.totals(by_tenant(made.totals, ended.stored), "sent")
        told_again = asyncio.run(_replayed(AsServed(), listed(runs.lines), time.time_ns() // _NS_PER_MS))
        checks = [*judge_month(made, ended), *judge_runs(runs, ended), *judge_against_replay(told_again, ended)]
        holds = screen.verdict([*checks, *judge_any(made.totals, ended)])
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
    published = {topic: (of_files(names, topic), None) for topic in TOPICS}
    now_ms = time.time_ns() // _NS_PER_MS
    with _ended_in_order(), raised(screen.said) as stage:
        with screen.watching(board):
            ended = asyncio.run(play(stage, screen, board, published))
        screen.facts()
        costs = asyncio.run(_replayed(_costs(), of_files(names, COSTS), now_ms))
        runs = asyncio.run(_replayed(AsServed(), of_files(names, RUNS), now_ms))
        expected = totals_of(costs)
        screen.totals(by_tenant(expected, ended.stored), "replayed")
        checks = [_same_ends(costs, runs, ended), *judge_any(expected, ended, "replayed")]
        if runs.counts.get(fates.EVENTS):
            screen.notices()
            checks += judge_against_replay(runs, ended)
        holds = screen.verdict(checks)
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
        kept(stage, board.notices_in_order(), screen.said, screen.pasted)


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Make a polite end by signal one by Ctrl-C, so that everything is stopped; a server that fails is one line.

    An event loop answers Ctrl-C by cancelling its task: an exception from here may strike in a library's compiled code.
    """
    told: list[int] = []

    def end(number: int, _frame: object) -> None:
        told.append(number)
        signal.raise_signal(signal.SIGINT)

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, end) for number in numbers]
    try:
        yield
    except ServerFailed as error:
        raise OutlayError(str(error)) from error
    except KeyboardInterrupt:
        if told:
            sys.exit(128 + told[0])
        raise
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _costs() -> CostDomain:
    return CostDomain(Prices(), STANDARD)


async def _replayed(domain: Domain, source: Source, now_ms: int) -> Replayed:
    replay = Replay(domain, topics.load().named(domain.topic).partitions, now_ms)
    await replay.start()
    lines = source(_never_behind)
    while block := await lines.take():
        await replay.feed(line.value for line in block.lines)
    return await replay.finish(close_all=False)


async def _never_behind(_topic: str, _records: int) -> None:
    """A replay reads as fast as it is fed."""


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


def _same_ends(costs: Replayed, runs: Replayed, ended: Ended) -> Check:
    ends = [
        (f"{fate} {topic}", replayed.counts.get(fate, 0), ended.count(fate, topic))
        for topic, replayed in ((COSTS, costs), (RUNS, runs))
        for fate in fates.FATES
    ]
    told = ", ".join(f"{there:,} {name} in memory, {here:,} here" for name, there, here in ends if there != here)
    return Check("records end as they do in a replay in memory", not told, told or "the same number of each end")
