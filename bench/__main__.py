"""``python -m bench``: bare loop, ``process`` in memory, durable end to end, and their ratios; what rules cost.

Absolute numbers speak of one machine at one moment; the ratios of one run are what to compare.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import platform
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import bare, durable, memory, rules, workload
from streams.tuning import tune
from tests.stack import Stack

console = Console()

_DEFAULT_THRESHOLDS = gc.get_threshold()
_WHAT = {
    "bare": "bare loop: read, decode, sum",
    "tuned": "bare loop, interpreter tuned as the worker's",
    "memory": "process on memory ports (no broker)",
    "durable": "durable, end to end: Kafka to PostgreSQL (fsync on)",
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000, help="events in the log (default 1 000 000)")
    parser.add_argument("--rounds", type=int, default=2, help="how often each figure is taken (default 2)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="outlay-bench-") as directory:
        _measure(Path(directory), arguments.records, arguments.rounds)
    rules.measure(console)


def _measure(directory: Path, records: int, rounds: int) -> None:
    with (
        console.status("starting a broker and a database that waits for its disk"),
        Stack.private(directory, durable=True) as stack,
    ):
        console.log(f"making and publishing {records:,} records")
        asyncio.run(durable.prepare(stack.bootstrap))
        values = durable.publish(stack.bootstrap, workload.events(records))
        measured: dict[str, list[float]] = {name: [] for name in _WHAT}
        for each in range(1, rounds + 1):
            for name, take in (
                ("bare", lambda: asyncio.run(bare.rate(stack.bootstrap, records))),
                ("tuned", lambda: asyncio.run(bare.rate(stack.bootstrap, records))),
                ("memory", lambda: asyncio.run(memory.rate(values))),
                ("durable", lambda: durable.rate(stack, records)),
            ):
                measured[name].append(_taken(name, each, take))
    _report(measured, records)


def _taken(name: str, number: int, take: Callable[[], float]) -> float:
    tune()
    if name == "bare":
        gc.set_threshold(*_DEFAULT_THRESHOLDS)
    rate = take()
    console.log(f"round {number}: {name:8} {rate:>10,.0f} records/s")
    return rate


def _report(measured: dict[str, list[float]], records: int) -> None:
    base = statistics.median(measured["bare"])
    title = f"{records:,} records, 12 partitions, lz4; Python {platform.python_version()}, {platform.machine()}"
    table = Table("what", "records/s (median)", "of the bare loop", "rounds", title=title)
    for name, what in _WHAT.items():
        rate = statistics.median(measured[name])
        rounds = ", ".join(f"{each:,.0f}" for each in measured[name])
        table.add_row(what, f"{rate:,.0f}", f"{rate / base:.2f}", rounds)
    console.print(table)


if __name__ == "__main__":
    main()
