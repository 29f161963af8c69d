"""Tables for people: plain columns, never cut, as wide as they must be."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from rich.console import Console
from rich.table import Column, Table

_WIDTH_MIN: Final = 160


def console() -> Console:
    """Return standard output, wide enough for a table on a terminal that is not."""
    plain = Console()
    return Console(width=max(plain.width, _WIDTH_MIN), highlight=False)


def table(*head: str, right: Collection[str] = ()) -> Table:
    """Return an empty table; columns named in *right* hold numbers."""
    columns = (Column(name, justify="right" if name in right else "left", no_wrap=True) for name in head)
    return Table(*columns, box=None, padding=(0, 2, 0, 0), header_style="bold")
