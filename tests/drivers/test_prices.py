from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

import genai_prices
import pytest
from genai_prices import Usage, calc_price
from genai_prices.data import providers
from genai_prices.data_snapshot import DataSnapshot, set_custom_snapshot
from genai_prices.types import (
    ClauseEquals,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.prices import REMEMBERED_MAX, Prices, _tariff
from engines.core.time import US_PER_DAY, US_PER_HOUR, parse_instant
from engines.cost.event import CostEvent
from engines.cost.prices import NO_PRICE, UNKNOWN_MODEL, UNKNOWN_PROVIDER, Unpriced

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PRICES = Prices()
CATALOGUE = [(provider.id, model) for provider in providers for model in provider.models]
REPEATABLE = settings(deadline=None, derandomize=True)
AT_US = parse_instant("2026-03-18T21:28:01Z")

Call = tuple[str, str | None, int, int, int, int]


def by_the_library(call: Call) -> int | None:
    """What the library says the call costs, rounded once; None when it says it does not know."""
    model, provider, input_tokens, cached, output_tokens, at_us = call
    usage = Usage(input_tokens=input_tokens, cache_read_tokens=cached, output_tokens=output_tokens)
    at = EPOCH + timedelta(microseconds=at_us)
    with localcontext(Context(prec=80)):
        try:
            total = calc_price(usage, model, provider_id=provider, genai_request_timestamp=at).total_price
        except LookupError:
            return None
        return int((total * 10**9).to_integral_value(ROUND_HALF_EVEN))


def by_us(call: Call) -> int | None:
    price = PRICES.price(*call)
    return None if isinstance(price, Unpriced) else price


def prices_in(model: ModelInfo) -> list[ModelPrice]:
    return [model.prices] if isinstance(model.prices, ModelPrice) else [rule.prices for rule in model.prices]


def tier_starts(model: ModelInfo) -> set[int]:
    values = [value for prices in prices_in(model) for value in vars(prices).values()]
    return {tier.start for value in values if isinstance(value, TieredPrices) for tier in value.tiers}


def changes_us(model: ModelInfo) -> set[int]:
    """Instants at which a rule of *model* may begin or end."""
    changes = set()
    for rule in [] if isinstance(model.prices, ModelPrice) else model.prices:
        match rule.constraint:
            case StartDateConstraint(start_date=day):
                changes.add((day - EPOCH.date()).days * US_PER_DAY)
            case TimeOfDateConstraint(start_time=start, end_time=end):
                changes |= {
                    AT_US // US_PER_DAY * US_PER_DAY + at.hour * US_PER_HOUR + at.minute * 60_000_000
                    for at in (start, end)
                }
    return changes


def telling_calls() -> Iterator[Call]:
    """Calls of every model of the catalogue, around each place where its price may change."""
    for provider, model in CATALOGUE:
        sizes = {0, 1, 61_921} | {start + step for start in tier_starts(model) for step in (0, 1, 2)}
        instants = {AT_US} | {at + step for at in changes_us(model) for step in (-1, 0)}
        for at_us in sorted(instants):
            for size in sorted(sizes):
                yield model.id, provider, size, size // 3, 777, at_us


def test_every_model_costs_what_the_library_says_around_every_change_of_its_price() -> None:
    wrong = [call for call in telling_calls() if by_us(call) != by_the_library(call)]
    assert wrong == []


@st.composite
def calls(draw: st.DrawFn) -> Call:
    provider, model = draw(st.sampled_from(CATALOGUE))
    starts, changes = sorted(tier_starts(model)), sorted(changes_us(model))
    near_a_tier = (
        [st.sampled_from(starts).flatmap(lambda start: st.integers(max(start - 2, 0), start + 2))] if starts else []
    )
    near_a_change = [st.sampled_from(changes).flatmap(lambda at: st.integers(at - 2, at + 2))] if changes else []
    input_tokens = draw(st.one_of(st.integers(0, 10**6), st.integers(0, 10**12), *near_a_tier))
    at_us = draw(
        st.one_of(st.integers(0, 253_370_764_799_999_999), st.integers(AT_US, AT_US + 365 * US_PER_DAY), *near_a_change)
    )
    name = draw(
        st.sampled_from([model.id, model.id.upper(), f"{model.id}-20251211", f"x/{model.id}", f"{model.id}:free"])
    )
    given_provider = draw(st.sampled_from([provider, provider.upper(), f" {provider}", None, "litellm", "nobody"]))
    return name, given_provider, input_tokens, draw(st.integers(0, input_tokens)), draw(st.integers(0, 10**12)), at_us


@settings(REPEATABLE, max_examples=600)
@given(calls())
def test_any_call_costs_what_the_library_says(call: Call) -> None:
    assert by_us(call) == by_the_library(call)


@pytest.mark.parametrize(
    "model,provider,why",
    [
        ("claude-opus-4.6", "nobody", UNKNOWN_PROVIDER),
        ("no-such-model", "nobody", UNKNOWN_PROVIDER),
        ("no-such-model", "anthropic", UNKNOWN_MODEL),
        ("gpt-5", "anthropic", UNKNOWN_MODEL),
        ("no-such-model", None, UNKNOWN_MODEL),
        ("claude-no-such", None, UNKNOWN_MODEL),
        ("no-such-model", "litellm", UNKNOWN_MODEL),
    ],
)
def test_what_is_unknown_has_no_price_and_nothing_stands_in_for_it(
    model: str, provider: str | None, why: Unpriced
) -> None:
    assert PRICES.price(model, provider, 10, 0, 10, AT_US) == why
    assert PRICES.price(model, provider, 10, 0, 10, AT_US) == why


def test_cached_tokens_are_part_of_the_input_and_cost_less() -> None:
    uncached = PRICES.price("claude-opus-4.6", "anthropic", 1_000_000, 0, 0, AT_US)
    half = PRICES.price("claude-opus-4.6", "anthropic", 1_000_000, 500_000, 0, AT_US)
    assert (uncached, half) == (5_000_000_000, 2_750_000_000)


def test_an_event_is_priced_by_its_usage_whatever_it_says_it_cost() -> None:
    event = CostEvent("i", "t", "", AT_US, "claude-opus-4.6", 1_000_000, 0, provider="anthropic", cost_nanousd=1)
    assert PRICES.price_of(event) == 5_000_000_000


def test_the_version_is_that_of_the_installed_table() -> None:
    assert PRICES.version == genai_prices.__version__


def test_a_table_put_in_place_of_the_installed_one_changes_nothing() -> None:
    set_custom_snapshot(DataSnapshot([], from_auto_update=True))
    try:
        assert Prices().price("claude-opus-4.6", None, 1_000_000, 0, 0, AT_US) == 5_000_000_000
    finally:
        set_custom_snapshot(None)


def test_names_without_end_do_not_fill_the_memory() -> None:
    prices = Prices()
    for number in range(REMEMBERED_MAX + 5):
        assert prices.price(f"no-such-{number}", "nobody", 1, 0, 1, AT_US) == UNKNOWN_PROVIDER
    assert len(prices._tariffs) == REMEMBERED_MAX


def entry(*rules: ConditionalPrice) -> tuple[Provider, ModelInfo]:
    model = ModelInfo("m", ClauseEquals("m"), prices=list(rules))
    return Provider("p", "P", "p", models=[model]), model


def test_a_model_that_the_library_cannot_price_has_no_price() -> None:
    cached_only = ConditionalPrice(prices=ModelPrice(cache_read_mtok=Decimal(1)))
    for provider, model in (entry(cached_only), entry()):
        assert _tariff(provider, model).cells == ((NO_PRICE,),)


def test_a_model_without_price_for_a_time_has_none_then_and_one_later() -> None:
    prices = Prices()
    provider, model = entry(
        ConditionalPrice(prices=ModelPrice(cache_read_mtok=Decimal(1))),
        ConditionalPrice(
            StartDateConstraint(datetime(2026, 1, 1, tzinfo=UTC).date()), prices=ModelPrice(input_mtok=Decimal(1))
        ),
    )
    prices._tariffs["m", "p"] = prices._tariff_of(provider, model)
    assert prices.price("m", "p", 5, 0, 0, parse_instant("2025-12-31T23:59:59.999999Z")) == NO_PRICE
    assert prices.price("m", "p", 5, 0, 0, parse_instant("2026-01-01T00:00:00Z")) == 5_000
