"""What is told of runs as a table: one line each where there is room, else two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.table import Column, Table
from rich.text import Text

from streams.cli import wide
from streams.demo.notices import Notice, says
from streams.demo.table import lines

_HEAD: Final = ("since", "worker", "what", "says", "status")
_HEAD_OF_TWO: Final = ("since", "worker", "what", "says")
_CUT: Final = "says"
_GAP: Final = 2
_TEXT_MAX: Final = 300
_SINCE: Final = len("2025-09-30T12:34")
_COLOURS: Final = {"active": "bold red", "provisional": "yellow", "final": "red"}


def table(notices: Sequence[Notice], width: int) -> Table:
    """Return *notices* as a table for *width* columns; the last words of an error may be cut."""
    one_line = lines(width) == 1
    head = _HEAD if one_line else _HEAD_OF_TWO
    rows = [cells(notice) if one_line else on_two_lines(notice) for notice in notices]
    widths = {name: _widest([name, *(row[at] for row in rows)]) for at, name in enumerate(head)}
    room = width - sum(widths.values()) - _GAP * len(widths)
    widths[_CUT] = max(widths[_CUT] + min(room, 0), len(_CUT))
    columns = (Column(name, no_wrap=True, width=widths[name]) for name in head)
    made = Table(*columns, header_style="bold", box=None, padding=(0, _GAP, 0, 0))
    for notice, row in zip(notices, rows, strict=True):
        made.add_row(*map(Text, row), style=_COLOURS.get(notice.status, "dim"))
    return made


def _widest(told: Sequence[str]) -> int:
    return max(len(line) for cell in told for line in cell.splitlines())


def cells(notice: Notice) -> tuple[str, ...]:
    """Return *notice* as a row of the table: since when, whose worker, what it is, in numbers, and how it stands."""
    who, told = (wide.clean(text, _TEXT_MAX) for text in (f"{notice.tenant_id} {notice.worker_id}", says(notice)))
    return (notice.since[:_SINCE].replace("T", " "), who, notice.kind, told, notice.status)


def on_two_lines(notice: Notice) -> tuple[str, ...]:
    """Return *notice* as a row of four columns, each cell of two lines."""
    since, who, kind, told, status = cells(notice)
    separator = ": " if ": " in told else "; "
    return (since.replace(" ", "\n"), who.replace(" ", "\n", 1), f"{kind}\n{status}", told.replace(separator, "\n", 1))
