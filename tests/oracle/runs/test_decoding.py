"""The reading of runs: what is refused, and what stands in for what is missing."""

import json
from typing import Any

import pytest

from tests.oracle.records import Bad, LogRecord
from tests.oracle.runs import Run, decode, evaluate
from tests.oracle.runs.writing import completed, event, failed

AT = "2026-03-04T12:00:00Z"
WHOLE: dict[str, Any] = {"type": "run-failed", "run_id": "1", "tenant_id": "acme", "worker_id": "w", "occurred_at": AT}


def read(*headers: tuple[str, bytes], **members: Any) -> Run | Bad:
    return decode(json.dumps(WHOLE | members).encode(), headers)


def run(*headers: tuple[str, bytes], **members: Any) -> Run:
    found = read(*headers, **members)
    assert isinstance(found, Run)
    return found


@pytest.mark.parametrize("field", ["type", "run_id", "tenant_id", "worker_id", "occurred_at"])
@pytest.mark.parametrize("content", [None, "", 1, "x\0", "x" * 257, "\ud800"])
def test_what_is_required_is_a_text(field: str, content: object) -> None:
    found = read(**{field: content})
    assert isinstance(found, Bad)
    assert found.field == field


@pytest.mark.parametrize("field", ["id", "error_type", "model", "feature_tag", "request_id"])
@pytest.mark.parametrize("content", ["", 1, True, [], "x\0", "x" * 257, "\udfff"])
def test_what_is_optional_is_a_text_or_null(field: str, content: object) -> None:
    found = read(**{field: content})
    assert isinstance(found, Bad)
    assert found.field == field
    assert run(**{field: None}) == run()


@pytest.mark.parametrize("kind", ["run-started", "run-completed", "run-failed", "run-crashed"])
def test_an_error_may_be_long_or_empty_whatever_became_of_the_run(kind: str) -> None:
    assert run(type=kind, error="").error == ""
    assert run(type=kind, error="é" * 65_536).error == "é" * 65_536
    for content in ("x" * 65_537, "\0", "\ud800", 1):
        found = read(type=kind, error=content)
        assert isinstance(found, Bad)
        assert found.field == "error"


def test_only_what_a_failed_run_says_is_a_failure() -> None:
    kinds = ("run-started", "run-completed", "run-failed", "run-crashed")
    assert [run(type=kind, error="x").failure for kind in kinds] == [None, None, "x", None]
    assert run(error=None).failure is None
    assert run(error="").failure == ""


def test_only_what_a_completed_run_costs_is_its_cost() -> None:
    kinds = ("run-started", "run-completed", "run-failed", "run-crashed")
    assert [run(type=kind, cost_cents=1).cost for kind in kinds] == [0, 10**7, 0, 0]
    assert run(type="run-completed").cost == 0


@pytest.mark.parametrize("content", [-1, 1.5, 10**12 + 1, True, "1"])
@pytest.mark.parametrize("field", ["input_tokens", "output_tokens"])
def test_tokens_are_counts(field: str, content: object) -> None:
    found = read(**{field: content})
    assert isinstance(found, Bad)
    assert found.field == field
    assert run(**{field: None}) == run()


@pytest.mark.parametrize("content", ["-0.1", "100000000.1", '"1"', "true"])
def test_a_cost_is_a_number_in_range(content: str) -> None:
    found = decode(completed(AT, content).value)
    assert isinstance(found, Bad)
    assert found.field == "cost_cents"


def test_costs_are_rounded_half_even_to_nano_usd() -> None:
    texts = ("0.00000005", "0.00000015", "1e8", "0.000000050000000000000000000000000000001")
    found = [decode(completed(AT, text).value) for text in texts]
    assert [one.cost_nanousd for one in found if isinstance(one, Run)] == [0, 2, 10**15, 1]


def test_headers_fill_what_the_body_lacks() -> None:
    headers = (("ce_id", b"5"), ("ce_time", b"2026-03-04T13:00:00Z"), ("ce_type", b"run-crashed"), ("ce_source", b"s"))
    found = run(*headers, type=None, occurred_at=None)
    assert (found.id, found.type, found.source, found.defaulted) == ("5", "run-crashed", "s", False)
    assert found.occurred_us == run(occurred_at="2026-03-04T13:00:00Z").occurred_us
    kept = run(*headers, id="6")
    assert (kept.id, kept.type, kept.occurred_us) == ("6", "run-failed", run().occurred_us)


@pytest.mark.parametrize(
    "name, field", [("ce_id", "id"), ("ce_time", "occurred_at"), ("ce_type", "type"), ("ce_source", "source")]
)
def test_headers_that_are_no_text_are_refused(name: str, field: str) -> None:
    for content in (b"\xff", b"\0", b"x" * 257):
        found = read((name, content), **{field: None})
        assert isinstance(found, Bad)
        assert found.field == field


def test_an_id_that_nobody_gave_is_the_runs_and_one_of_its_type() -> None:
    assert run().id == "1"
    assert run().identity != run(type="run-crashed").identity
    assert run(id="1").identity == run(id="1", type="run-crashed").identity
    assert run(id="1").identity != run().identity


def test_runs_are_ordered_by_instant_run_source_id_and_outcome() -> None:
    ordered = [
        run(run_id="z", occurred_at="2026-03-04T11:59:59.999999Z"),
        run(run_id="10", type="run-crashed"),
        run(run_id="9", id="a", type="run-crashed"),
        run(run_id="9", id="b", type="run-completed"),
        run(run_id="9", id="b", type="run-failed"),
        run(run_id="9", id="b", type="run-crashed"),
        run(("ce_source", b"s"), run_id="9", id="a"),
    ]
    mixed = [ordered[at] for at in (3, 0, 6, 1, 5, 2, 4)]
    assert sorted(mixed, key=lambda one: one.place) == ordered


def test_more_than_five_minutes_ahead_is_refused() -> None:
    entry = failed("2026-03-04T12:05:00.000001Z")
    us = run().occurred_us
    outcome = evaluate([LogRecord(entry.value, (), us), LogRecord(entry.value, (), us + 1), entry], now_us=us)
    assert [judged.fate for judged in outcome.fates] == ["dead", "accepted", "dead"]
    assert [(line["field"], line["reason"], line["topic"]) for line in outcome.dead] == [
        ("occurred_at", "future", "runs"),
        ("occurred_at", "future", "runs"),
    ]


def test_the_type_is_required() -> None:
    assert evaluate([LogRecord(b'{"run_id":"1"}')]).dead == [
        {
            "topic": "runs",
            "partition": 0,
            "offset": 0,
            "key": None,
            "headers": [],
            "field": "type",
            "reason": "missing",
            "value_base64": "eyJydW5faWQiOiIxIn0=",
        }
    ]


def test_events_of_costs_are_none_of_runs() -> None:
    assert evaluate([event("failed", AT, type="cost-record")]).summary["dead"] == 1
