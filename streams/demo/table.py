"""The facts as a table: one line each where there is room, else two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.table import Column, Table

from streams.demo.board import Fact
from streams.demo.words import usd, what, why

WIDE: Final = 190
"""So many columns hold a fact on one line."""
_HEAD: Final = ("when", "who", "what", "severity", "cause", "spent", "expected", "deviation", "status")
_HEAD_OF_TWO: Final = ("when", "who", "what", "cause", "spent")
_NUMBERS: Final = ("spent", "expected", "deviation")
_MONEY_WIDTH: Final = 9
_WHEN_WIDTH: Final = len("2025-09-30")
_COLOURS: Final = {"final": "bold red", "provisional": "yellow", "withdrawn": "dim"}


def lines(width: int) -> int:
    """Return how many lines of a terminal of *width* columns a fact takes."""
    return 1 if width >= WIDE else 2


def table(facts: Sequence[Fact], width: int) -> Table:
    """Return *facts* as a table for *width* columns."""
    one_line = lines(width) == 1
    columns = (
        Column(name, justify="right", no_wrap=True, min_width=_MONEY_WIDTH)
        if name in _NUMBERS
        else Column(name, no_wrap=True, min_width=_WHEN_WIDTH if name == "when" else None)
        for name in (_HEAD if one_line else _HEAD_OF_TWO)
    )
    made = Table(*columns, header_style="bold", box=None, padding=(0, 2, 0, 0))
    for fact in facts:
        made.add_row(*(cells(fact) if one_line else on_two_lines(fact)), style=_COLOURS.get(fact.status, ""))
    return made


def cells(fact: Fact) -> tuple[str, ...]:
    """Return *fact* as a row of the table: a day or month, whose, which anomaly, why, and the money."""
    who = fact.tenant_id if fact.entity_type == "tenant" else f"{fact.tenant_id} {fact.entity_type} {fact.entity_id}"
    return (
        fact.day[:7] if fact.period == "monthly" else fact.day,
        who,
        what(fact),
        fact.severity,
        why(fact),
        usd(fact.current_nanousd or 0),
        "-" if fact.expected_nanousd is None else usd(fact.expected_nanousd),
        "-" if fact.budget is not None else f"{fact.deviation_pct:+.0f} %",
        f"{fact.status}, restated" if fact.restated else fact.status,
    )


def on_two_lines(fact: Fact) -> tuple[str, ...]:
    """Return *fact* as a row of five columns, each cell of two lines."""
    when, who, kind, severity, cause, spent, expected, _, status = cells(fact)
    name, _, more = kind.partition(", ")
    return (
        f"{when}\n{severity}",
        who.replace(" ", "\n", 1),
        f"{name}\n{more}, {status}" if more else f"{name}\n{status}",
        cause.replace(": ", "\n", 1),
        f"{spent}\nof {expected}",
    )
