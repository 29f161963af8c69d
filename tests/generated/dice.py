"""Where the choices of a generated stream come from."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")


class Dice(Protocol):
    """Where a stream's choices come from."""

    def whole(self, low: int, high: int) -> int:
        """Return an integer from *low* to *high*, both included."""
        ...

    def one_of(self, options: Sequence[T]) -> T:
        """Return one of *options*; the first is the simplest."""
        ...
