"""Prices from the table of ``genai-prices``, compiled to integers (CONTRACT §4).

One invariant: for every model, usage and instant the answer is the library's own total, rounded half-even to
nano-USD once; only the library's way to it (60-90 µs a call) is not taken per record. A model's rates change at
certain dates, times of day and numbers of input tokens, and between those its price is linear in its tokens: so the
library is asked a few times per model and stretch, and the rest is integer arithmetic. Nothing here opens a
connection: the table is the one inside the installed package.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, localcontext
from fractions import Fraction
from math import lcm
from typing import Final, NamedTuple

import genai_prices
from genai_prices import Usage
from genai_prices.data import providers as bundled_providers
from genai_prices.data_snapshot import DataSnapshot
from genai_prices.types import ModelInfo, Provider, StartDateConstraint, TieredPrices, TimeOfDateConstraint

from engines.core.money import NANOUSD_PER_USD, divide_half_even
from engines.core.time import US_PER_DAY
from engines.cost.event import CostEvent
from engines.cost.prices import NO_PRICE, UNKNOWN_MODEL, UNKNOWN_PROVIDER, Unpriced

REMEMBERED_MAX: Final = 10_000
"""How many (model, provider) pairs are remembered; those met first are forgotten first."""

_EXACT: Final = Context(prec=60)
"""Digits enough that no rate of the table times 10^12 tokens is rounded before the total is."""
_ROUTER: Final = "litellm"
"""A provider that the library takes for "see the model's name", so it is never the one that is unknown."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class _Rates(NamedTuple):
    """Nano-USD per token between two numbers of input tokens, over a common denominator."""

    flat: int
    per_input: int
    per_cached: int
    per_output: int
    denominator: int


class _Cell(NamedTuple):
    """What a model costs between two changes: rates by the number of input tokens they begin at."""

    begins: tuple[int, ...]
    rates: tuple[_Rates, ...]


class _Tariff(NamedTuple):
    """Cells by the day (row) and the time of day (column) they begin at; the first of each has no beginning."""

    days: tuple[int, ...]
    times_us: tuple[int, ...]
    cells: tuple[tuple[_Cell | Unpriced, ...], ...]


class Prices:
    """The price table of the installed ``genai-prices`` (port ``PriceBook``)."""

    def __init__(self) -> None:
        self._tariffs: dict[tuple[str, str | None], _Tariff | Unpriced] = {}
        self._by_model: dict[int, _Tariff] = {}

    @property
    def version(self) -> str:
        """The version of the table."""
        return genai_prices.__version__

    def price_of(self, event: CostEvent) -> int | Unpriced:
        """Return what *event* costs by the table in nano-USD, or why it has no price."""
        return self.price(
            event.model,
            event.provider,
            event.input_tokens,
            event.cached_input_tokens,
            event.output_tokens,
            event.occurred_at,
        )

    def price(
        self,
        model: str,
        provider: str | None,
        input_tokens: int,
        cached_input_tokens: int,
        output_tokens: int,
        occurred_at_us: int,
    ) -> int | Unpriced:
        """Return what one call costs in nano-USD, or why it has no price.

        Args:
            model: as its provider names it; the library knows aliases.
            provider: None lets the library conclude it from the model's name; one it does not know is an answer
                (``unknown_provider``), never a reason to look among all providers.
            input_tokens: cached ones included.
            cached_input_tokens: at most *input_tokens*.
            output_tokens: 0 or more, as the other two.
            occurred_at_us: decides between rates by date and by time of day.
        """
        tariff = self._tariffs.get((model, provider)) or self._remember(model, provider)
        if isinstance(tariff, Unpriced):
            return tariff
        days, times_us, cells = tariff
        row = cells[bisect_right(days, occurred_at_us // US_PER_DAY)] if days else cells[0]
        cell = row[bisect_right(times_us, occurred_at_us % US_PER_DAY)] if times_us else row[0]
        if isinstance(cell, Unpriced):
            return cell
        begins, rates = cell
        at = bisect_right(begins, input_tokens) if begins else 0
        flat, per_input, per_cached, per_output, denominator = rates[at]
        total = flat + per_input * input_tokens + per_cached * cached_input_tokens + per_output * output_tokens
        return total if denominator == 1 else divide_half_even(total, denominator)

    def _remember(self, model: str, provider: str | None) -> _Tariff | Unpriced:
        if len(self._tariffs) >= REMEMBERED_MAX:
            del self._tariffs[next(iter(self._tariffs))]
        found = _find(model, provider)
        tariff = found if isinstance(found, Unpriced) else self._tariff_of(*found)
        self._tariffs[model, provider] = tariff
        return tariff

    def _tariff_of(self, provider: Provider, model: ModelInfo) -> _Tariff:
        """Return the tariff of an entry of the table, which outlives this object; so its address names it."""
        tariff = self._by_model.get(id(model))
        if tariff is None:
            tariff = self._by_model[id(model)] = _tariff(provider, model)
        return tariff


def _find(model: str, provider: str | None) -> tuple[Provider, ModelInfo] | Unpriced:
    """Look *model* up in the library: what it concludes from a model's name counts, guesses of ours do not."""
    table = DataSnapshot(bundled_providers, from_auto_update=False)  # a new one: it remembers without bound
    try:
        return table.find_provider_model(model, None, provider, None)
    except LookupError:
        if provider is None or provider.lower() == _ROUTER:
            return UNKNOWN_MODEL
    try:
        table.find_provider(model, provider, None)
    except LookupError:
        return UNKNOWN_PROVIDER
    return UNKNOWN_MODEL


def _tariff(provider: Provider, model: ModelInfo) -> _Tariff:
    """Ask the library for every cell of the grid that the dates and times of day of *model* make."""
    rules = model.prices if isinstance(model.prices, list) else []
    constraints = [rule.constraint for rule in rules]
    dates = sorted({rule.start_date for rule in constraints if isinstance(rule, StartDateConstraint)})
    times = sorted({at for rule in constraints if isinstance(rule, TimeOfDateConstraint) for at in _changes(rule)})
    cells = tuple(
        tuple(_cell(provider, model, datetime.combine(day, at)) for at in (time(tzinfo=UTC), *times))
        for day in (date(1970, 1, 1), *dates)
    )
    days = tuple((day - _EPOCH.date()).days for day in dates)
    times_us = tuple((datetime.combine(_EPOCH, at) - _EPOCH) // _MICROSECOND for at in times)
    return _Tariff(days, times_us, cells)


def _changes(rule: TimeOfDateConstraint) -> Iterable[time]:
    """Return the UTC times of day at which *rule* begins and ends."""
    for at in (rule.start_time, rule.end_time):
        aware = at if at.tzinfo else at.replace(tzinfo=UTC)
        yield datetime.combine(_EPOCH, aware).astimezone(UTC).timetz()


def _cell(provider: Provider, model: ModelInfo, at: datetime) -> _Cell | Unpriced:
    """Ask the library for the rates of *model* as they are at *at*, between any two tiers."""

    def cost(input_tokens: int, cached_input_tokens: int = 0, output_tokens: int = 0) -> Fraction:
        usage = Usage(input_tokens=input_tokens, cache_read_tokens=cached_input_tokens, output_tokens=output_tokens)
        priced = model.calc_price(usage, provider, genai_request_timestamp=at)
        return Fraction(priced.total_price) * NANOUSD_PER_USD

    try:
        with localcontext(_EXACT):
            tiered = (price for price in vars(model.get_prices(at)).values() if isinstance(price, TieredPrices))
            begins = tuple(sorted({tier.start + 1 for price in tiered for tier in price.tiers}))
            stretches = zip((0, *begins), (*begins, None), strict=True)
            rates = tuple(_rates(cost, first, after) for first, after in stretches)
    except (ValueError, LookupError):
        return NO_PRICE
    return _Cell(begins, rates)


def _rates(cost: Callable[..., Fraction], first: int, after: int | None) -> _Rates:
    """Conclude rates from what some usages with *first* … *after* - 1 input tokens cost."""
    at = first if after == first + 1 else first + 1
    per_input = cost(at) - cost(first)
    flat = cost(first) - per_input * first
    per_cached = cost(at, 1) - cost(at) if at else Fraction(0)
    per_output = cost(at, 0, 1) - cost(at)
    denominator = lcm(*(rate.denominator for rate in (flat, per_input, per_cached, per_output)))
    return _Rates(
        int(flat * denominator),
        int(per_input * denominator),
        int(per_cached * denominator),
        int(per_output * denominator),
        denominator,
    )
