"""Run many seeds, or one in detail: ``python -m tests.simulation --seeds 2000`` or ``--seed 1234 --trace``."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import fields
from functools import partial

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from streams.limits import ShellLimits
from tests.simulation.broken import PLANTED
from tests.simulation.faults import Kind, Plan, draw
from tests.simulation.feeds import feed_of
from tests.simulation.minimise import minimised
from tests.simulation.run import REAL, Parts, Result, simulate

BATCH = 20
GC_THRESHOLDS = (50_000, 20, 100)
COLUMNS = 4
TRACED = 60
WIDTH = 240


def main() -> int:
    """Return the exit code: 1 when a seed failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many seeds")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--seed", type=int, help="run this one, and say what differs")
    parser.add_argument("--trace", action="store_true", help="with --seed: tell what happens on the way")
    parser.add_argument("--minimise", action="store_true", help="with --seed: look for a smaller plan that fails")
    parser.add_argument("--planted", choices=PLANTED, metavar="BUG", help=f"with a bug: {', '.join(PLANTED)}")
    given = parser.parse_args()
    if given.seed is not None:
        return _one(given.seed, given.planted, trace=given.trace, minimise=given.minimise)
    return _many(range(given.first, given.first + given.seeds), given.jobs, given.planted)


def _one(seed: int, planted: str | None, *, trace: bool, minimise: bool) -> int:
    logging.basicConfig(level=logging.WARNING if trace else logging.CRITICAL, format="           %(message)s")
    plan, parts = draw(seed), _parts(planted)
    if minimise:
        plan = _small(plan, parts)
    _show(plan)
    result = simulate(plan, parts, tell=print if trace else None)
    _show_problems(result)
    print(f"seed {seed}: {'FAILED' if result.problems else 'held'}, {result.events} records, {result.steps} steps")
    return 1 if result.problems else 0


def _parts(planted: str | None) -> Parts:
    return REAL if planted is None else PLANTED[planted]


def _many(seeds: range, jobs: int, planted: str | None) -> int:
    started, struck, done, runs = time.perf_counter(), Counter[Kind](), 0, 0
    failed: list[Result] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with ProcessPoolExecutor(jobs) as pool, Progress(*columns) as progress:
        bar = progress.add_task("simulating", total=len(seeds))
        for results in _results(pool, seeds, jobs, planted):
            failed += [result for result in results if result.problems]
            struck.update(kind for result in results for kind in result.struck.elements())
            done += len(results)
            runs += sum(result.plan.runs for result in results)
            progress.update(bar, advance=len(results))
            if failed:
                break
    seconds = time.perf_counter() - started
    print(
        f"{done} seeds in {seconds:.1f} s, {done / seconds:.1f} a second, {runs} of them runs, the others costs;"
        f" of {struck.total()} faults:"
    )
    counts = [f"  {kind:<18}{n:>8}" for kind, n in struck.most_common()]
    print("\n".join("".join(counts[at : at + COLUMNS]) for at in range(0, len(counts), COLUMNS)))
    if failed:
        _explain(min(failed, key=lambda each: each.plan.seed), planted)
    return 1 if failed else 0


def _explain(result: Result, planted: str | None) -> None:
    """Print what failed, cut down to what it takes, and how to see it again."""
    seed = result.plan.seed
    print(f"seed {seed} FAILED; looking for less that fails, too …")
    logging.disable(logging.CRITICAL)
    plan = _small(result.plan, _parts(planted))
    _show(plan)
    traced: list[str] = []
    small = simulate(plan, _parts(planted), tell=traced.append)
    if len(traced) > TRACED:
        print(f"  … {len(traced) - TRACED} lines before")
    print("\n".join(f"  {line[:WIDTH]}" for line in traced[-TRACED:]))
    _show_problems(small)
    option = "" if planted is None else f" --planted '{planted}'"
    print(f"seed {seed} FAILED; again: python -m tests.simulation --seed {seed} --minimise --trace{option}")


def _small(plan: Plan, parts: Parts) -> Plan:
    return minimised(plan, lambda each: bool(simulate(each, parts).problems))


def _show(plan: Plan) -> None:
    """Print what matters of *plan*."""
    print(
        f"{plan.workers} workers, {plan.partitions} partitions, {plan.databases} databases; limits that are not usual:"
    )
    usual = ShellLimits()
    print(
        "  "
        + ", ".join(
            f"{each.name} {value}"
            for each in fields(plan.limits)
            if (value := getattr(plan.limits, each.name)) != getattr(usual, each.name)
        )
    )
    about = {name: getattr(plan, name) for name in ("runs", "live", "rich", "crowd", "settings", "foreign", "gaps")}
    about |= {name: getattr(plan, name) for name in ("killers", "poison", "refused", "entities_max")}
    print(", ".join(f"{name} {value}" for name, value in about.items()))
    print(
        f"{len(feed_of(plan).log)} records {'' if plan.cut is None else f'(those from {plan.cut[0]} to {plan.cut[1]})'}"
    )
    for fault in plan.faults:
        print(f"  after {fault.after} suspensions: {fault.kind}, {fault.seconds:.3f} s")


def _show_problems(result: Result) -> None:
    for problem in result.problems:
        print("\n".join(line[: 4 * WIDTH] for line in problem.splitlines()))


def _results(pool: ProcessPoolExecutor, seeds: range, jobs: int, planted: str | None) -> Iterator[list[Result]]:
    """Yield results batch by batch; what is not started when the caller stops is not run."""
    batches = iter([seeds[at : at + BATCH] for at in range(0, len(seeds), BATCH)])
    running: set[Future[list[Result]]] = set()
    try:
        while True:
            while len(running) < 2 * jobs and (batch := next(batches, None)) is not None:
                running.add(pool.submit(partial(run_batch, planted=planted), batch))
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for each in done:
                yield each.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def run_batch(seeds: range, planted: str | None = None) -> list[Result]:
    """Return the results of *seeds* up to the first that fails.

    The shell's warnings about what we do to it are not wanted here.
    """
    logging.disable(logging.CRITICAL)
    gc.set_threshold(*GC_THRESHOLDS)
    results = []
    for seed in seeds:
        results.append(simulate(draw(seed), _parts(planted)))
        if results[-1].problems:
            break
    return results


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":  # sets of strings must iterate alike in every run
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, "PYTHONHASHSEED": "0"})  # noqa: S606
    sys.exit(main())
