"""Amounts in US cents as events carry them: read as decimals, rounded half-even, once (CONTRACT §1).

One invariant: no amount ever passes through a double.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import Final

from engines.core.money import NANOUSD_PER_CENT, divide_half_even
from engines.core.wire import Unusual

COST_CENTS_MAX: Final = 10**8

_COST_NANOUSD_MAX: Final = COST_CENTS_MAX * NANOUSD_PER_CENT
_EXACT: Final = Context(prec=20, rounding=ROUND_HALF_EVEN)
_NANOUSD_IN_CENTS: Final = Decimal(1) / NANOUSD_PER_CENT
_FRACTION_DIGITS: Final = 7
_MORE_DIGITS_MAX: Final = 30
_SCALES: Final[tuple[int, ...]] = tuple(10**digits for digits in range(_MORE_DIGITS_MAX + 1))


def nanousd_of_cents(cents: Decimal) -> int:
    """Return *cents* (0 … 10^8) in nano-USD, rounded half-even, once."""
    return int(cents.quantize(_NANOUSD_IN_CENTS, context=_EXACT).scaleb(7, _EXACT))


def nanousd_of_json(cents: bytes) -> int | None:
    """Return the JSON value *cents* in nano-USD, None for null: the quick way to ``nanousd_of_cents``.

    Raises:
        ValueError: it is no number, or none from 0 to 10^8.
    """
    whole, _, fraction = cents.partition(b".")
    more = len(fraction) - _FRACTION_DIGITS
    if more > _MORE_DIGITS_MAX:
        return _nanousd_of_decimal(cents)
    try:
        digits = int(whole + fraction)
    except ValueError:
        return None if cents == b"null" else _nanousd_of_decimal(cents)
    if more <= 0:
        nanousd = digits * _SCALES[-more]
        if 0 <= nanousd <= _COST_NANOUSD_MAX:
            return nanousd
    elif 0 <= digits <= _COST_NANOUSD_MAX * _SCALES[more]:
        return divide_half_even(digits, _SCALES[more])
    raise Unusual


def _nanousd_of_decimal(cents: bytes) -> int:
    try:
        number = Decimal(cents.decode())
    except InvalidOperation as error:
        raise Unusual from error
    if not 0 <= number <= COST_CENTS_MAX:
        raise Unusual
    return nanousd_of_cents(number)
