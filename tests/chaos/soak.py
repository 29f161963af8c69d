"""Steady load with all rules on, and the resident memory of workers: ``python -m tests.chaos.soak --minutes 20``.

Exit code 1 when the memory of a worker grows (a line through the samples of the second half, or from when everything
that is bounded has filled if that is later, rises by more than `RISE_MAX` of their median), when a worker ends, or when
anything differs from the oracle at the end.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from random import SystemRandom
from statistics import linear_regression, median
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from tests.chaos import memory
from tests.chaos.arena import Arena
from tests.chaos.measured import Measured
from tests.chaos.memory import MIB, Memory
from tests.chaos.steady import Steady, rules
from tests.end_to_end.deployment import LEAVE_S, Deployment
from tests.stack import Stack
from tests.stack.supervise import Interrupted, interruptions

RISE_MAX = 0.05
_EVERY_S = 3.0
_ROUND_S = 10.0
_DAY_S = 8.0
"""A day passes in so many seconds."""
FILLED_S = 40 * _DAY_S
"""From when on as much is remembered as ever will be: 35 days of identities, pages and statements up to their bounds;
only ledgers, the smallest of all, go on to 80 days."""
_SHORT = 0.8
"""Of a run that ends before, or little later, the rest from this share of its time on is looked at."""
_TENANTS = 24
_CACHE_ENTITIES = 500
"""For each partition: so few that they are soon in use, and a cache that fills is no leak."""
_BLOCKS = "▁▂▃▄▅▆▇█"
_WIDTH = 40


class Trend(NamedTuple):
    """What became of the memory of one process; bytes, and bytes a second from *since_s* on."""

    since_s: float
    first: int
    middle: float
    largest: int
    slope: float
    rise: float

    @property
    def flat(self) -> bool:
        """Whether it does not grow."""
        return self.rise <= RISE_MAX


def trend(samples: Sequence[tuple[float, int]]) -> Trend:
    """Return the trend of *samples*, (seconds, bytes) in order of time; `rise` is a share of the median."""
    last_s = samples[-1][0]
    since_s = max(last_s / 2, min(FILLED_S, last_s * _SHORT))
    times, held = zip(*(sample for sample in samples if sample[0] >= since_s), strict=True)
    slope = linear_regression(times, held).slope
    middle = median(held)
    rise = slope * (times[-1] - times[0]) / middle
    return Trend(since_s, samples[0][1], middle, max(each for _, each in samples), slope, rise)


def spark(samples: Sequence[tuple[float, int]], width: int = _WIDTH) -> str:
    """Return a line of blocks, one for each part of the time, from the least to the most."""
    least, most = min(held for _, held in samples), max(held for _, held in samples)
    step = max(1.0, len(samples) / width)
    parts = [samples[round(n * step) : round((n + 1) * step)] for n in range(min(width, len(samples)))]
    means = [sum(held for _, held in part) / len(part) for part in parts if part]
    share = [(mean - least) / max(1, most - least) for mean in means]
    return "".join(_BLOCKS[min(len(_BLOCKS) - 1, int(each * len(_BLOCKS)))] for each in share)


def main() -> int:
    """Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=50.0, help="records a second; the oracle reads them all, too")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, help="of what is sent; at random when not given")
    given = parser.parse_args()
    seed = SystemRandom().randrange(10**6) if given.seed is None else given.seed
    console = Console(highlight=False)
    console.print(f"seed {seed}, {given.minutes:g} minutes, {given.rate:g} records a second")
    folder = Path(tempfile.mkdtemp(prefix="outlay-soak-"))
    try:
        with interruptions(), Stack.private(folder / "servers") as servers:
            arena = Arena(
                folder,
                seed,
                1.0,
                fault="soak",
                seconds=given.minutes * 60,
                postgres=servers,
                kafka=servers,
                say=console.print,
            )
            trends, found = soaked(arena, given.rate, given.workers, console)
    except Interrupted as interruption:
        shutil.rmtree(folder, ignore_errors=True)
        return 128 + interruption.number
    exact = not (found.lost or found.double or found.differing)
    console.print(f"{found.events} events: {found.lost} lost, {found.double} double, {found.differing} differing")
    flat = all(each.flat for each in trends)
    told = "flat" if flat else f"GROWS: the line through what was looked at rises over {RISE_MAX:.0%} of its median"
    console.print(f"resident memory: {told}")
    if flat and exact:
        shutil.rmtree(folder, ignore_errors=True)
        return 0
    console.print(f"what its processes said: {folder}")
    return 1


def soaked(arena: Arena, rate: float, workers: int, console: Console) -> tuple[list[Trend], Measured]:
    """Run *workers* under load for the time of *arena*; return what became of each, and what differs at the end."""
    tenants = [f"tenant-{n}" for n in range(_TENANTS)]
    days = Steady(arena.random, tenants, round(rate * _DAY_S)).days()
    with arena.deployment(publish_snapshots=True, cache_entities=_CACHE_ENTITIES) as deployment, ExitStack() as on:
        deployment.outlay(*rules(tenants))
        running = [on.enter_context(deployment.worker()) for _ in range(workers)]
        deployment.claimed()
        began = time.monotonic()
        with memory.watched([worker.process.pid for worker in running], _EVERY_S) as held:
            while time.monotonic() < began + arena.seconds:
                sent = [record for _ in range(round(_ROUND_S / _DAY_S)) for record in next(days)]
                with arena.load(deployment, sent, len(sent) / rate):
                    pass
                arena.say(_line(deployment, held, time.monotonic() - began))
        trends = [trend(held.of(number)) for number in range(workers)]
        console.print(_table(trends))
        for number in range(workers):
            console.print(f"{number + 1} {spark(held.of(number))}")
        found = arena.measured(deployment)
        assert all(worker.stop() < LEAVE_S for worker in running)
    return trends, found


def _line(deployment: Deployment, held: Memory, seconds: float) -> str:
    resident = ", ".join("-" if each is None else f"{each / MIB:.1f}" for each in held.samples[-1].resident)
    return f"{int(seconds) // 60:02}:{int(seconds) % 60:02} {deployment.events} events, {resident} MiB"


def _table(trends: Sequence[Trend]) -> Table:
    since_s = int(trends[0].since_s)
    title = f"resident memory, MiB; median, slope and rise from {since_s // 60:02}:{since_s % 60:02} on"
    table = Table(title=title, title_justify="left")
    for name in ("worker", "first", "median", "most", "slope, KiB/min", "rise"):
        table.add_column(name, justify="right")
    for number, each in enumerate(trends):
        sizes = (each.first, each.middle, each.largest)
        cells = [*(f"{size / MIB:.1f}" for size in sizes), f"{each.slope * 60 / 1024:+.0f}", f"{each.rise:+.1%}"]
        table.add_row(f"{number + 1}", *cells, style=None if each.flat else "red")
    return table


if __name__ == "__main__":
    sys.exit(main())
