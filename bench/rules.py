"""``python -m bench.rules``: what the rules cost per record, and the close of a day per tenant, on memory ports.

Processor time of this process, each situation in turn with the base, so that a busy machine bears on both alike.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import statistics
import time
from typing import Final, NamedTuple

from rich.console import Console
from rich.table import Table

from bench import situations
from bench.situations import BASE, SITUATIONS, TENANTS, Situation
from drivers.prices import Prices
from engines.cost.domain import CostDomain
from engines.cost.rules import STANDARD
from streams.replay import Replay
from streams.tuning import tune

RECORDS: Final = 100_000
PAIRS: Final = 3
_NOW_MS = 4_000_000_000_000


class Taken(NamedTuple):
    """What one run took: µs of processor time per record of the day, ms per tenant of its close.

    A close writes the projection rows of the tenant's 24 hours and the day, some 360 here: most of what the base takes.
    """

    record_us: float
    close_ms: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.rules", description=__doc__)
    parser.add_argument("--records", type=int, default=RECORDS, help=f"records of the day (default {RECORDS:,})")
    parser.add_argument("--pairs", type=int, default=PAIRS, help=f"pairs per situation (default {PAIRS})")
    parser.add_argument("--only", default="", help="situations whose name holds this")
    arguments = parser.parse_args()
    measure(Console(), arguments.records, arguments.pairs, arguments.only)


def measure(console: Console, records: int = RECORDS, pairs: int = PAIRS, only: str = "") -> None:
    """Measure the situations whose name holds *only*, and print a table."""
    chosen = [situation for situation in SITUATIONS if only in situation.name]
    of_base, found = list[Taken](), dict[str, list[tuple[Taken, Taken]]]()
    for pair in range(1, pairs + 1):
        for situation in chosen:
            base, taken = run(BASE, records), run(situation, records)
            of_base.append(base)
            found.setdefault(situation.name, []).append((base, taken))
            console.log(f"pair {pair}: {situation.name:38} {taken.record_us:6.2f} µs, base {base.record_us:6.2f} µs")
    console.print(_table(of_base, found, records, pairs))


def run(situation: Situation, records: int) -> Taken:
    """Return what *records* of a day, and the close of that day, took in *situation*."""
    before, day, closing = (
        situations.history(situation),
        situations.measured(situation, records),
        situations.closing(),
    )
    return asyncio.run(_run(situation, before, day, closing))


async def _run(situation: Situation, before: list[bytes], day: list[bytes], closing: list[bytes]) -> Taken:
    domain = CostDomain(Prices(), STANDARD)
    replay = Replay(domain, 1, _NOW_MS, settings=situations.settings(situation), keep_snapshots=False)
    await replay.start()
    await replay.feed(before)
    await replay.drain()
    tune()
    started = time.process_time()
    await replay.feed(day)
    await replay.drain()
    folded = time.process_time()
    await replay.feed(closing)
    await replay.drain()
    closed = time.process_time()
    return Taken((folded - started) * 1e6 / len(day), (closed - folded) * 1e3 / TENANTS)


def _table(of_base: list[Taken], found: dict[str, list[tuple[Taken, Taken]]], records: int, pairs: int) -> Table:
    where = f"Python {platform.python_version()}, {platform.machine()}; medians of {pairs} pairs"
    title = f"rules, in memory: {records:,} records of {TENANTS} tenants, processor time; {where}"
    table = Table("situation", "µs per record", "over the base", "of the base", "close, ms per tenant", title=title)
    middle = statistics.median
    of_records, of_closes = (middle(values) for values in zip(*of_base, strict=True))
    table.add_row(BASE.name, f"{of_records:.1f}", "", "1.00", f"{of_closes:.2f}")
    for name, runs in found.items():
        over = middle(taken.record_us - base.record_us for base, taken in runs)
        ratio = middle(taken.record_us / base.record_us for base, taken in runs)
        record, close = (middle(values) for values in zip(*(taken for _, taken in runs), strict=True))
        table.add_row(name, f"{record:.1f}", f"{over:+.1f}", f"{ratio:.2f}", f"{close:.2f}")
    return table


if __name__ == "__main__":
    main()
