"""Instants and windows: integer microseconds since the epoch, cut into UTC hours, days and months.

One invariant: ``window_of`` is the only place that decides which window an instant falls in (CONTRACT §2), so that
other zones can come later.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

US_PER_SECOND: Final = 1_000_000
US_PER_MINUTE: Final = 60 * US_PER_SECOND
US_PER_HOUR: Final = 60 * US_PER_MINUTE
HOURS_PER_DAY: Final = 24
US_PER_DAY: Final = HOURS_PER_DAY * US_PER_HOUR

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - naive on purpose: every number here is UTC
_EPOCH_UTC: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
_END_US: Final = (date(9999, 1, 1).toordinal() - _EPOCH_ORDINAL) * US_PER_DAY
_LOCAL: Final = len("YYYY-MM-DDThh:mm:ss")
_INSTANT: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)
_from_iso = datetime.fromisoformat


class Window(NamedTuple):
    """The windows an instant falls in, each a number since the epoch: whole hours, UTC days, UTC months."""

    hour: int
    day: int
    month: int


def parse_instant(text: str) -> int:
    """Return the instant that *text* writes, digits past microseconds cut (CONTRACT §1).

    Raises:
        ValueError: *text* is not ``YYYY-MM-DD[Tt]hh:mm:ss[.digits](Z|z|±hh:mm)``, names no real time, or lies
            outside 1970 … 9998; the message is meant for the producer of the record.
    """
    # The usual forms in capitals, checked just enough that the library's parser, which knows other forms too, can
    # only read them as these: a T in tenth place after a dash leaves no room for anything but a calendar date.
    if text[7:14:3] == "-T:" and text[11:13] != "24":
        local = len(text) - (1 if text[-1:] == "Z" else _offset_length(text))
        if local == _LOCAL or (local > _LOCAL + 1 and text[_LOCAL] == "."):
            try:
                since = _from_iso(text) - _EPOCH_UTC
            except ValueError:
                return _parse_any(text)
            us = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
            if 0 <= us < _END_US:
                return us
    return _parse_any(text)


def day_of(us: int) -> int:
    """Return the UTC day of an instant, in days since the epoch."""
    return us // US_PER_DAY


def hour_of(us: int) -> int:
    """Return the hour of an instant, in whole hours since the epoch."""
    return us // US_PER_HOUR


def day_start_us(day: int) -> int:
    """Return the first instant of a UTC day."""
    return day * US_PER_DAY


@lru_cache(maxsize=4096)
def month_of(day: int) -> int:
    """Return the UTC month of a day, in months since January 1970."""
    calendar = date.fromordinal(day + _EPOCH_ORDINAL)
    return (calendar.year - 1970) * 12 + calendar.month - 1


@lru_cache(maxsize=4096)
def month_days(month: int) -> range:
    """Return the UTC days of a month."""
    first, after = (
        date(1970 + number // 12, number % 12 + 1, 1).toordinal() - _EPOCH_ORDINAL for number in (month, month + 1)
    )
    return range(first, after)


def window_of(us: int) -> Window:
    """Return the windows an instant falls in."""
    day = us // US_PER_DAY
    return Window(us // US_PER_HOUR, day, month_of(day))


def format_instant(us: int) -> str:
    """Return ``YYYY-MM-DDThh:mm:ssZ``; a fraction, without trailing zeros, only when there is one."""
    text = (_EPOCH + timedelta(microseconds=us)).isoformat()
    return f"{text.rstrip('0')}Z" if "." in text else f"{text}Z"


@lru_cache(maxsize=4096)
def format_day(day: int) -> str:
    """Return the start of a UTC day as ``YYYY-MM-DDT00:00:00Z``."""
    return f"{date.fromordinal(day + _EPOCH_ORDINAL).isoformat()}T00:00:00Z"


def _offset_length(text: str) -> int:
    """Return how much of *text* is an offset ±hh:mm; all of it when it does not end with one."""
    return 6 if text[-6:-5] in {"+", "-"} and text[-3:-2] == ":" and text[-2:-1] < "6" else len(text)


def _parse_any(text: str) -> int:
    """Read every form of the grammar, and say what is wrong with what is not of it."""
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise ValueError("is not of the form YYYY-MM-DDThh:mm:ss[.digits](Z|±hh:mm)")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    fraction, sign, offset_hours, offset_minutes = match.groups()[6:]
    try:
        days = date(year, month, day).toordinal() - _EPOCH_ORDINAL
    except ValueError as error:
        raise ValueError("names a date that does not exist") from error
    if hour > 23 or minute > 59 or second > 59:  # noqa: PLR2004 - the clock's own limits
        raise ValueError("names a time of day past 23:59:59")
    offset_us = _offset_us(sign, offset_hours, offset_minutes)
    of_day_us = hour * US_PER_HOUR + minute * US_PER_MINUTE + second * US_PER_SECOND
    us = days * US_PER_DAY + of_day_us + int((fraction or "")[:6].ljust(6, "0")) - offset_us
    if not 0 <= us < _END_US:
        raise ValueError("lies outside 1970 … 9998")
    return us


def _offset_us(sign: str | None, hours: str, minutes: str) -> int:
    """Return how far local time is ahead of UTC."""
    if sign is None:
        return 0
    if int(hours) > 23 or int(minutes) > 59:  # noqa: PLR2004 - RFC 3339's limits
        raise ValueError("has an offset past 23:59")
    offset_us = int(hours) * US_PER_HOUR + int(minutes) * US_PER_MINUTE
    return offset_us if sign == "+" else -offset_us
