"""The rules that a setting row may change, by name: what each takes, and what is refused as a slip of the pen.

Every number of a ``Profile`` is a rule of its name (CONTRACT §6); beside them stand ``profile`` and ``feature_tags``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from engines.cost.rules import NUMBERS, ProfileName
from engines.cost.settings import FEATURE_TAGS, OPEN, PROFILE, REGISTERED

PCT_MAX: Final = 1_000_000
CENTS_MAX: Final = 10**12
BASELINE_DAYS_MAX: Final = 21
"""No rule looks back on more baseline days than drift."""
STREAK_DAYS_MAX: Final = 366
REQUESTS_MAX: Final = 10**12


@dataclass(frozen=True, slots=True)
class Numbers:
    """The integers from *least* to *most*; *zero* as well, where it turns a rule off."""

    least: int
    most: int
    zero: bool = False

    def problem(self, value: object) -> str | None:
        """Return why *value* is none of them, None when it is one."""
        if isinstance(value, bool) or not isinstance(value, int):
            return "is not an integer"
        if self.least <= value <= self.most or (self.zero and value == 0):
            return None
        return f"is not between {self.least} and {self.most}" + (" (nor 0: never)" if self.zero else "")


@dataclass(frozen=True, slots=True)
class Words:
    """One of a few words."""

    words: tuple[str, ...]

    def problem(self, value: object) -> str | None:
        """Return why *value* is none of them, None when it is one."""
        return None if isinstance(value, str) and value in self.words else f"is not {' or '.join(self.words)}"


_RATIO: Final = Numbers(100, PCT_MAX)
_SHARE: Final = Numbers(0, 100)
_SPECIAL: Final[Mapping[str, Numbers]] = {
    # percentages of a baseline or of what was before, not of what is above it: 140 is 40 % more
    "spike_pct": _RATIO,
    "few_days_pct": _RATIO,
    "alone_pct": Numbers(100, PCT_MAX, zero=True),
    "alone_excess_pct": _RATIO,
    "drift_pct": _RATIO,
    "cause_retry_ratio_pct": _RATIO,
    "cause_growth_pct": _RATIO,
    # shares of a whole
    "unpriced_pct": _SHARE,
    "cause_retry_share_pct": _SHARE,
    "cause_feature_share_pct": _SHARE,
    "cause_feature_points": _SHARE,
    "consecutive_days": Numbers(1, STREAK_DAYS_MAX),
    "drift_days_required": Numbers(1, STREAK_DAYS_MAX),
    "drift_days_min": Numbers(0, 7),
    "baseline_days_min": Numbers(1, BASELINE_DAYS_MAX),
    "unpriced_requests_min": Numbers(0, REQUESTS_MAX),
}


def _range_of(name: str) -> Numbers:
    return _SPECIAL.get(name) or Numbers(0, CENTS_MAX if name.endswith("_cents") else PCT_MAX)


RULES: Final[Mapping[str, Numbers | Words]] = {
    PROFILE: Words(tuple(ProfileName)),
    FEATURE_TAGS: Words((OPEN, REGISTERED)),
    **{name: _range_of(name) for name in NUMBERS},
}
