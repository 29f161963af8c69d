"""Which records come too late to be counted, and which correct what is closed (CONTRACT §2, §3)."""

from __future__ import annotations

from typing import Final

from engines.core.ports import Domain
from engines.core.time import US_PER_DAY
from streams import fates

HORIZON_DAYS: Final = 35
"""Records older than this many days before the watermark's day are not counted where closed days may be restated."""
_NEVER_US: Final = 1 << 63
"""After every event time."""


class Lateness:
    """The rule of one domain: the watermark is that before the record moves it, after the silence before it.

    Args:
        domain: has a lateness, or closed periods that may be restated.
        dedup_days: for how many days before the watermark's day identities are kept.
    """

    def __init__(self, domain: Domain, dedup_days: int) -> None:
        self._lateness_us = domain.lateness_us
        self._period_us = domain.period_us
        self._dedup_days = dedup_days

    def open_us(self, closed_through: int | None) -> int:
        """Return the instant from which on ``reason`` is None whatever the watermark is: what need not be asked."""
        return self._first_open_us(closed_through) if self._lateness_us is None else _NEVER_US

    def reason(self, occurred_at: int, watermark_us: int | None, closed_through: int | None) -> str | None:
        """Return what is to be told of a record: that it restates, or why it is late; None: nothing.

        Where nothing restates, a closed period takes in no record, not even when a broker's clock went backwards and
        the watermark is behind an idle close: its identities may be gone.
        """
        if occurred_at >= self.open_us(closed_through):
            return None
        if self._lateness_us is not None:
            settled_us = self._first_open_us(closed_through)
            if watermark_us is not None:
                settled_us = max(settled_us, watermark_us - self._lateness_us)
            return fates.TOO_OLD if occurred_at < settled_us else None
        day, watermark_day = occurred_at // US_PER_DAY, (watermark_us or 0) // US_PER_DAY
        if day < watermark_day - HORIZON_DAYS:
            return fates.TOO_OLD
        return fates.RESTATED if day >= watermark_day - self._dedup_days else fates.DEDUP_UNKNOWN

    def first_day(self, watermark_us: int | None) -> int | None:
        """Return the first UTC day whose identities anybody may still ask for, None while every one may."""
        if watermark_us is None:
            return None
        if self._lateness_us is not None:
            return (watermark_us - self._lateness_us) // US_PER_DAY
        return watermark_us // US_PER_DAY - min(HORIZON_DAYS, self._dedup_days)

    def _first_open_us(self, closed_through: int | None) -> int:
        """Return the first instant that is not closed; nothing lies before 1970."""
        return 0 if closed_through is None else (closed_through + 1) * self._period_us
