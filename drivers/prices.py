"""Prices from the table of ``genai-prices``, compiled to integers (CONTRACT §4).

One invariant: for every model, usage and instant the answer is the library's own total, rounded half-even to
nano-USD once; only the library's way to it (60-90 µs a call) is not taken per record. A model's rates change at
certain dates, times of day and numbers of input tokens, and between those its price is linear in its tokens: so its
entry of the table is read once, one set of rates for each stretch, and the rest is integer arithmetic. Nothing here
opens a connection: the table is the one inside the installed package.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from math import lcm
from typing import Final, NamedTuple

import genai_prices
from genai_prices import Usage
from genai_prices.data import providers as bundled_providers
from genai_prices.data_snapshot import DataSnapshot
from genai_prices.types import (
    ModelInfo,
    ModelPrice,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

from engines.core.money import NANOUSD_PER_USD, divide_half_even
from engines.core.time import US_PER_DAY
from engines.cost.event import CostEvent
from engines.cost.prices import NO_PRICE, UNKNOWN_MODEL, UNKNOWN_PROVIDER, Unpriced

REMEMBERED_MAX: Final = 10_000
"""How many (model, provider) pairs are remembered; those met first are forgotten first."""

_PER_MTOK: Final = NANOUSD_PER_USD // 10**6
"""Nano-USD per token of a rate of $1 per million tokens."""
_PER_KCOUNT: Final = NANOUSD_PER_USD // 10**3
"""Nano-USD per call of a rate of $1 per thousand calls."""
_ANY_CALL: Final = Usage(input_tokens=2, cache_read_tokens=1, output_tokens=1)
"""A call with all we ever report: what the library refuses to price, it refuses to price for this one."""
_ROUTER: Final = "litellm"
"""A provider that the library takes for "see the model's name", so it is never the one that is unknown."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class _Rates(NamedTuple):
    """Nano-USD per call and per token over a common denominator; cached tokens pay *per_input* and *per_cached*."""

    per_call: int
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
        """Return what *event* costs by the table in nano-USD, or why it has no price.

        The library knows a model by its aliases, and concludes a provider that is not given from the model's name; one
        that it does not know is an answer (``unknown_provider``), never a reason to look among all providers. Of the
        event only model, provider, tokens and time decide.
        """
        tariff = self._tariffs.get((event.model, event.provider)) or self._remember(event.model, event.provider)
        if isinstance(tariff, Unpriced):
            return tariff
        days, times_us, cells = tariff
        row = cells[bisect_right(days, event.occurred_at // US_PER_DAY)] if days else cells[0]
        cell = row[bisect_right(times_us, event.occurred_at % US_PER_DAY)] if times_us else row[0]
        if isinstance(cell, Unpriced):
            return cell
        begins, rates = cell
        input_tokens = event.input_tokens
        per_call, per_input, per_cached, per_output, denominator = rates[
            bisect_right(begins, input_tokens) if begins else 0
        ]
        total = per_call + per_input * input_tokens + per_output * event.output_tokens
        if event.cached_input_tokens:
            total += per_cached * event.cached_input_tokens
        return total if denominator == 1 else divide_half_even(total, denominator)

    def _remember(self, model: str, provider: str | None) -> _Tariff | Unpriced:
        if len(self._tariffs) >= REMEMBERED_MAX:
            del self._tariffs[next(iter(self._tariffs))]
        found = _find(model, provider)
        tariff = found if isinstance(found, Unpriced) else self._tariff_of(found)
        self._tariffs[model, provider] = tariff
        return tariff

    def _tariff_of(self, model: ModelInfo) -> _Tariff:
        """Return the tariff of an entry of the table, which outlives this object; so its address names it."""
        tariff = self._by_model.get(id(model))
        if tariff is None:
            tariff = self._by_model[id(model)] = _tariff(model)
        return tariff


def _find(model: str, provider: str | None) -> ModelInfo | Unpriced:
    """Look *model* up in the library: what it concludes from a model's name counts, guesses of ours do not."""
    table = DataSnapshot(bundled_providers, from_auto_update=False)  # a new one: it remembers without bound
    try:
        return table.find_provider_model(model, None, provider, None)[1]
    except LookupError:
        if provider is None or provider.lower() == _ROUTER:
            return UNKNOWN_MODEL
    try:
        table.find_provider(model, provider, None)
    except LookupError:
        return UNKNOWN_PROVIDER
    return UNKNOWN_MODEL


def _tariff(model: ModelInfo) -> _Tariff:
    """Return the rates of *model* in every cell of the grid that its dates and times of day make."""
    rules = model.prices if isinstance(model.prices, list) else []
    constraints = [rule.constraint for rule in rules]
    dates = sorted({rule.start_date for rule in constraints if isinstance(rule, StartDateConstraint)})
    times = sorted({at for rule in constraints if isinstance(rule, TimeOfDateConstraint) for at in _changes(rule)})
    cells = tuple(
        tuple(_cell(model, datetime.combine(day, at)) for at in (time(tzinfo=UTC), *times))
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


def _cell(model: ModelInfo, at: datetime) -> _Cell | Unpriced:
    """Return the rates of *model* in force at *at*, one set for each stretch between its tiers."""
    try:
        price = model.get_prices(at)
        price.calc_price(_ANY_CALL)
    except (ValueError, LookupError):
        return NO_PRICE
    tiered = (rate for rate in vars(price).values() if isinstance(rate, TieredPrices))
    begins = tuple(sorted({tier.start + 1 for rate in tiered for tier in rate.tiers}))
    return _Cell(begins, tuple(_rates(price, input_tokens) for input_tokens in (0, *begins)))


def _rates(price: ModelPrice, input_tokens: int) -> _Rates:
    """Return what *price* says of a call with *input_tokens*; the cliff: a tier's rates hold for all of its tokens.

    Cached tokens without a rate of their own are input like any other. What a price asks for anything that a record
    does not report (images, searches, cache writes) is not part of it.
    """
    per_call = _rate(price.requests_kcount, input_tokens) * _PER_KCOUNT
    per_input = _rate(price.input_mtok, input_tokens) * _PER_MTOK
    cached = price.cache_read_mtok
    per_cached = Fraction(0) if cached is None else _rate(cached, input_tokens) * _PER_MTOK - per_input
    per_output = _rate(price.output_mtok, input_tokens) * _PER_MTOK
    denominator = lcm(*(rate.denominator for rate in (per_call, per_input, per_cached, per_output)))
    return _Rates(
        int(per_call * denominator),
        int(per_input * denominator),
        int(per_cached * denominator),
        int(per_output * denominator),
        denominator,
    )


def _rate(rate: Decimal | TieredPrices | None, input_tokens: int) -> Fraction:
    """Return the rate in USD that holds for a call with *input_tokens*: that of the last tier begun, or the base."""
    if isinstance(rate, TieredPrices):
        begun = [tier.price for tier in rate.tiers if input_tokens > tier.start]
        rate = begun[-1] if begun else rate.base
    return Fraction(rate or 0)
