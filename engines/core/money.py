"""Money: integer nano-USD, and the one way it is rounded.

Nano-USD because one token at $0.075 per million costs 75 of them, and would cost nothing in micro-USD.
"""

from __future__ import annotations

from typing import Final

NANOUSD_PER_CENT: Final = 10_000_000
NANOUSD_PER_USD: Final = 100 * NANOUSD_PER_CENT


def divide_half_even(numerator: int, denominator: int) -> int:
    """Return the quotient of a positive *denominator*, rounded to the nearest integer, ties to the even one."""
    quotient, rest = divmod(numerator, denominator)
    twice = 2 * rest
    return quotient + 1 if twice > denominator or (twice == denominator and quotient & 1) else quotient


def rounded(numerator: int, denominator: int, places: int) -> float:
    """Return the quotient of a positive *denominator*, rounded half-even once to *places* decimals, as a float."""
    scale: int = 10**places
    return divide_half_even(numerator * scale, denominator) / scale
