"""CloudEvents headers stand for members that the body lacks."""

from __future__ import annotations

import pytest

from tests.engines.cost.written import (
    AT_US,
    PLAIN,
    Headers,
    accepted,
    read,
    refused,
    value_of,
    without,
)

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
