"""Run many seeds, or one in detail: ``python -m tests.simulation --seeds 2000`` or ``--seed 1234 --trace``."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tests.simulation.faults import Kind, draw
from tests.simulation.minimise import minimised
from tests.simulation.run import Result, simulate

BATCH = 20


def main() -> int:
    """Return the exit code: 1 when a seed failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many seeds")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--seed", type=int, help="run this one, and say what differs")
    parser.add_argument("--trace", action="store_true", help="with --seed: tell what happens on the way")
    parser.add_argument("--minimise", action="store_true", help="with --seed: look for a smaller plan that fails")
    parser.add_argument("--poisoned", action="store_true", help="with --seed: some records cannot be folded")
    given = parser.parse_args()
    if given.seed is not None:
        return _one(given.seed, trace=given.trace, minimise=given.minimise, poisoned=given.poisoned)
    return _many(range(given.first, given.first + given.seeds), given.jobs)


def _one(seed: int, *, trace: bool, minimise: bool, poisoned: bool) -> int:
    logging.basicConfig(level=logging.WARNING if trace else logging.CRITICAL, format="           %(message)s")
    plan = draw(seed)
    if minimise:
        plan = minimised(plan, lambda each: bool(simulate(each, poisoned=poisoned).problems))
    print(plan)
    result = simulate(plan, poisoned=poisoned, tell=_say if trace else None)
    for problem in result.problems:
        print(problem)
    print(f"seed {seed}: {'FAILED' if result.problems else 'held'}, {result.events} records, {result.steps} steps")
    return 1 if result.problems else 0


def _say(line: str) -> None:
    print(line)


def _many(seeds: range, jobs: int) -> int:
    started, struck, done = time.perf_counter(), Counter[Kind](), 0
    failed: list[Result] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with ProcessPoolExecutor(jobs) as pool, Progress(*columns) as progress:
        bar = progress.add_task("simulating", total=len(seeds))
        for results in _results(pool, seeds, jobs):
            failed += [result for result in results if result.problems]
            struck.update(kind for result in results for kind in result.struck.elements())
            done += len(results)
            progress.update(bar, advance=len(results))
            if failed:
                break
    seconds = time.perf_counter() - started
    print(f"{done} seeds in {seconds:.1f} s, {done / seconds:.1f} a second")
    print("faults: " + ", ".join(f"{kind} {n}" for kind, n in struck.most_common()))
    for result in sorted(failed, key=lambda each: each.plan.seed)[:1]:
        print("\n".join(result.problems))
        print(f"seed {result.plan.seed} FAILED; again: python -m tests.simulation --seed {result.plan.seed} --trace")
    return 1 if failed else 0


def _results(pool: ProcessPoolExecutor, seeds: range, jobs: int) -> Iterator[list[Result]]:
    """Yield results batch by batch; what is not started when the caller stops is not run."""
    batches = iter([seeds[at : at + BATCH] for at in range(0, len(seeds), BATCH)])
    running: set[Future[list[Result]]] = set()
    try:
        while True:
            while len(running) < 2 * jobs and (batch := next(batches, None)) is not None:
                running.add(pool.submit(run_batch, batch))
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for each in done:
                yield each.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def run_batch(seeds: range) -> list[Result]:
    """Return the results of *seeds*; the shell's warnings about what we do to it are not wanted here."""
    logging.disable(logging.CRITICAL)
    return [simulate(draw(seed)) for seed in seeds]


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":  # sets of strings must iterate alike in every run
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, "PYTHONHASHSEED": "0"})  # noqa: S606
    sys.exit(main())
