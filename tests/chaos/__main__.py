"""The fault programme: ``python -m tests.chaos --minutes 30 --seed 1``, some of it with ``--only kills,rewinds``."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from random import SystemRandom

from rich.console import Console
from rich.table import Table

from tests.chaos.arena import SHORT
from tests.chaos.programme import FAULTS, MINUTES, Row, rows
from tests.stack import Stack
from tests.stack.supervise import Interrupted, interruptions

_BROKEN_CHARS = 6_000
_COLUMNS = ("fault", "times", "kills", "events", "lost", "double", "differing", "longest stall", "took", "")
_WIDTH = 160


def main() -> int:
    """Return the exit code: 1 when something is lost, counted twice or told wrongly, or a claim does not hold."""
    given = _arguments()
    scale = SHORT if given.short else given.minutes / MINUTES
    seed = SystemRandom().randrange(10**6) if given.seed is None else given.seed
    only = [name for name in (given.only or "").split(",") if name]
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH)
    if unknown := set(only) - {fault.name for fault in FAULTS}:
        console.print(f"no such fault: {', '.join(sorted(unknown))}; see --help")
        return 2
    folder = Path(tempfile.mkdtemp(prefix="outlay-chaos-"))
    try:
        with interruptions():
            found = _run(console, folder, seed, scale, only, given.databases)
    except Interrupted as interruption:
        shutil.rmtree(folder, ignore_errors=True)
        return 128 + interruption.number
    console.print(_table(found, seed, scale))
    if given.json:
        told = {
            "seed": seed,
            "scale": scale,
            "databases": given.databases,
            "rows": [asdict(row) | {"holds": row.holds} for row in found],
        }
        given.json.write_text(json.dumps(told, indent=1))
    if failed := [row.fault for row in found if not row.holds]:
        how = "--short" if given.short else f"--minutes {given.minutes:g}"
        how += f" --databases {given.databases}" if given.databases > 1 else ""
        console.print(f"FAILED; again: python -m tests.chaos {how} --seed {seed} --only {','.join(failed)}")
        console.print(f"what its processes said: {folder}")
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES, help="how long the whole takes, about")
    parser.add_argument("--seed", type=int, help="of what is drawn; at random when not given")
    parser.add_argument("--only", metavar="NAME,…", help=", ".join(fault.name for fault in FAULTS))
    parser.add_argument("--short", action="store_true", help="as small as in the tests")
    parser.add_argument("--databases", type=int, default=1, metavar="N", help="spread the partitions over so many")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there, too")
    return parser.parse_args()


def _run(console: Console, folder: Path, seed: int, scale: float, only: Sequence[str], databases: int) -> list[Row]:
    """Run the faults, and show what is done meanwhile: a status line on a terminal, lines elsewhere."""
    began, found = time.monotonic(), []
    console.print(f"seed {seed}, {scale * MINUTES:.3g} minutes")
    with console.status("starts servers") as status, Stack.private(folder / "servers") as servers:

        def say(fault: str, what: str) -> None:
            line = f"{_clock(time.monotonic() - began)} {fault}: {what}"
            if console.is_terminal:
                status.update(line)
            else:
                console.print(line, soft_wrap=True, markup=False)

        for row in rows(folder, seed, scale, only, servers, say, databases):
            found.append(row)
            said = "holds" if row.holds else "FAILED"
            console.print(f"{_clock(time.monotonic() - began)} {row.fault}: {said} after {row.took_s:.0f} s")
            if row.broken:
                console.print(row.broken[-_BROKEN_CHARS:], markup=False, soft_wrap=True)
    return found


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60:02}:{int(seconds) % 60:02}"


def _table(found: Sequence[Row], seed: int, scale: float) -> Table:
    table = Table(title=f"seed {seed}, {scale * MINUTES:.3g} minutes", title_justify="left")
    for name in _COLUMNS:
        table.add_column(name, justify="right" if name not in {"fault", ""} else "left", overflow="fold")
    for row in found:
        one = row.outcome
        if one is None:
            last = row.broken.strip().splitlines()[-1][:200]
            table.add_row(row.fault, *[""] * 7, f"{row.took_s:.0f} s", f"a claim does not hold: {last}", style="red")
            continue
        numbers = (one.times, one.kills, one.events, one.lost, one.double, one.differing)
        style = None if one.holds else "red"
        cells = (*(f"{n}" for n in numbers), f"{one.stall_s:.1f} s", f"{row.took_s:.0f} s")
        table.add_row(row.fault, *cells, one.note, style=style)
    done = [row.outcome for row in found if row.outcome is not None]
    sums = [sum(getattr(one, name) for one in done) for name in _COLUMNS[1:7]]
    table.add_section()
    table.add_row("all", *map(str, sums), f"{max((one.stall_s for one in done), default=0):.1f} s")
    return table


if __name__ == "__main__":
    sys.exit(main())
