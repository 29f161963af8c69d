"""CloudEvents headers stand for members that the body lacks."""

from __future__ import annotations

import pytest

from engines.runs.event import CRASHED
from tests.engines.runs.written import AT_US, PLAIN, Headers, accepted, read, refused, value_of, without

CE_ID, CE_TIME, CE_TYPE = (
    ("ce_id", b"from-header"),
    ("ce_time", b"2026-03-18T22:28:01.943+01:00"),
    ("ce_type", b"run-crashed"),
)
NO_TYPE = "is not one of run-started, run-completed, run-failed, run-crashed"
NO_SOURCE = "the header ce_source is longer than 256 or contains a NUL"


def test_headers_fill_what_the_body_lacks() -> None:
    headers = [CE_ID, CE_TIME, CE_TYPE, ("ce_source", b"/scheduler")]
    event = accepted(without("id", "occurred_at", "type"), headers)
    assert (event.id, event.occurred_at, event.outcome, event.source) == ("from-header", AT_US, CRASHED, "/scheduler")
    assert not event.is_id_default
    assert read(value_of(id=None, occurred_at=None, type=None), headers) == event


def test_the_body_wins_over_headers_and_then_they_are_not_even_read() -> None:
    headers = [("ce_id", b"\xff"), ("ce_time", b"never"), ("ce_type", b"other"), ("content-type", b"\xff")]
    assert read(value_of(), headers) == PLAIN


@pytest.mark.parametrize(
    "headers,field,reason",
    [
        ([], "type", "is missing or null"),
        ([("ce_type", b"cost-record")], "type", NO_TYPE),
        ([("ce_type", b"")], "type", NO_TYPE),
        ([("ce_type", b"\xff")], "type", "the header ce_type is not UTF-8"),
        ([CE_TYPE, ("ce_id", b"\xff")], "id", "the header ce_id is not UTF-8"),
        ([CE_TYPE, ("ce_id", b"")], "id", "is empty"),
        ([CE_TYPE, ("ce_id", b"a\0")], "id", "contains a NUL character"),
        ([CE_TYPE, ("ce_id", b"x" * 257)], "id", "has more than 256 characters"),
        ([CE_TYPE], "occurred_at", "is missing or null"),
        ([CE_TYPE, ("ce_time", b"\xff")], "occurred_at", "the header ce_time is not UTF-8"),
        ([CE_TYPE, CE_TIME, ("ce_source", b"\xff")], "source", "the header ce_source is not UTF-8"),
        ([CE_TYPE, CE_TIME, ("ce_source", b"x" * 257)], "source", NO_SOURCE),
        ([CE_TYPE, CE_TIME, ("ce_source", b"\0")], "source", NO_SOURCE),
    ],
)
def test_a_header_that_is_used_is_judged_like_the_member_it_stands_for(
    headers: Headers, field: str, reason: str
) -> None:
    assert refused(without("id", "occurred_at", "type"), headers) == (field, reason)


def test_a_header_without_a_value_leaves_the_id_to_the_run() -> None:
    event = accepted(without("id"), [("ce_id", None), ("CE_ID", b"x")])
    assert (event.id, event.is_id_default) == ("run-1", True)


def test_of_headers_of_one_name_the_last_with_a_value_counts() -> None:
    headers = [("ce_source", b"\xff"), ("ce_source", b"/a"), ("ce_source", b"/b"), ("ce_source", None)]
    assert accepted(value_of(), headers).source == "/b"
