from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import pytest

from engines.core.model import Invalid
from engines.core.time import parse_instant
from engines.cost.decode import CostEvent, decode

AT = "2026-03-18T21:28:01.943Z"
AT_US = parse_instant(AT)
MEMBERS: dict[str, object] = {
    "id": "call-1",
    "tenant_id": "acme",
    "occurred_at": AT,
    "model": "gpt-5",
    "input_tokens": 10,
    "output_tokens": 5,
}
PLAIN = CostEvent("call-1", "acme", "", AT_US, "gpt-5", 10, 5)
Headers = Sequence[tuple[str, bytes | None]]


def value_of(**members: object) -> bytes:
    return json.dumps({**MEMBERS, **members}).encode()


def with_raw(member: str, raw: str) -> bytes:
    """A good record with one more member, written as it stands."""
    return f'{json.dumps(MEMBERS)[:-1]},"{member}":{raw}}}'.encode()


def without(*names: str) -> bytes:
    return json.dumps({name: member for name, member in MEMBERS.items() if name not in names}).encode()


def read(value: bytes | None, headers: Headers = (), append_us: int = AT_US) -> CostEvent | Invalid:
    return decode(value, headers, append_us)


def accepted(value: bytes, headers: Headers = ()) -> CostEvent:
    event = read(value, headers)
    assert isinstance(event, CostEvent)
    return event


def refused(value: bytes | None, headers: Headers = ()) -> tuple[str | None, str]:
    invalid = read(value, headers)
    assert isinstance(invalid, Invalid)
    return invalid.field, invalid.reason


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


@pytest.mark.parametrize(
    "value,reason",
    [
        (None, "the value is null"),
        (b"", "the value is not JSON"),
        (b" ", "the value is not JSON"),
        (b"nonsense", "the value is not JSON"),
        (b"{", "the value is not JSON"),
        (b'{"id":"x",}', "the value is not JSON"),
        (b"{'id':1}", "the value is not JSON"),
        (value_of() + b"x", "the value is not JSON"),
        (value_of() + value_of(), "the value is not JSON"),
        (value_of() + b"\0", "the value is not JSON"),
        (b"\xef\xbb\xbf" + value_of(), "the value is not JSON"),
        (with_raw("x", "NaN"), "the value is not JSON: NaN is no JSON number"),
        (with_raw("x", "-Infinity"), "the value is not JSON: -Infinity is no JSON number"),
        (with_raw("cost_cents", "NaN"), "the value is not JSON: NaN is no JSON number"),
        (with_raw("x", "01"), "the value is not JSON"),
        (with_raw("x", "1."), "the value is not JSON"),
        (with_raw("x", ".5"), "the value is not JSON"),
        (with_raw("x", "+1"), "the value is not JSON"),
        (with_raw("x", "[1,]"), "the value is not JSON"),
        (with_raw("x", r'"\q"'), "the value is not JSON"),
        (with_raw("x", r'"\u12g4"'), "the value is not JSON"),
        (with_raw("x", '"a\nb"'), "the value is not JSON"),
        (with_raw("id", '"a\0b"'), "the value is not JSON"),
        (with_raw("x", "/* no */ 1"), "the value is not JSON"),
        (b"[]", "the value is not a JSON object"),
        (b"null", "the value is not a JSON object"),
        (b'"text"', "the value is not a JSON object"),
        (b"5", "the value is not a JSON object"),
        (b"1e999999999999999999999", "the value is not a JSON object"),
        (b'{"x":"\xff"}', "the value is not UTF-8 (byte 6)"),
        (b'{"x":"\xed\xa0\x80"}', "the value is not UTF-8 (byte 6)"),
        (b'{"x":"\xc0\x80"}', "the value is not UTF-8 (byte 6)"),
        (value_of()[:-1] + b',"\xff":1}', "the value is not UTF-8 (byte 139)"),
        (value_of().decode().encode("utf-16"), "the value is not UTF-8 (byte 0)"),
        (b" " * (1 << 20) + value_of(), "the value is longer than 1 MiB"),
        (with_raw("x", '"' + "y" * (1 << 20) + '"'), "the value is longer than 1 MiB"),
    ],
)
def test_a_value_that_is_no_json_object_is_refused_as_a_whole(value: bytes | None, reason: str) -> None:
    field, told = refused(value)
    assert field is None
    assert told.startswith(reason)


def test_a_value_of_exactly_one_mebibyte_is_read() -> None:
    padded = value_of() + b" " * ((1 << 20) - len(value_of()))
    assert read(padded) == PLAIN
    assert refused(padded + b" ") == (None, "the value is longer than 1 MiB")


def nested(depth: int, opening: str = "[", closing: str = "]") -> bytes:
    """A good record that is nested *depth* deep in a member nobody knows."""
    return with_raw("x", opening * (depth - 1) + "0" * (opening != "[") + closing * (depth - 1))


@pytest.mark.parametrize("depth", [2, 64, 200, 512])
def test_nesting_up_to_the_bound_is_accepted(depth: int) -> None:
    assert read(nested(depth)) == PLAIN
    assert read(nested(depth, '{"y":', "}")) == PLAIN


@pytest.mark.parametrize("unusual", ["[]", r'"\u0000"', r'"\ud800"'])
def test_the_bound_of_nesting_is_the_same_for_unusual_records(unusual: str) -> None:
    assert read(nested(512)[:-1] + f',"y":{unusual}}}'.encode()) == PLAIN
    assert refused(nested(513)[:-1] + f',"y":{unusual}}}'.encode()) == (None, "the value is nested deeper than 512")


def test_many_brackets_side_by_side_are_no_nesting() -> None:
    assert read(with_raw("x", "[" + "[]," * 5000 + "{}]")) == PLAIN
    assert read(with_raw("x", '"' + "[{" * 5000 + r"\"[" * 5000 + '"')) == PLAIN


@pytest.mark.parametrize("depth", [513, 600, 2000, 400_001])
def test_nesting_past_the_bound_is_refused_and_harms_nobody(depth: int) -> None:
    too_deep = (None, "the value is nested deeper than 512")
    assert refused(nested(depth)) == too_deep
    assert refused(with_raw("cost_cents", "[" * (depth - 1) + "]" * (depth - 1))) == too_deep
    if depth > 1024:
        assert refused(with_raw("x", "[" * (depth - 1))) == too_deep
    if depth < 100_000:
        assert refused(nested(depth, '{"y":', "}")) == too_deep


def from_frames_below(frames: int, value: bytes) -> CostEvent | Invalid:
    return from_frames_below(frames - 1, value) if frames else read(value)


def test_a_reader_with_little_stack_left_refuses_nesting_instead_of_failing() -> None:
    frames = sys.getrecursionlimit() - 400
    assert from_frames_below(frames, nested(64)) == PLAIN
    assert from_frames_below(frames, nested(450)) == Invalid(None, "the value is nested deeper than 512")


def test_a_quote_that_is_never_closed_costs_one_look_at_each_character() -> None:
    field, reason = refused(with_raw("x", '"' + r"\"" * 500_000))
    assert field is None
    assert reason.startswith("the value is not JSON")


@pytest.mark.parametrize(
    "raw",
    [
        "1e400",
        "1e99999999999999999999",
        "-1e-99999999999999999999",
        "9" * 5000,
        r'"\ud800"',
        r'"\u0000"',
        r'{"\udfff": {"id": 5, "type": "z"}}',
        '""',
        '"' + "y" * 1000 + '"',
    ],
)
def test_what_stands_in_members_nobody_knows_is_not_judged(raw: str) -> None:
    assert read(with_raw("x", raw)) == PLAIN
    assert read(with_raw("source", raw)) == PLAIN
    assert read(with_raw(r"\ud800", raw)) == PLAIN


@pytest.mark.parametrize("first", ['"a"', "5", "null", '""', "[]", r'"\ud800"', r'"\u0000"'])
def test_of_duplicate_members_the_last_counts_whatever_the_first_was(first: str) -> None:
    assert read(f'{{"model":{first},'.encode() + value_of()[1:]) == PLAIN


def test_of_duplicate_members_a_bad_last_one_counts_too() -> None:
    assert refused(with_raw("id", "5")) == ("id", "is not a string")
    assert refused(with_raw("id", "null")) == ("id", "is missing or null")
    assert refused(with_raw(r"\u0069d", "5")) == ("id", "is not a string")


def test_blanks_around_the_object_are_no_matter() -> None:
    assert read(b" \t\r\n" + value_of() + b"\n") == PLAIN


CE_ID, CE_TIME, CE_TYPE = (
    ("ce_id", b"from-header"),
    ("ce_time", b"2026-03-18T22:28:01.943+01:00"),
    ("ce_type", b"cost-record"),
)


def test_headers_fill_what_the_body_lacks() -> None:
    event = accepted(without("id", "occurred_at"), [CE_ID, CE_TIME, CE_TYPE, ("ce_source", b"/gateway")])
    assert (event.id, event.occurred_at, event.source) == ("from-header", AT_US, "/gateway")
    nulls = value_of(id=None, occurred_at=None, type=None)
    assert read(nulls, [CE_ID, CE_TIME, CE_TYPE, ("ce_source", b"/gateway")]) == event


def test_the_body_wins_over_headers_and_then_they_are_not_even_read() -> None:
    headers = [("ce_id", b"\xff"), ("ce_time", b"never"), ("ce_type", b"other"), ("content-type", b"\xff")]
    assert read(value_of(type="cost-record"), headers) == PLAIN


@pytest.mark.parametrize(
    "headers,field,reason",
    [
        ([("ce_type", b"run-started")], "type", "is not 'cost-record'"),
        ([("ce_type", b"")], "type", "is not 'cost-record'"),
        ([("ce_type", b"\xff")], "type", "the header ce_type is not UTF-8"),
        ([("ce_id", b"\xff")], "id", "the header ce_id is not UTF-8"),
        ([("ce_id", b"")], "id", "is empty"),
        ([("ce_id", b"a\0")], "id", "contains a NUL character"),
        ([("ce_id", b"x" * 257)], "id", "has more than 256 characters"),
        ([("ce_id", None)], "id", "is missing or null"),
        ([("CE_ID", b"x")], "id", "is missing or null"),
        ([CE_ID], "occurred_at", "is missing or null"),
        ([CE_ID, ("ce_time", b"")], "occurred_at", "is empty"),
        ([CE_ID, ("ce_time", b"\xff")], "occurred_at", "the header ce_time is not UTF-8"),
        ([CE_ID, ("ce_time", b"today")], "occurred_at", "is not of the form YYYY-MM-DDThh:mm:ss[.digits](Z|±hh:mm)"),
        ([CE_ID, CE_TIME, ("ce_source", b"\xff")], "source", "the header ce_source is not UTF-8"),
        (
            [CE_ID, CE_TIME, ("ce_source", b"x" * 257)],
            "source",
            "the header ce_source is longer than 256 or contains a NUL",
        ),
        ([CE_ID, CE_TIME, ("ce_source", b"\0")], "source", "the header ce_source is longer than 256 or contains a NUL"),
    ],
)
def test_a_header_that_is_used_is_judged_like_the_member_it_stands_for(
    headers: Headers, field: str, reason: str
) -> None:
    assert refused(without("id", "occurred_at"), headers) == (field, reason)


def test_a_header_of_another_type_refuses_a_body_that_is_whole_but_for_it() -> None:
    assert refused(value_of(), [("ce_type", b"run-started")]) == ("type", "is not 'cost-record'")
    assert refused(without("id"), [("ce_id", b"")]) == ("id", "is empty")
    assert refused(without("id"), [("ce_id", b"a\0")]) == ("id", "contains a NUL character")
    assert refused(value_of(), [("ce_source", b"\0")])[0] == "source"


def test_of_headers_of_one_name_the_last_with_a_value_counts() -> None:
    headers = [("ce_source", b"\xff"), ("ce_source", b"/a"), ("ce_source", b"/b"), ("ce_source", None)]
    assert accepted(value_of(), headers).source == "/b"
    assert accepted(value_of(), [("ce_source", b"")]).source == ""


def test_an_event_may_be_five_minutes_ahead_of_its_append_time_and_no_more() -> None:
    five_minutes_us = 300_000_000
    assert read(value_of(), append_us=AT_US - five_minutes_us) == PLAIN
    too_early = Invalid("occurred_at", "future")
    assert read(value_of(), append_us=AT_US - five_minutes_us - 1) == too_early
    assert read(with_raw("x", r'"\u0000"'), append_us=AT_US - five_minutes_us) == PLAIN
    assert read(with_raw("x", r'"\u0000"'), append_us=AT_US - five_minutes_us - 1) == too_early
    assert read(value_of(is_retry=5), append_us=0) == Invalid("is_retry", "is not true or false")
