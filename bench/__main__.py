"""``python -m bench``: bare loop, ``process`` in memory, durable end to end, and their ratios; runs; what rules cost.

Absolute numbers speak of one machine at one moment; the ratios of one run are what to compare.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from bench import bare, durable, memory, rules, workload
from streams.tuning import tune
from tests.stack import Stack

console = Console()
_Figure = tuple[str, int, Callable[[], float]]
"""Its name, how many records it is of, and what takes it."""

_DEFAULT_THRESHOLDS = gc.get_threshold()
_WHAT = {
    "bare": "bare loop: read, decode, sum",
    "tuned": "bare loop, interpreter tuned as the worker's",
    "memory": "process on memory ports (no broker)",
    "durable": "durable, end to end: Kafka to PostgreSQL (fsync on)",
    "runs": "process on memory ports, ends of runs",
}
_ELSEWHERE = {"durable"}
"""Measured in a process of its own: its processor time is not this one's."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000, help="events in the log (default 1 000 000)")
    parser.add_argument("--runs", type=int, default=200_000, help="ends of runs in memory (default 200 000)")
    parser.add_argument("--rounds", type=int, default=2, help="how often each figure is taken (default 2)")
    parser.add_argument("--in-memory", action="store_true", help="only what needs no servers")
    arguments = parser.parse_args()
    if arguments.in_memory:
        _measure_in_memory(arguments.records, arguments.runs, arguments.rounds)
        return
    with tempfile.TemporaryDirectory(prefix="outlay-bench-") as directory:
        _measure(Path(directory), arguments.records, arguments.runs, arguments.rounds)
    rules.measure(console)


class Taken(NamedTuple):
    """One figure taken once: records per second, and µs of this process's processor time per record."""

    rate: float
    cpu_us: float


def _measure(directory: Path, records: int, runs: int, rounds: int) -> None:
    with (
        console.status("starting a broker and a database that waits for its disk"),
        Stack.private(directory, durable=True) as stack,
    ):
        console.log(f"making and publishing {records:,} records")
        asyncio.run(durable.prepare(stack.bootstrap))
        values = durable.publish(stack.bootstrap, workload.events(records))
        figures: list[_Figure] = [
            ("bare", records, lambda: asyncio.run(bare.rate(stack.bootstrap, records))),
            ("tuned", records, lambda: asyncio.run(bare.rate(stack.bootstrap, records))),
            ("memory", records, lambda: asyncio.run(memory.rate(values, memory.costs()))),
            ("durable", records, lambda: durable.rate(stack, records)),
            _of_runs(runs),
        ]
        _report(_rounds(figures, rounds), records, runs)


def _measure_in_memory(records: int, runs: int, rounds: int) -> None:
    values = [value for _, value in workload.events(records)]
    costs: _Figure = ("memory", records, lambda: asyncio.run(memory.rate(values, memory.costs())))
    _report(_rounds([costs, _of_runs(runs)], rounds), records, runs)


def _of_runs(runs: int) -> _Figure:
    values = [value for _, value in workload.run_events(runs)]
    return "runs", runs, lambda: asyncio.run(memory.rate(values, memory.runs()))


def _rounds(figures: Sequence[_Figure], rounds: int) -> dict[str, list[Taken]]:
    measured: dict[str, list[Taken]] = {}
    for each in range(1, rounds + 1):
        for name, records, take in figures:
            measured.setdefault(name, []).append(_taken(name, each, records, take))
    return measured


def _taken(name: str, number: int, records: int, take: Callable[[], float]) -> Taken:
    tune()
    if name == "bare":
        gc.set_threshold(*_DEFAULT_THRESHOLDS)
    started = time.process_time()
    rate = take()
    console.log(f"round {number}: {name:8} {rate:>10,.0f} records/s")
    return Taken(rate, (time.process_time() - started) * 1e6 / records)


def _report(measured: dict[str, list[Taken]], records: int, runs: int) -> None:
    middle = statistics.median
    base = middle(one.rate for one in measured["bare"]) if "bare" in measured else None
    title = (
        f"{records:,} records, {runs:,} ends of runs, 12 partitions, lz4; "
        f"Python {platform.python_version()}, {platform.machine()}"
    )
    table = Table("what", "records/s (median)", "of the bare loop", "processor, µs a record", "rounds", title=title)
    for name, taken in measured.items():
        rate = middle(one.rate for one in taken)
        ratio = "" if base is None or name == "runs" else f"{rate / base:.2f}"
        processor = "" if name in _ELSEWHERE else f"{middle(one.cpu_us for one in taken):.1f}"
        rounds = ", ".join(f"{one.rate:,.0f}" for one in taken)
        table.add_row(_WHAT[name], f"{rate:,.0f}", ratio, processor, rounds)
    console.print(table)


if __name__ == "__main__":
    main()
