"""What a value must be before anyone asks what it says: JSON, an object, in bounds; and what is not judged in it."""

from __future__ import annotations

import sys

import pytest

from engines.core.model import Invalid
from engines.cost.decode import CostEvent
from tests.engines.cost.written import (
    PLAIN,
    read,
    refused,
    value_of,
    with_raw,
)


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
