"""``outlay replay``: files through the same rules as a worker, in memory, to look at what comes out."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from engines.core.model import SettingRow
    from engines.core.ports import Domain
    from engines.cost.setting_lines import Kind, SettingLine
    from streams.replay import Replayed

_STDOUT = "-"
_RUNS: Final = "run-"
"""What the types of all events of runs begin with."""
EXAMPLES: Final = """\b
Examples:
  outlay replay --in-memory calls.jsonl
  outlay replay --in-memory calls.jsonl.gz --facts facts.jsonl --late late.jsonl --json
  outlay replay --in-memory calls.jsonl --budgets budgets.jsonl --rules reference --facts -
  outlay replay --in-memory calls.jsonl runs.jsonl --close-all --feedback feedback.jsonl --predictions -
"""


class ProfileOption(StrEnum):
    """The profiles of the cost rules."""

    standard = "standard"
    reference = "reference"


def replay(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="JSON lines, .gz, or - for standard input.")],
    *,
    in_memory: Annotated[
        bool, typer.Option("--in-memory", help="Keep state in memory (the only way there is).")
    ] = False,
    facts: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write the facts here; - is standard output.")
    ] = None,
    snapshots: Annotated[str | None, typer.Option(metavar="FILE", help="Write the snapshots here.")] = None,
    anomalies: Annotated[str | None, typer.Option(metavar="FILE", help="Write the anomalies here.")] = None,
    feedback: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write the failure patterns and cost spikes of runs here.")
    ] = None,
    predictions: Annotated[str | None, typer.Option(metavar="FILE", help="Write the predictions here.")] = None,
    dead: Annotated[str | None, typer.Option(metavar="FILE", help="Write the dead letters here.")] = None,
    late: Annotated[str | None, typer.Option(metavar="FILE", help="Write what came too late here.")] = None,
    rules: Annotated[ProfileOption, typer.Option(help="Profile of the cost rules.")] = ProfileOption.standard,
    budgets: Annotated[
        str | None, typer.Option(metavar="FILE", help="Budgets, as JSON lines, known before the first record.")
    ] = None,
    tags: Annotated[str | None, typer.Option(metavar="FILE", help="Feature tags, likewise.")] = None,
    calibrated: Annotated[bool, typer.Option("--calibrated", help="Also tell the calibrated predictions.")] = False,
    partitions: Annotated[int, typer.Option(min=1, max=10_000, help="Partitions of each topic played.")] = 1,
    close_all: Annotated[
        bool,
        typer.Option(
            "--close-all",
            help="At the end close all days with records, all hours with something due.",
        ),
    ] = False,
    now: Annotated[
        str | None, typer.Option(metavar="T", help="Append time of all records, e.g. 2026-01-31T12:00:00Z [the clock].")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The summary as one JSON object.")] = False,
) -> None:
    """Play events from files, in the order given, and show what a worker would have made of them.

    Cost records and events of runs may be mixed: their types say which they are. What has no type is a cost record.
    Outputs are JSON lines, one for each id in its last state, sorted, the same for any order of the input within grace.
    Blank lines are ignored. The exit code is 1 when not every event came to exactly one end.
    """
    told = {"facts": facts, "snapshots": snapshots, "anomalies": anomalies}
    outputs = {**told, "feedback": feedback, "predictions": predictions, "dead": dead, "late": late}
    wanted = {name: path for name, path in outputs.items() if path is not None}
    if not in_memory:
        raise typer.BadParameter("say --in-memory: replay into a database does not exist", param_hint="replay")
    _refuse_outputs(wanted, [*files, *(path for path in (budgets, tags) if path is not None)])
    now_ms = _now_ms(now)
    settings = _settings({"budget": budgets, "tag": tags})

    from streams.cli import once

    domains = _domains(rules.value, calibrated=calibrated)
    replayed, lines = once.run(_play(files, domains, settings, partitions, now_ms, close_all, wanted))
    for name, path in wanted.items():
        _write(path, getattr(replayed, name))
    adds_up = replayed.adds_up and replayed.counts.get("events", 0) == lines
    summary = summed_up(replayed, rules.value)
    out = sys.stderr if _STDOUT in wanted.values() else sys.stdout
    if as_json:
        print(json.dumps(summary, separators=(",", ":"), sort_keys=True), file=out)
    else:
        _show(summary, adds_up=adds_up, aside=out is sys.stderr)
    if summary["late"]:
        print(_late(summary["late"], listed="late" in wanted), file=sys.stderr)
    if not adds_up:
        print(f"outlay: of {lines} events not every one came to exactly one end: this is a bug", file=sys.stderr)
        raise typer.Exit(1)


def _domains(rules: str, *, calibrated: bool) -> tuple[Domain, Domain]:
    """Return those of costs and of runs."""
    from engines.cost.fold import FoldLimits
    from engines.runs.domain import RunsDomain
    from streams import app

    return app.cost_domain(rules, FoldLimits(forecasts=calibrated)), RunsDomain(calibrated=calibrated)


async def _play(
    files: Sequence[str],
    domains: tuple[Domain, Domain],
    settings: Sequence[SettingRow],
    partitions: int,
    now_ms: int,
    close_all: bool,
    wanted: Collection[str],
) -> tuple[Replayed, int]:
    """Return the end of the replay and the number of lines that are not blank."""
    from streams.lines import LineReader
    from streams.replays import Replays

    costs, runs = domains
    playing = Replays(
        costs,
        {_RUNS: runs},
        partitions,
        now_ms,
        settings=settings,
        keep_dead="dead" in wanted,
        keep_snapshots="snapshots" in wanted,
    )
    lines = done = 0
    readers = [
        LineReader([name]) for name in files
    ]  # all now: one that is not there should not be found out in an hour
    sizes = [reader.total_bytes for reader in readers]
    with _progress(None if None in sizes else sum(size or 0 for size in sizes)) as show:
        await playing.start()
        for reader, size in zip(readers, sizes, strict=True):
            while block := await reader.take():
                lines += len(block.lines)
                await playing.feed(line.value for line in block.lines)
                show(done + block.bytes_read, lines)
            done += size or 0
        return await playing.finish(close_all=close_all), lines


def summed_up(replayed: Replayed, rules: str) -> dict[str, object]:
    """Return the summary of a replay (CONTRACT §5)."""
    from importlib.metadata import version

    from engines.cost.rules import PROFILES, ProfileName, Rules
    from streams import fates
    from streams.cli.status import under

    counts = replayed.counts
    events = counts.get(fates.EVENTS, 0)
    names = (fates.EVENTS, *fates.FATES, fates.CONFLICTING, fates.RESTATED)
    return {
        **{name: counts.get(name, 0) for name in names},
        "unpriced": under("unpriced.", counts),
        "facts": dict(sorted(replayed.facts_by_type.items())),
        **_by_type("feedback", replayed.feedback, "pattern_type"),
        **_by_type("predictions", replayed.predictions, "prediction_type"),
        "rules": Rules(PROFILES[ProfileName(rules)]).line(),
        "genai_prices": version("genai-prices"),
        "events_per_second": round(events / replayed.seconds) if replayed.seconds else 0,
    }


def _by_type(name: str, lines: Sequence[bytes], member: str) -> dict[str, object]:
    """Return, under *name*, how many of *lines* are of each type; nothing where there are none, as without runs."""
    types = Counter(json.loads(line)[member] for line in lines)
    return {name: dict(sorted(types.items()))} if types else {}


def _settings(files: Mapping[Kind, str | None]) -> list[SettingRow]:
    """Return the rows that *files* hold, by kind; one that cannot be read or is not valid is told now."""
    from engines.core.errors import OutlayError
    from engines.core.model import SettingRow
    from engines.cost.setting_lines import read_lines

    lines: list[SettingLine] = []
    for kind, file in files.items():
        if file is None:
            continue
        try:
            data = Path(file).read_bytes()
        except OSError as error:
            raise OutlayError(f"{file}: {error.strerror}") from error
        lines += read_lines(kind, data, file)
    return [SettingRow(seq, *line.setting()) for seq, line in enumerate(lines, 1)]


def _late(n: object, *, listed: bool) -> str:
    said = f"outlay: {n} record{'s' if n != 1 else ''} came too late to be counted"
    return said if listed else f"{said}; --late FILE lists what came too late"


def _refuse_outputs(wanted: Mapping[str, str], files: Sequence[str]) -> None:
    """Find out now, and not after an hour of work, that an output cannot be written; and never write over an input."""
    if len(set(wanted.values())) < len(wanted):
        raise typer.BadParameter("two outputs go to the same place")
    inputs = [Path(file) for file in files if file != _STDOUT and Path(file).exists()]
    for name, path in ((name, Path(path)) for name, path in wanted.items() if path != _STDOUT):
        if path.is_dir() or not os.access(path.parent, os.W_OK):
            raise typer.BadParameter(f"{path}: cannot be written", param_hint=f"--{name}")
        if path.exists() and any(path.samefile(file) for file in inputs):
            raise typer.BadParameter(f"{path}: is an input, too", param_hint=f"--{name}")


def _now_ms(now: str | None) -> int:
    import time

    from engines.core.time import parse_instant

    if now is None:
        return time.time_ns() // 1_000_000
    try:
        return parse_instant(now) // 1000
    except ValueError as error:
        raise typer.BadParameter(f"{now!r} {error}", param_hint="--now") from error


def _write(path: str, lines: Sequence[bytes]) -> None:
    from engines.core.errors import OutlayError

    try:
        if path == _STDOUT:
            sys.stdout.flush()
            sys.stdout.buffer.writelines(line + b"\n" for line in lines)
            sys.stdout.buffer.flush()
            return
        with Path(path).open("wb") as file:
            file.writelines(line + b"\n" for line in lines)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutlayError(f"{path}: {error.strerror}") from error


@contextmanager
def _progress(total: int | None) -> Iterator[Callable[[int, int], None]]:
    """Show progress on stderr if that is a terminal; the yielded function takes bytes read and events."""
    if not sys.stderr.isatty():
        yield lambda _bytes, _events: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), BarColumn(), TextColumn("{task.fields[events]:,} events"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("replay", total=total, events=0)
        yield lambda read, events: bar.update(task, completed=read, events=events)


def _show(summary: Mapping[str, object], *, adds_up: bool, aside: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(stderr=aside)
    table = Table(show_header=False)
    for name, value in summary.items():
        table.add_row(name, _plain(value))
    console.print(table)
    if adds_up:
        console.print("accepted + duplicates + dead + late + forwarded = events", highlight=False)


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(item) if item != {} else '-'}" for name, item in value.items()) or "-"
    return f"{value:,}" if isinstance(value, int) else str(value)
