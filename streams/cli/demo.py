"""``outlay demo``: everything at once, on this machine, with nothing else installed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

_INTERRUPTED = 130
EXAMPLES: Final = """\b
Examples:
  outlay demo
  outlay demo --seed 7 --keep
  outlay demo --plot spend.png
  outlay demo --data calls.jsonl.gz
"""


def demo(
    *,
    data: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="Play these events instead; .gz too; may be repeated.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Which weeks to make up.")] = 1,
    keep: Annotated[bool, typer.Option("--keep", help="Stay up afterwards, and say how to look around.")] = False,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw spend, baselines and facts: .png, .svg or .pdf. Needs the extra plot."),
    ] = None,
) -> None:
    """Start PostgreSQL, a broker and a worker, publish five weeks of costs and runs, and show what comes of it.

    Nothing but Python is needed and nothing is left behind. The exit code is 0 only if everything planted is found with
    its cause, nothing else is reported, all totals are exact, and a replay in memory tells the same of the runs.
    """
    from streams.cli import once
    from streams.demo import run

    once.quiet()
    extras = run.Extras(keep=keep, plot=plot)
    try:
        holds = run.run_files(data, extras) if data else run.run_month(seed, extras)
    except KeyboardInterrupt:
        print("outlay: interrupted", file=sys.stderr)
        raise typer.Exit(_INTERRUPTED) from None
    if not holds:
        raise typer.Exit(1)
