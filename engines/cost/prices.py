"""The port to a price table: what a record costs that does not say so itself (CONTRACT §4).

One invariant: a price is a function of the event and the table's version alone, so a replay with the same version
gives the same money.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Protocol

from engines.cost.event import CostEvent

UnpricedReason = Literal["unknown_provider", "unknown_model", "no_price"]


@dataclass(frozen=True, slots=True)
class Unpriced:
    """Why a record has no price.

    Attributes:
        reason: ``unknown_provider``, ``unknown_model`` (also when no provider is given and the model's name tells of
            none), or ``no_price``: the table knows the model but cannot say what this usage of it costs.
    """

    reason: UnpricedReason


UNKNOWN_PROVIDER: Final = Unpriced("unknown_provider")
UNKNOWN_MODEL: Final = Unpriced("unknown_model")
NO_PRICE: Final = Unpriced("no_price")


class PriceBook(Protocol):
    """A price table of a fixed version."""

    @property
    def version(self) -> str:
        """The table's version; part of every replay summary (CONTRACT §4)."""

    def price_of(self, event: CostEvent) -> int | Unpriced:
        """Return what *event* costs by the table in nano-USD, whatever it says itself, or why it has no price."""
