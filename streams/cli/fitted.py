"""Tables for a screen that may be narrow: columns go before names are cut short, and numbers are never cut."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from streams.cli import wide

_NAME_MIN: Final = 16
"""So much of each name is worth more than a column that can be done without."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A table that is told how wide it may be when it is drawn.

    Attributes:
        head: the columns.
        rows: cells and style of each line.
        names: columns that may be cut; of two the longer one is.
        spare: columns that can be done without, the first to go first.
        right: columns of numbers.
    """

    head: Sequence[str]
    rows: Sequence[tuple[Sequence[str], str]]
    names: Collection[str]
    spare: Sequence[str]
    right: Collection[str]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw what fits; rich asks for it."""
        widths = {name: max(map(cell_len, cells)) for name, cells in zip(self.head, self._columns(), strict=True)}
        if sum(widths.values()) + 2 * len(widths) <= options.max_width:
            yield self._table(self.head, gap=2)
            return
        least = {name: min(width, _NAME_MIN) if name in self.names else width for name, width in widths.items()}
        left_out = set[str]()
        for name in self.spare:
            if sum(width + 1 for kept, width in least.items() if kept not in left_out) <= options.max_width:
                break
            left_out.add(name)
        yield self._table([name for name in self.head if name not in left_out], gap=1)

    def _columns(self) -> Iterable[Sequence[str]]:
        return zip(self.head, *(cells for cells, _ in self.rows), strict=True)

    def _table(self, head: Sequence[str], gap: int) -> Table:
        table = wide.table(*head, right=self.right)
        table.padding = (0, gap, 0, 0)
        for column in table.columns:
            column.no_wrap = column.header not in self.names
        for cells, style in self.rows:
            kept = (cell for name, cell in zip(self.head, cells, strict=True) if name in head)
            table.add_row(*(Text(cell, no_wrap=True, overflow="ellipsis") for cell in kept), style=style)
        return table
