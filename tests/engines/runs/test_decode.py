"""The members of an event of a run: which there must be, of what kind, in which bounds."""

from __future__ import annotations

import json

import pytest

from engines.core.model import Invalid
from engines.runs.event import OUTCOMES, RunEvent, content_crc, identity
from tests.engines.runs.written import AT_US, MEMBERS, PLAIN, accepted, read, refused, value_of, with_raw, without

REQUIRED_TEXTS = ("run_id", "tenant_id", "worker_id")
TEXTS = ("id", *REQUIRED_TEXTS, "error_type", "model", "feature_tag", "request_id")
TOKENS = ("input_tokens", "output_tokens")
NO_TYPE = "is not one of run-started, run-completed, run-failed, run-crashed"


def test_a_full_event_is_read_as_it_is_written() -> None:
    value = value_of(
        error="it broke",
        error_type="ValueError",
        cost_cents=1.25,
        input_tokens=10,
        output_tokens=5,
        model="gpt-5",
        feature_tag="search",
        request_id="r",
        whatever={"else": [1, "x"]},
    )
    assert read(value) == RunEvent(
        "event-1",
        "acme",
        "",
        AT_US,
        "run-1",
        "triage",
        OUTCOMES["run-failed"],
        "it broke",
        "ValueError",
        12_500_000,
        10,
        5,
        "gpt-5",
        "search",
        "r",
    )


def test_what_is_left_out_or_null_is_none() -> None:
    optional = ("error", "error_type", "cost_cents", *TOKENS, "model", "feature_tag", "request_id")
    assert read(value_of()) == PLAIN
    assert read(value_of(**dict.fromkeys(optional))) == PLAIN


@pytest.mark.parametrize("name,outcome", OUTCOMES.items())
def test_the_type_says_what_became_of_the_run(name: str, outcome: int) -> None:
    assert accepted(value_of(type=name)).outcome == outcome


@pytest.mark.parametrize("raw", ['"cost-record"', '""', "5", '"Run-Failed"', "{}", '"run-failed "'])
def test_an_unknown_type_is_refused_before_anything_else_is_judged(raw: str) -> None:
    assert refused(f'{{"type":{raw},"id":5}}'.encode()) == ("type", NO_TYPE)


@pytest.mark.parametrize("name", ["type", *REQUIRED_TEXTS, "occurred_at"])
def test_what_is_required_must_be_there(name: str) -> None:
    assert refused(without(name)) == (name, "is missing or null")
    assert refused(value_of(**{name: None})) == (name, "is missing or null")


def test_an_event_without_an_id_has_that_of_its_run_and_says_so() -> None:
    for value in (without("id"), value_of(id=None)):
        event = accepted(value)
        assert (event.id, event.is_id_default) == ("run-1", True)
    assert not accepted(value_of(id="run-1")).is_id_default
    assert refused(value_of(id="")) == ("id", "is empty")


def test_without_ids_the_end_of_a_run_is_no_copy_of_its_start_and_with_one_it_conflicts() -> None:
    start, end = (accepted(value_of(type=name, id=None)) for name in ("run-started", "run-failed"))
    assert identity(start) != identity(end)
    assert identity(accepted(value_of(type="run-failed", id=None, error="x"))) == identity(end)
    named = [accepted(value_of(type=name)) for name in ("run-started", "run-failed")]
    assert identity(named[0]) == identity(named[1])
    assert content_crc(named[0]) != content_crc(named[1])


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
    ],
)
def test_a_string_that_is_none_or_holds_what_it_must_not_is_refused(name: str, raw: str, reason: str) -> None:
    assert refused(with_raw(name, raw)) == (name, reason)


@pytest.mark.parametrize("name", [*TEXTS, "error"])
def test_a_nul_is_refused(name: str) -> None:
    assert refused(with_raw(name, r'"x\u0000"')) == (name, "contains a NUL character")


@pytest.mark.parametrize("text", ["x", "x" * 256, "\N{GRINNING FACE}" * 256, " ", "\\u0000", '"', "\x7f"])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_string_is_counted_in_characters_however_it_is_escaped(text: str, *, ascii_only: bool) -> None:
    value = json.dumps({**MEMBERS, "model": text, "error": text}, ensure_ascii=ascii_only).encode()
    event = accepted(value)
    assert (event.model, event.error) == (text, text)


@pytest.mark.parametrize("text", ["", " ", "two\nlines", "x" * 65_536, "\N{GRINNING FACE}" * 65_536, "[" * 65_536])
def test_an_error_may_be_empty_or_long(text: str) -> None:
    assert accepted(value_of(error=text)).error == text


@pytest.mark.parametrize(
    "raw,reason",
    [
        ("5", "is not a string"),
        ("{}", "is not a string"),
        ('"' + "x" * 65_537 + '"', "has more than 65536 characters"),
        ('"' + "\N{GRINNING FACE}" * 65_537 + '"', "has more than 65536 characters"),
        (r'"x\ud800y"', "contains a lone surrogate"),
    ],
)
@pytest.mark.parametrize("name", OUTCOMES)
def test_an_error_is_checked_whatever_became_of_the_run(name: str, raw: str, reason: str) -> None:
    value = with_raw("error", raw).replace(b"run-failed", name.encode())
    assert refused(value) == ("error", reason)


@pytest.mark.parametrize(
    "raw,nanousd",
    [
        ("0", 0),
        ("-0.0", 0),
        ("1.10", 11_000_000),
        ("1e3", 10_000_000_000),
        ("0.30000000000000004", 3_000_000),
        ("0.00000015", 2),
        ("0.00000025", 2),
        ("0.00000025" + "0" * 500 + "1", 3),
        ("1e8", 10**15),
        ("1e-400", 0),
        ("null", None),
    ],
)
def test_a_cost_is_read_exactly_and_rounded_half_even(raw: str, nanousd: int | None) -> None:
    assert accepted(with_raw("cost_cents", raw)).cost_nanousd == nanousd


@pytest.mark.parametrize(
    "raw,reason",
    [
        ("-0.0000001", "is not between 0 and 100000000"),
        ("100000000.00000001", "is not between 0 and 100000000"),
        ("1e400", "is not between 0 and 100000000"),
        ('"1.5"', "is not a number that was read exactly"),
        ("true", "is not a number that was read exactly"),
        ("[1]", "is not a number that was read exactly"),
    ],
)
def test_a_cost_out_of_range_or_of_another_type_is_refused(raw: str, reason: str) -> None:
    assert refused(with_raw("cost_cents", raw)) == ("cost_cents", reason)


@pytest.mark.parametrize("name", TOKENS)
@pytest.mark.parametrize(
    "raw,reason",
    [
        ("1.0", "is not a JSON integer"),
        ('"1"', "is not a JSON integer"),
        ("true", "is not a JSON integer"),
        ("[]", "is not a JSON integer"),
        ("-1", "is negative"),
        ("1000000000001", "is more than 1000000000000"),
        ("9" * 5000, "is more than 1000000000000"),
    ],
)
def test_tokens_are_json_integers_in_range(name: str, raw: str, reason: str) -> None:
    assert refused(with_raw(name, raw)) == (name, reason)


def test_tokens_of_nothing_are_not_tokens_that_nobody_counted() -> None:
    event = accepted(value_of(input_tokens=0, output_tokens=10**12))
    assert (event.input_tokens, event.output_tokens) == (0, 10**12)
    assert accepted(value_of()).input_tokens is None


def test_of_several_violations_the_first_in_the_order_of_the_contract_is_named() -> None:
    value = value_of(request_id=5, input_tokens=-1, cost_cents=-1, error=5, worker_id="")
    assert refused(value) == ("worker_id", "is empty")


def test_an_event_may_be_five_minutes_ahead_of_its_append_time_and_no_more() -> None:
    five_minutes_us = 300_000_000
    too_early = Invalid("occurred_at", "future")
    for value in (value_of(), with_raw("x", r'"\u0000"')):
        assert read(value, append_us=AT_US - five_minutes_us) == PLAIN
        assert read(value, append_us=AT_US - five_minutes_us - 1) == too_early
    assert read(value_of(model=5), append_us=0) == Invalid("model", "is not a string")


@pytest.mark.parametrize(
    "value,reason",
    [
        (None, "the value is null"),
        (b"", "the value is not JSON"),
        (value_of() + b"x", "the value is not JSON"),
        (b"[]", "the value is not a JSON object"),
        (b'{"x":"\xff"}', "the value is not UTF-8 (byte 6)"),
        (with_raw("error", "NaN"), "the value is not JSON: NaN is no JSON number"),
        (with_raw("x", '"' + "y" * (1 << 20) + '"'), "the value is longer than 1 MiB"),
        (with_raw("x", "[" * 512 + "]" * 512), "the value is nested deeper than 512"),
    ],
)
def test_a_value_that_is_no_json_object_is_refused_as_a_whole(value: bytes | None, reason: str) -> None:
    field, told = refused(value)
    assert field is None
    assert told.startswith(reason)


@pytest.mark.parametrize("first", ['"a"', "5", "null", '""', "[]", r'"\ud800"', r'"\u0000"'])
def test_of_duplicate_members_the_last_counts_whatever_the_first_was(first: str) -> None:
    assert read(f'{{"worker_id":{first},'.encode() + value_of()[1:]) == PLAIN
    assert refused(with_raw("worker_id", "5")) == ("worker_id", "is not a string")
