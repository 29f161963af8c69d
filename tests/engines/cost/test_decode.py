"""The members of a cost record: which there must be, of what kind, in which bounds."""

from __future__ import annotations

import json

import pytest

from engines.core.model import Invalid
from engines.cost.decode import CostEvent
from tests.engines.cost.written import (
    AT_US,
    MEMBERS,
    PLAIN,
    accepted,
    read,
    refused,
    value_of,
    with_raw,
    without,
)


def test_a_full_record_is_read_as_it_is_written() -> None:
    value = value_of(
        type="cost-record",
        user_id="ann",
        feature_tag="search",
        provider="openai",
        request_id="r",
        workflow_id="w",
        skill_id="s",
        cached_input_tokens=3,
        is_retry=True,
        cost_cents=1.25,
        whatever={"else": [1, "x"]},
    )
    assert read(value) == CostEvent(
        "call-1",
        "acme",
        "",
        AT_US,
        "gpt-5",
        10,
        5,
        "ann",
        "search",
        "openai",
        "r",
        "w",
        "s",
        3,
        is_retry=True,
        cost_nanousd=12_500_000,
    )


def test_what_is_left_out_or_null_has_its_default() -> None:
    optional = ("type", "user_id", "feature_tag", "provider", "request_id", "workflow_id", "skill_id")
    others = ("cached_input_tokens", "is_retry", "cost_cents")
    assert read(value_of()) == PLAIN
    assert read(value_of(**dict.fromkeys((*optional, *others)))) == PLAIN


@pytest.mark.parametrize(
    "raw,nanousd",
    [
        ("0", 0),
        ("-0", 0),
        ("-0.0", 0),
        ("0e5", 0),
        ("0e99999999999999999999", 0),
        ("1", 10_000_000),
        ("1.10", 11_000_000),
        ("1e3", 10_000_000_000),
        ("1E+3", 10_000_000_000),
        ("5e-05", 500),
        ("0.30000000000000004", 3_000_000),
        ("0.0000001", 1),
        ("0.00000005", 0),
        ("0.00000015", 2),
        ("0.00000025", 2),
        ("0.000000250000000000000000000001", 3),
        ("0.00000025" + "0" * 500 + "1", 3),
        ("0.00000024" + "9" * 500, 2),
        ("100000000", 10**15),
        ("100000000." + "0" * 600, 10**15),
        ("99999999.99999995", 10**15),
        ("1e8", 10**15),
        ("1e-400", 0),
        ("1e-999999999", 0),
        ("1e-99999999999999999999", 0),
        ("null", None),
    ],
)
def test_a_cost_is_read_exactly_and_rounded_half_even(raw: str, nanousd: int | None) -> None:
    assert accepted(with_raw("cost_cents", raw)).cost_nanousd == nanousd


@pytest.mark.parametrize(
    "raw,reason",
    [
        ("-1", "is not between 0 and 100000000"),
        ("-0.0000001", "is not between 0 and 100000000"),
        ("-1e-300", "is not between 0 and 100000000"),
        ("100000000.00000001", "is not between 0 and 100000000"),
        ("100000000." + "0" * 600 + "1", "is not between 0 and 100000000"),
        ("1e400", "is not between 0 and 100000000"),
        ("1e999999999", "is not between 0 and 100000000"),
        ("1e99999999999999999999", "is not between 0 and 100000000"),
        ("-1e99999999999999999999", "is not between 0 and 100000000"),
        ("9" * 5000, "is not between 0 and 100000000"),
        ('"1.5"', "is not a number that was read exactly"),
        ('""', "is not a number that was read exactly"),
        ('"12"', "is not a number that was read exactly"),
        ("true", "is not a number that was read exactly"),
        ("[1]", "is not a number that was read exactly"),
        ("{}", "is not a number that was read exactly"),
    ],
)
def test_a_cost_out_of_range_or_of_another_type_is_refused(raw: str, reason: str) -> None:
    assert refused(with_raw("cost_cents", raw)) == ("cost_cents", reason)


@pytest.mark.parametrize("name", ["input_tokens", "output_tokens", "cached_input_tokens"])
@pytest.mark.parametrize(
    "raw,reason",
    [
        ("1.0", "is not a JSON integer"),
        ("1e3", "is not a JSON integer"),
        ('"1"', "is not a JSON integer"),
        ("true", "is not a JSON integer"),
        ("[]", "is not a JSON integer"),
        ("-1", "is negative"),
        ("1000000000001", "is more than 1000000000000"),
        ("9" * 30, "is more than 1000000000000"),
        ("9" * 5000, "is more than 1000000000000"),
        ("-" + "9" * 5000, "is negative"),
    ],
)
def test_tokens_are_json_integers_in_range(name: str, raw: str, reason: str) -> None:
    assert refused(with_raw(name, raw)) == (name, reason)


def test_tokens_reach_from_minus_nought_to_the_bound() -> None:
    event = accepted(value_of(input_tokens=10**12, cached_input_tokens=10**12, output_tokens=10**12))
    assert (event.input_tokens, event.cached_input_tokens, event.output_tokens) == (10**12, 10**12, 10**12)
    assert accepted(with_raw("output_tokens", "-0")).output_tokens == 0


def test_cached_tokens_are_part_of_the_input() -> None:
    assert accepted(value_of(cached_input_tokens=10)).cached_input_tokens == 10
    assert refused(value_of(cached_input_tokens=11)) == ("cached_input_tokens", "is more than input_tokens")


TEXTS = ("id", "tenant_id", "model", "user_id", "feature_tag", "provider", "request_id", "workflow_id", "skill_id")


@pytest.mark.parametrize("name", [*TEXTS, "occurred_at"])
@pytest.mark.parametrize(
    "raw,reason",
    [
        ('""', "is empty"),
        ("5", "is not a string"),
        ("true", "is not a string"),
        ('["x"]', "is not a string"),
        ('{"x":1}', "is not a string"),
        ('"' + "x" * 257 + '"', "has more than 256 characters"),
        ('"' + "\N{GRINNING FACE}" * 257 + '"', "has more than 256 characters"),
        (r'"x\ud800y"', "contains a lone surrogate"),
        (r'"\udc00"', "contains a lone surrogate"),
        (r'"\ud83d\u0041"', "contains a lone surrogate"),
    ],
)
def test_a_string_that_is_none_or_holds_what_it_must_not_is_refused(name: str, raw: str, reason: str) -> None:
    assert refused(with_raw(name, raw)) == (name, reason)


@pytest.mark.parametrize("name", TEXTS)
def test_a_nul_is_refused(name: str) -> None:
    assert refused(with_raw(name, r'"x\u0000"')) == (name, "contains a NUL character")


@pytest.mark.parametrize("text", ["x", "x" * 256, "\N{GRINNING FACE}" * 256, "\u200b", " ", "\\u0000", '"', "\x7f"])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_string_is_counted_in_characters_however_it_is_escaped(text: str, *, ascii_only: bool) -> None:
    value = json.dumps({**MEMBERS, "user_id": text}, ensure_ascii=ascii_only).encode()
    assert accepted(value).user_id == text


@pytest.mark.parametrize("name", list(MEMBERS))
def test_what_is_required_must_be_there(name: str) -> None:
    assert refused(without(name)) == (name, "is missing or null")
    assert refused(value_of(**{name: None})) == (name, "is missing or null")


@pytest.mark.parametrize("raw", ["0", "1", '"true"', "[]"])
def test_a_retry_is_true_or_false(raw: str) -> None:
    assert refused(with_raw("is_retry", raw)) == ("is_retry", "is not true or false")


@pytest.mark.parametrize("raw", ['"run-started"', '""', "5", '"Cost-Record"', "{}"])
def test_an_unknown_type_is_refused_before_anything_else_is_judged(raw: str) -> None:
    value = f'{{"type":{raw},"id":5}}'.encode()
    assert refused(value) == ("type", "is not 'cost-record'")


def test_of_several_violations_the_first_in_the_order_of_the_contract_is_named() -> None:
    value = value_of(cost_cents=-1, is_retry=3, output_tokens=-1, model="")
    assert refused(value) == ("model", "is empty")


def test_an_event_may_be_five_minutes_ahead_of_its_append_time_and_no_more() -> None:
    five_minutes_us = 300_000_000
    assert read(value_of(), append_us=AT_US - five_minutes_us) == PLAIN
    too_early = Invalid("occurred_at", "future")
    assert read(value_of(), append_us=AT_US - five_minutes_us - 1) == too_early
    assert read(with_raw("x", r'"\u0000"'), append_us=AT_US - five_minutes_us) == PLAIN
    assert read(with_raw("x", r'"\u0000"'), append_us=AT_US - five_minutes_us - 1) == too_early
    assert read(value_of(is_retry=5), append_us=0) == Invalid("is_retry", "is not true or false")
