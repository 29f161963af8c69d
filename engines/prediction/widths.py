"""How wide intervals must be, by what those told before were worth: the last step of a calibrated outlook.

For each week ahead, of series known for about as long, every month that is over tells how far what came lay from the
median, in interval widths. The share of these that is to be inside decides by how much the next interval is stretched.
One invariant: before anything is known the width is 1, and a few months move it a little.
"""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from dataclasses import dataclass, field
from typing import Final

from engines.prediction.distributions import where
from engines.prediction.outlook import SHARE

_NORMAL: Final = 1.2815515655446004
"""Where a standard normal number leaves 10 % on either side."""
_WIDTH_MAX: Final = 20.0
_DAYS_PER_STRETCH: Final = 7
_STRETCHES: Final = 4

_AGES: Final = 3

_Kind = tuple[int, int]
"""Which week ahead the last day lies in (the fourth and later ones as one), and how old the series is."""


@dataclass(frozen=True, slots=True)
class WidthPolicy:
    """How much is believed without having been seen.

    Attributes:
        young_days: two months, before which no forecast of a month could be held against what came. A series is known
            for less, for up to twice, four times as long, or longer: the more of its past, the less of the model is in
            its intervals, and each is wrong in its own way.
        prior_months: how many months of a series weigh as much as the belief that intervals are right as they are:
            ten, for the share inside of ten cases is known to ± .13 only.
    """

    young_days: int = 60
    prior_months: float = 10.0


@dataclass(slots=True)
class Widths:
    """What intervals told before were worth, by how many days they looked ahead."""

    policy: WidthPolicy = field(default_factory=WidthPolicy)
    _reaches: dict[_Kind, list[float]] = field(default_factory=dict)
    _known: dict[_Kind, float] = field(default_factory=dict)

    def width(self, days: int, seen_days: int) -> float:
        """Return by how much an outlook of *days* is to be stretched, of a series known for *seen_days*."""
        kind = self._kind(days, seen_days)
        if kind not in self._known:
            self._known[kind] = self._wide(self._reaches.get(kind, []))
        return self._known[kind]

    def learn(self, days: int, seen_days: int, reach: float) -> None:
        """Take in the ``Outlook.reach`` of such an outlook, once it is known what came."""
        kind = self._kind(days, seen_days)
        insort(self._reaches.setdefault(kind, []), reach)
        self._known.pop(kind, None)

    def _wide(self, reaches: list[float]) -> float:
        """Return the width that holds ``SHARE`` of the *reaches* seen, and of those a normal error would have."""
        if not reaches:
            return 1.0
        prior = self.policy.prior_months
        months = len(reaches) / _DAYS_PER_STRETCH  # those of one month and stretch tell of nearly the same days

        def inside(width: float) -> float:
            believed = prior * math.erf(_NORMAL * width / math.sqrt(2))
            return (believed + months * bisect_right(reaches, width) / len(reaches)) / (prior + months)

        return where(inside, SHARE, 0.0, _WIDTH_MAX)

    def _kind(self, days: int, seen_days: int) -> _Kind:
        return min((days - 1) // _DAYS_PER_STRETCH, _STRETCHES - 1), min(
            (seen_days // self.policy.young_days).bit_length(), _AGES
        )
