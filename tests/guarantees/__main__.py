"""Break each promise in a copy of the project, and see that its test notices: ``make prove``.

Exit code 1 when a break goes unnoticed, or a test that should run does not.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.guarantees.promise import Break, Promise
from tests.guarantees.promises import PROMISES

_ROOT: Final = Path(__file__).parents[2]
_COPIED: Final = ("streams", "engines", "drivers", "tests", "examples", "docs")
_FILES: Final = ("pyproject.toml", "topics.yaml", "README.md")
_LIMIT_S: Final = 900
_FAILED: Final = 1  # pytest: tests ran, and some failed
_FELL_OVER: Final = re.compile(r"^ERROR tests/", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one break; *noticed* None: the test did not run."""

    promise: Promise
    broken: Break
    noticed: bool | None
    took_s: float
    said: str


def main() -> int:
    """Try every break, print a table, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.guarantees", description=__doc__)
    parser.add_argument("--only", default="", metavar="WORDS", help="promises whose title contains WORDS")
    chosen = parser.parse_args().only.lower()
    promises = [promise for promise in PROMISES if chosen in promise.title.lower()]
    with tempfile.TemporaryDirectory(prefix="outlay-prove-") as folder:
        trials = _tried(promises, _copy(Path(folder)))
    Console().print(_table(trials))
    missed = [trial for trial in trials if not trial.noticed]
    for trial in missed:
        sys.stdout.write(f"\n{trial.promise.title}: {trial.broken.says}\n{trial.said[-4_000:]}\n")
    return 1 if missed or not trials else 0


def _copy(folder: Path) -> Path:
    for name in _COPIED:
        shutil.copytree(_ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in _FILES:
        shutil.copy2(_ROOT / name, folder / name)
    (folder / ".stack").symlink_to(_ROOT / ".stack")  # where the servers are
    return folder


def _tried(promises: Iterable[Promise], folder: Path) -> list[Trial]:
    pairs = [(promise, broken) for promise in promises for broken in promise.breaks]
    trials = []
    with Progress(transient=True) as progress:
        task = progress.add_task("breaking", total=len(pairs))
        for promise, broken in pairs:
            progress.update(task, description=broken.says)
            trials.append(_try(promise, broken, folder))
            progress.advance(task)
    return trials


def _try(promise: Promise, broken: Break, folder: Path) -> Trial:
    path = folder / broken.path
    whole = path.read_text()
    path.write_text(whole.replace(broken.old, broken.new))
    began = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--tb=short", broken.caught_by]
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        ran = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:  # a test that never ends has not said what is wrong
        return Trial(promise, broken, None, time.monotonic() - began, f"no end within {_LIMIT_S} s")
    finally:
        path.write_text(whole)
    noticed = {0: False, _FAILED: True}.get(ran.returncode)
    if noticed and _FELL_OVER.search(ran.stdout):  # before it began: that proves nothing
        noticed = None
    return Trial(promise, broken, noticed, time.monotonic() - began, ran.stdout + ran.stderr)


def _table(trials: Iterable[Trial]) -> Table:
    table = Table("promise", "broken", "noticed by", "s", title="what happens when a promise is broken")
    words = {True: "", False: "[red]NOT NOTICED[/] by ", None: "[red]DID NOT RUN[/]: "}
    for trial in trials:
        test = trial.broken.caught_by.replace("::", " ")
        table.add_row(trial.promise.title, trial.broken.says, words[trial.noticed] + test, f"{trial.took_s:.0f}")
    return table


if __name__ == "__main__":
    sys.exit(main())
