"""How cost pages are laid out in bytes: the structs of the newest layout (``engines.cost.packing``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from engines.cost.pages import BASE, DAY, HOUR, LEDGER, MONTH, SERIES

# msgpack integers end at 64 bits; totals and sums of money need not. Totals travel as bytes, money as text.
Number = int | str
StoredTotals = Mapping[str, tuple[dict[str, bytes], dict[str, bytes]]]
"""entity type → the upper bits of each total, and the rare lower bits of those that have any."""
StoredTold = tuple[str, str, str, str | None, str, str, int, str, str, bool, int]


class Part(msgspec.Struct, array_like=True):
    """One part of an hour or day page; what it says of the window as a whole stands in part 0 alone."""

    version: int
    leaves: int
    totals: StoredTotals
    restated: dict[str, list[str]]
    newest_us: int = 0
    streaks: dict[str, dict[str, int]] = {}
    published: list[StoredTold] = []
    baselines: dict[str, dict[str, tuple[Number, int]]] | None = None


class Base(msgspec.Struct, array_like=True):
    """The spike baselines of an open day."""

    version: int
    sums: dict[str, dict[str, tuple[bytes, int]]]


class Month(msgspec.Struct, array_like=True):
    """A month's totals."""

    version: int
    totals: StoredTotals
    newest_us: int
    published: list[StoredTold]


class Ledger(msgspec.Struct, array_like=True):
    """What is kept of a tenant's days as a whole."""

    version: int
    days: dict[int, bytes]
    drift: dict[int, int]
    open: list[int]
    restated: list[int]
    published: dict[int, tuple[str, str, int, str, str, bool, int]]


class Series(msgspec.Struct, array_like=True):
    """Daily spend by scope: entity type, entity id, nano-USD."""

    version: int
    through: int
    spent: list[tuple[str, str, list[Number]]]


LAYOUTS: Final = {HOUR: Part, DAY: Part, BASE: Base, MONTH: Month, LEDGER: Ledger, SERIES: Series}
"""Kind of page → the struct of each of its parts."""
