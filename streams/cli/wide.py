"""Tables for people: plain columns, never cut, as wide as they must be or folded."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from rich.console import Console
from rich.table import Column, Table

from engines.core.money import NANOUSD_PER_CENT, NANOUSD_PER_USD

_WIDTH_MIN: Final = 160
_NAME_MAX: Final = 40
_TEN_THOUSANDTH: Final = NANOUSD_PER_CENT // 100


def console(width_min: int = _WIDTH_MIN) -> Console:
    """Return standard output, wide enough for a table on a terminal that is not."""
    plain = Console()
    return Console(width=max(plain.width, width_min), highlight=False)


def print_folded(shown: Table) -> None:
    """Print *shown*; where a terminal is narrower, its last column takes more lines."""
    plain = Console(highlight=False)
    if not plain.is_terminal:
        console().print(shown)
        return
    shown.columns[-1].no_wrap = False
    shown.columns[-1].overflow = "fold"
    plain.print(shown)


def table(*head: str, right: Collection[str] = ()) -> Table:
    """Return an empty table; columns named in *right* hold numbers."""
    columns = (Column(name, justify="right" if name in right else "left", no_wrap=True) for name in head)
    return Table(*columns, box=None, padding=(0, 2, 0, 0), header_style="bold")


def usd(nanousd: int | None) -> str:
    """Return money for people, cut to cents; what is less than a dollar, to four places."""
    if nanousd is None:
        return "-"
    if 0 < nanousd < NANOUSD_PER_USD:
        return f"$0.{nanousd // _TEN_THOUSANDTH:04}"
    return f"${nanousd // NANOUSD_PER_USD:,}.{nanousd % NANOUSD_PER_USD // NANOUSD_PER_CENT:02}"


def second(instant: str) -> str:
    """Return an instant, as lines have it, without fractions of a second."""
    return f"{instant.removesuffix('Z').partition('.')[0]}Z"


def clean(name: str, length: int = _NAME_MAX) -> str:
    """Return *name* as a terminal may show it: it comes from records, and might hold anything."""
    shown = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name)
    return shown if len(shown) <= length else f"{shown[: length - 1]}…"
