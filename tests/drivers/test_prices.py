from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
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
    Tier,
    TieredPrices,
    TimeOfDateConstraint,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.prices import REMEMBERED_MAX, Prices, _tariff
from engines.core.time import US_PER_DAY, parse_instant
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


def event(
    model: str, provider: str | None, input_tokens: int, cached: int, output_tokens: int, at_us: int = AT_US
) -> CostEvent:
    usage = (input_tokens, output_tokens)
    return CostEvent("i", "t", "", at_us, model, *usage, provider=provider, cached_input_tokens=cached)


def by_us(call: Call) -> int | None:
    price = PRICES.price_of(event(*call))
    return None if isinstance(price, Unpriced) else price


def prices_in(model: ModelInfo) -> list[ModelPrice]:
    return [model.prices] if isinstance(model.prices, ModelPrice) else [rule.prices for rule in model.prices]


def tier_starts(model: ModelInfo) -> set[int]:
    values = [value for prices in prices_in(model) for value in vars(prices).values()]
    return {tier.start for value in values if isinstance(value, TieredPrices) for tier in value.tiers}


def changes_us(model: ModelInfo) -> set[int]:
    """Instants at which a rule of *model* may begin or end; those by the time of day on each day on which one does."""
    rules = [] if isinstance(model.prices, ModelPrice) else [rule.constraint for rule in model.prices]
    days = {(rule.start_date - EPOCH.date()).days for rule in rules if isinstance(rule, StartDateConstraint)}
    times = {at for rule in rules if isinstance(rule, TimeOfDateConstraint) for at in (rule.start_time, rule.end_time)}
    times_us = {(datetime.combine(EPOCH, at) - EPOCH) // timedelta(microseconds=1) % US_PER_DAY for at in times}
    by_day = {day * US_PER_DAY for day in days}
    return by_day | {
        day * US_PER_DAY + at for day in days | {day - 1 for day in days} | {AT_US // US_PER_DAY} for at in times_us
    }


def telling_calls() -> Iterator[Call]:
    """Calls of every model of the catalogue, around each place where its price may change."""
    for provider, model in CATALOGUE:
        usages = {(0, 0, 0), (1, 1, 0), (61_921, 20_640, 777)}
        for start in tier_starts(model):
            usages |= {(start + step, (start + step) // 3, 777) for step in (-1, 0, 1, 2)}
            usages |= {(start, start, 0), (start + 1, start + 1, 0), (start + 1, 0, 0), (0, 0, start + 1)}
        instants = {AT_US} | {at + step for at in changes_us(model) for step in (-1, 0, 1)}
        for at_us in sorted(instants):
            for usage in sorted(usages):
                yield model.id, provider, *usage, at_us


def test_the_catalogue_has_tiers_dates_and_times_of_day_to_be_tried() -> None:
    rules = [rule for _, model in CATALOGUE if not isinstance(model.prices, ModelPrice) for rule in model.prices]
    kinds = {type(rule.constraint) for rule in rules}
    assert {StartDateConstraint, TimeOfDateConstraint} <= kinds
    assert any(tier_starts(model) for _, model in CATALOGUE)
    assert any(prices.requests_kcount for _, model in CATALOGUE for prices in prices_in(model))


def test_every_model_costs_what_the_library_says_around_every_change_of_its_price() -> None:
    wrong = [call for call in telling_calls() if by_us(call) != by_the_library(call)]
    assert wrong == []


@settings(REPEATABLE, max_examples=8)
@given(
    st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**7), st.integers(AT_US, AT_US + 400 * US_PER_DAY)
)
def test_every_model_costs_what_the_library_says_for_any_usage_at_any_time(
    uncached: int, cached: int, output_tokens: int, at_us: int
) -> None:
    usage = (uncached + cached, cached, output_tokens)
    calls_of_all = [(model.id, provider, *usage, at_us) for provider, model in CATALOGUE]
    assert [call for call in calls_of_all if by_us(call) != by_the_library(call)] == []


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
    assert PRICES.price_of(event(model, provider, 10, 0, 10)) == why
    assert PRICES.price_of(event(model, provider, 10, 0, 10)) == why


def test_cached_tokens_are_part_of_the_input_and_cost_less() -> None:
    uncached = PRICES.price_of(event("claude-opus-4.6", "anthropic", 1_000_000, 0, 0))
    half = PRICES.price_of(event("claude-opus-4.6", "anthropic", 1_000_000, 500_000, 0))
    assert (uncached, half) == (5_000_000_000, 2_750_000_000)


def test_a_price_depends_on_model_provider_usage_and_time_alone() -> None:
    said = event("claude-opus-4.6", "anthropic", 1_000_000, 0, 0)
    said.cost_nanousd, said.tenant_id, said.id, said.is_retry, said.source = 1, "other", "j", True, "//elsewhere"
    said.user_id, said.feature_tag, said.request_id, said.workflow_id, said.skill_id = "u", "f", "r", "w", "s"
    assert PRICES.price_of(said) == 5_000_000_000


def test_the_version_is_that_of_the_installed_table() -> None:
    assert PRICES.version == genai_prices.__version__


def test_a_table_put_in_place_of_the_installed_one_changes_nothing() -> None:
    set_custom_snapshot(DataSnapshot([], from_auto_update=True))
    try:
        assert Prices().price_of(event("claude-opus-4.6", None, 1_000_000, 0, 0)) == 5_000_000_000
    finally:
        set_custom_snapshot(None)


def test_names_without_end_do_not_fill_the_memory() -> None:
    prices = Prices()
    for number in range(REMEMBERED_MAX + 5):
        assert prices.price_of(event(f"no-such-{number}", "nobody", 1, 0, 1)) == UNKNOWN_PROVIDER
    assert len(prices._tariffs) == REMEMBERED_MAX


def entry(*rules: ConditionalPrice) -> ModelInfo:
    return ModelInfo("m", ClauseEquals("m"), prices=list(rules))


def rule(
    constraint: StartDateConstraint | TimeOfDateConstraint | None = None, **rates: Decimal | TieredPrices
) -> ConditionalPrice:
    return ConditionalPrice(constraint, prices=ModelPrice(**rates))


CACHED_ONLY = rule(cache_read_mtok=Decimal(1))


def test_a_model_that_the_library_cannot_price_has_no_price() -> None:
    for model in (entry(CACHED_ONLY), entry()):
        assert _tariff(model).cells == ((NO_PRICE,),)


def test_a_model_without_price_for_a_time_has_none_then_and_one_later() -> None:
    prices = Prices()
    model = entry(CACHED_ONLY, rule(StartDateConstraint(date(2026, 1, 1)), input_mtok=Decimal(1)))
    prices._tariffs["m", "p"] = prices._tariff_of(model)
    before, after = parse_instant("2025-12-31T23:59:59.999999Z"), parse_instant("2026-01-01T00:00:00Z")
    assert prices.price_of(event("m", "p", 5, 0, 0, at_us=before)) == NO_PRICE
    assert prices.price_of(event("m", "p", 5, 0, 0, at_us=after)) == 5_000


def test_cached_tokens_may_be_free_which_is_not_to_have_no_rate_of_their_own() -> None:
    prices = Prices()
    prices._tariffs["free", "p"] = prices._tariff_of(entry(rule(input_mtok=Decimal(1), cache_read_mtok=Decimal(0))))
    prices._tariffs["none", "p"] = prices._tariff_of(entry(rule(input_mtok=Decimal(1))))
    assert [prices.price_of(event(name, "p", 10, 4, 0)) for name in ("free", "none")] == [6_000, 10_000]


rates = st.just(Decimal(0)) | st.decimals(0, 1000, places=6)
constraints = st.one_of(
    st.none(),
    st.builds(StartDateConstraint, st.dates(date(2025, 12, 25), date(2026, 1, 5))),
    st.builds(
        TimeOfDateConstraint,
        st.times(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])),
        st.times(timezones=st.just(UTC)),
    ),
)


@st.composite
def tiered(draw: st.DrawFn) -> Decimal | TieredPrices:
    base = draw(rates)
    tiers = draw(st.lists(st.builds(Tier, st.integers(0, 12), rates), max_size=3))
    return TieredPrices(base, tiers) if tiers else base


@st.composite
def rules(draw: st.DrawFn) -> ConditionalPrice:
    wanted = draw(st.sets(st.sampled_from(("input_mtok", "cache_read_mtok", "output_mtok", "requests_kcount"))))
    return rule(draw(constraints), **{name: draw(tiered()) for name in sorted(wanted)})


@settings(REPEATABLE, max_examples=300)
@given(st.lists(rules(), min_size=1, max_size=4), st.data())
def test_tables_that_are_still_to_come_are_read_as_the_library_reads_them(
    some: list[ConditionalPrice], data: st.DataObject
) -> None:
    model, prices = entry(*some), Prices()
    prices._tariffs["m", "p"] = prices._tariff_of(model)
    input_tokens = data.draw(st.integers(1, 14))
    usage = (input_tokens, data.draw(st.integers(0, input_tokens)), data.draw(st.integers(0, 20)))
    days = data.draw(st.integers(-9, 9))
    near = [AT_US] + [at + step for at in sorted(changes_us(model)) for step in (-1, 0, 1)]
    at_us = data.draw(st.sampled_from(near)) + days * US_PER_DAY
    call = Usage(input_tokens=usage[0], cache_read_tokens=usage[1], output_tokens=usage[2])
    try:
        priced = model.calc_price(
            call, Provider("p", "P", "p"), genai_request_timestamp=EPOCH + timedelta(microseconds=at_us)
        )
        expected: int | Unpriced = int((priced.total_price * 10**9).to_integral_value(ROUND_HALF_EVEN))
    except ValueError:
        expected = NO_PRICE
    assert prices.price_of(event("m", "p", *usage, at_us=at_us)) == expected
