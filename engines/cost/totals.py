"""A total is one integer: every sum of an entity in a window, side by side in its bits.

Adding a record to a total is then one addition instead of seven, and comparing the cost with a line is comparing
the whole, for the cost is uppermost. No field can run into the next: a record counts 1 and holds at most 10^12
tokens of a kind, both below 2^40, so the fields hold 2^40 records.
"""

from __future__ import annotations

from typing import Final, NamedTuple

_COUNT_BITS: Final = 40
_TOKEN_BITS: Final = 80

_RETRIES: Final = _TOKEN_BITS
_UNPRICED: Final = _RETRIES + _COUNT_BITS
_REQUESTS: Final = _UNPRICED + _COUNT_BITS
_INPUT: Final = _REQUESTS + _COUNT_BITS
_OUTPUT: Final = _INPUT + _TOKEN_BITS
_COST: Final = _OUTPUT + _TOKEN_BITS
_COUNT_MASK: Final = (1 << _COUNT_BITS) - 1
_TOKEN_MASK: Final = (1 << _TOKEN_BITS) - 1

RARE_BITS: Final = _REQUESTS
"""The lowest bits hold what most records lack: cached tokens, retries, unpriced requests."""
ONE: Final = 1 << _REQUESTS
"""One request without anything else."""
UNPRICED_ONE: Final = 1 << _UNPRICED
RETRY_ONE: Final = 1 << _RETRIES

Total = int


class Sums(NamedTuple):
    """A total taken apart; tokens and requests as counts, cost in nano-USD of the priced requests."""

    requests: int
    unpriced_requests: int
    retry_requests: int
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    cost_nanousd: int


def of_record(cost_nanousd: int, input_tokens: int, output_tokens: int) -> Total:
    """Return the total of one record; its rare parts are added by the caller."""
    return ((((cost_nanousd << _TOKEN_BITS) | output_tokens) << _TOKEN_BITS) | input_tokens) << _INPUT | ONE


def apart(total: Total) -> Sums:
    """Return the sums in *total*."""
    return Sums(
        requests=requests(total),
        unpriced_requests=unpriced(total),
        retry_requests=(total >> _RETRIES) & _COUNT_MASK,
        input_tokens=(total >> _INPUT) & _TOKEN_MASK,
        cached_input_tokens=total & _TOKEN_MASK,
        output_tokens=(total >> _OUTPUT) & _TOKEN_MASK,
        cost_nanousd=total >> _COST,
    )


def cost(total: Total) -> int:
    """Return the cost in *total*, nano-USD."""
    return total >> _COST


def requests(total: Total) -> int:
    """Return the number of records in *total*."""
    return (total >> _REQUESTS) & _COUNT_MASK


def unpriced(total: Total) -> int:
    """Return the number of records without a price in *total*."""
    return (total >> _UNPRICED) & _COUNT_MASK


def is_active(total: Total) -> bool:
    """Whether a day with *total* counts for a baseline: it has a priced record (CONTRACT §6)."""
    return requests(total) > unpriced(total)


def line(cost_nanousd: int) -> Total:
    """Return what a total is at or above once its cost has reached *cost_nanousd*."""
    return cost_nanousd << _COST
