"""``outlay backtest``: the calibrated predictions told again on a file, scored beside simple ways of telling."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from engines.prediction.scores import Bin
    from streams.backtest.failures import FailureReport
    from streams.backtest.overrun import OverrunReport
    from streams.backtest.read import Counts, RunReader, SpendReader


EXAMPLES: Final = """\b
Examples:
  outlay backtest runs.jsonl.gz --target failures
  outlay backtest calls.jsonl.gz --target overrun --by feature --plot months.png
  outlay backtest calls.jsonl.gz --target overrun --budget-cents 50000 --json
"""


class Target(StrEnum):
    """What is to be told."""

    failures = "failures"
    overrun = "overrun"


class ByOption(StrEnum):
    """Whose spend is one series."""

    tenant = "tenant"
    feature = "feature"
    user = "user"
    model = "model"
    worker = "worker"


Shown = Callable[[str, int, int | None], None]


def backtest(
    file: Annotated[str, typer.Argument(metavar="FILE", help="JSON lines, .gz, or - for standard input.")],
    *,
    target: Annotated[Target, typer.Option(help="What to tell: runs that fail, or what a month will cost.")],
    by: Annotated[ByOption, typer.Option(help="overrun: whose spend is one series.")] = ByOption.tenant,
    budget_cents: Annotated[
        int | None, typer.Option(min=1, help="overrun: a monthly budget [0.8, 1 and 1.25 times what is usual].")
    ] = None,
    train_share: Annotated[
        float, typer.Option(min=0.05, max=0.95, help="The share of the file's time that is not scored.")
    ] = 0.5,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw it, too: .png, .svg or .pdf.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The scores as one JSON object.")] = False,
) -> None:
    """Tell failures of runs, or the end of months, again from what was known before each; print how good it was.

    failures reads run-completed, run-failed, run-crashed; overrun reads cost records, or runs that have cost_cents.
    A line that cannot be read ends it.
    """
    if plot is not None:
        from streams.demo.plot import refuse_plot

        refuse_plot(plot)
    with _progress() as shown:
        if target is Target.failures:
            _failures(file, train_share, plot, shown, as_json=as_json)
        else:
            _overrun(file, by, budget_cents, train_share, plot, shown, as_json=as_json)


def _failures(file: str, train_share: float, plot: Path | None, shown: Shown, *, as_json: bool) -> None:
    from streams.backtest import failures
    from streams.backtest.read import RunReader

    reader = RunReader()
    _read(file, reader, shown)
    report = failures.backtest(reader.runs, train_share, lambda done, of: shown("told", done, of))
    if plot is not None:
        from streams.backtest.plot import plot_failures

        plot_failures(plot, report)
    if as_json:
        _print_json(report, reader.counts)
    else:
        _show_failures(report, reader.counts)


def _overrun(
    file: str,
    by: ByOption,
    budget_cents: int | None,
    train_share: float,
    plot: Path | None,
    shown: Shown,
    *,
    as_json: bool,
) -> None:
    from drivers.prices import Prices
    from engines.core.money import NANOUSD_PER_CENT
    from streams.backtest import overrun
    from streams.backtest.read import SpendReader

    reader = SpendReader(by.value, Prices())
    _read(file, reader, shown)
    budget = None if budget_cents is None else budget_cents * NANOUSD_PER_CENT
    report, held_out = overrun.backtest(
        reader.series(), train_share, lambda done, of: shown("months", done, of), budget
    )
    if plot is not None:
        from streams.backtest.plot import plot_overrun

        plot_overrun(plot, report, held_out)
    if as_json:
        _print_json(report, reader.counts)
    else:
        _show_overrun(report, reader.counts)


def _read(file: str, into: RunReader | SpendReader, shown: Shown) -> None:
    from streams.cli import once
    from streams.lines import LineReader

    async def read() -> None:
        lines = LineReader([file])
        try:
            while block := await lines.take():
                for line in block.lines:
                    into.add(line.value, lines.place(line))
                shown("bytes read", block.bytes_read, lines.total_bytes)
        finally:
            lines.stop()

    once.run(read())


def _print_json(report: FailureReport | OverrunReport, counts: Counts) -> None:
    import msgspec

    found = {"lines": msgspec.to_builtins(counts), **msgspec.to_builtins(report)}
    print(json.dumps(found, separators=(",", ":"), sort_keys=True))


def _show_failures(report: FailureReport, counts: Counts) -> None:
    from streams.cli.wide import console, table

    out = console()
    _show_counts(counts)
    out.print(
        f"{report.runs:,} finished runs; the first {report.first_part:,} ({report.failed_first} failed) are not "
        f"scored, the {report.held_out:,} from {report.held_out_from} to {report.until} are "
        f"({report.failed_held_out} failed)."
    )
    shown = table("told before each run", "Brier", "skill", "log loss", "mean told", right=_NUMBERS)
    for score in report.scores:
        shown.add_row(
            score.name, f"{score.brier:.5f}", _signed(score.skill), f"{score.log_loss:.4f}", f"{score.told_mean:.4f}"
        )
    out.print(shown)
    out.print(f"\nReliability of {report.scores[0].name}: of runs told p, a share of p should fail.")
    _show_bins(report.reliability, "runs", "failed")


def _show_overrun(report: OverrunReport, counts: Counts) -> None:
    from streams.cli.wide import console, table

    out = console()
    _show_counts(counts)
    out.print(
        f"{report.series} series; months not scored: {_span(report.first_months)}; held out: "
        f"{_span(report.held_out_months)}, one forecast a day and series: {report.forecasts:,}."
    )
    head = ("spend of the days left", "coverage", "below", "above", "width", "interval score", "error")
    shown = table(*head, right=_NUMBERS)
    for score in report.intervals:
        cells = (score.coverage, score.below, score.above, score.width, score.score, score.error)
        shown.add_row(score.name, *("-" if cell is None else f"{cell:.3f}" for cell in cells))
    out.print(shown)
    out.print(f"Coverage should be {report.share:.2f}; width, score and error are in usual months.\n")
    shown = table("days left", "forecasts", "coverage", right=_NUMBERS)
    for row in report.coverage:
        shown.add_row(f"{row.days_from} to {row.days_to}", f"{row.forecasts:,}", f"{row.coverage:.3f}")
    out.print(shown)
    if not report.budgets:
        out.print("\nNo series was known for a month before the held-out ones: no budget to tell of.")
        return
    out.print(f"\n{report.budget_cases:,} times a budget was not overrun yet; {report.overruns:,} times it was then.")
    shown = table("told: overrun by the month's end", "Brier", "skill", "log loss", "mean told", right=_NUMBERS)
    for one in report.budgets:
        shown.add_row(one.name, f"{one.brier:.4f}", _signed(one.skill), f"{one.log_loss:.3f}", f"{one.told_mean:.3f}")
    out.print(shown)
    out.print(f"\nReliability of {report.budgets[0].name}:")
    _show_bins(report.reliability, "told", "overrun")


_NUMBERS = (
    *("Brier", "skill", "log loss", "mean told", "coverage", "below", "above", "width", "interval score", "error"),
    *("forecasts", "runs", "told", "failed", "overrun", "mean"),
)


def _show_bins(bins: Sequence[Bin], what: str, happened: str) -> None:
    from streams.cli.wide import console, table

    shown = table("probability", what, "mean", happened, right=_NUMBERS)
    for row in bins:
        name = f"{row.low:g} to {row.high:g}"
        shown.add_row(name, f"{row.told:,}", f"{row.told_mean:.4f}", f"{row.happened_mean:.4f}")
    console().print(shown)


def _show_counts(counts: Counts) -> None:
    aside = {
        "repeated": counts.repeated,
        "started only": counts.not_ended,
        "without a price": counts.unpriced,
        "of no such entity": counts.without_entity,
    }
    told = ", ".join(f"{number:,} {name}" for name, number in aside.items() if number)
    print(f"{counts.lines:,} events{f'; left out: {told}' if told else ''}")


def _signed(number: float | None) -> str:
    return "-" if number is None else f"{number:+.3f}"


def _span(months: Sequence[str]) -> str:
    return months[0] if len(months) == 1 else f"{months[0]} to {months[-1]} ({len(months)})"


@contextmanager
def _progress() -> Iterator[Shown]:
    """Show progress on stderr if that is a terminal; the yielded function takes what is counted, how many, of all."""
    if not sys.stderr.isatty():
        yield lambda _what, _done, _of: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=None)
        yield lambda what, done, of: bar.update(task, completed=done, total=of, description=f"{what} {done:,}")
