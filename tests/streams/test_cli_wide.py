"""Tables for people: on a terminal that is narrow, and elsewhere."""

import os
import re
import subprocess
import sys

import pytest

_CODE = """
from streams.cli import wide
shown = wide.table("", "finding")
shown.add_row("WARN", "a long word " * 9)
wide.print_folded(shown)
"""


def printed(**environment: str) -> list[str]:
    ran = subprocess.run(
        [sys.executable, "-c", _CODE], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    return [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", ran.stdout).splitlines()]


@pytest.mark.parametrize("terminal, lines", [({"FORCE_COLOR": "1", "TERM": "xterm"}, 4), ({}, 2)])
def test_the_last_column_takes_more_lines_on_a_narrow_terminal_and_one_elsewhere(
    terminal: dict[str, str], lines: int
) -> None:
    shown = printed(COLUMNS="60", NO_COLOR="1", **terminal)
    assert len(shown) == lines
    assert all(len(line) <= 60 for line in shown) == bool(terminal)
    assert " ".join(" ".join(shown).split()) == "finding WARN " + " ".join(["a long word"] * 9)
