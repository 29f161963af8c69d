"""Which line of an id a replay prints, and where among the others."""

import json
from typing import Any

import pytest

from engines.core.tables import TABLES
from engines.core.time import parse_instant
from streams.replay_ends import ANOMALY_LINES, FEEDBACK_LINES, PREDICTION_LINES, Told, last_states

Line = dict[str, Any]


def anomaly(revision: int) -> Line:
    names = ("tenant_id", "window_start", "entity_type", "entity_id", "anomaly_type")
    return {"anomaly_id": "ca", "period": None, "revision": revision} | dict.fromkeys(names, "")


def feedback(revision: int, name: str = "pf", as_of: str = "2026-03-01T00:00:00Z", **members: str) -> Line:
    line = {"feedback_id": name, "revision": revision, "as_of": as_of}
    return line | dict.fromkeys(("tenant_id", "pattern_type", "signature"), "") | members


def prediction(revision: int, name: str = "pr", as_of: str = "2026-03-01T00:00:00Z", **members: str) -> Line:
    line = {"prediction_id": name, "revision": revision, "as_of": as_of}
    return line | dict.fromkeys(("tenant_id", "subject_type", "subject_id", "prediction_type"), "") | members


def printed(told: Told, stored: list[Line], standing: list[Line]) -> list[Line]:
    """Return what is printed when the table of *told* holds *stored*, revision by revision."""
    first, *_ = told.tables
    columns = [column.name for column in first.columns]

    def rows(name: str) -> dict[tuple[object, ...], tuple[object, ...]]:
        assert name in TABLES
        return (
            {}
            if name != first.name
            else {
                (at,): tuple(json.dumps(line) if column == "line" else None for column in columns)
                for at, line in enumerate(stored)
            }
        )

    return [json.loads(line) for line in last_states(told, rows, standing)]


def test_of_an_anomaly_what_stands_is_printed_else_its_newest_revision() -> None:
    assert printed(ANOMALY_LINES, [anomaly(4), anomaly(7), anomaly(6)], []) == [anomaly(7)]
    assert printed(ANOMALY_LINES, [anomaly(4)], [anomaly(6), feedback(9)]) == [anomaly(6)]


@pytest.mark.parametrize("told, line", [(FEEDBACK_LINES, feedback), (PREDICTION_LINES, prediction)])
def test_of_runs_provisional_revisions_on_the_way_are_not_printed(told: Told, line: Any) -> None:
    assert printed(told, [line(4), line(6)], []) == []
    assert printed(told, [line(3), line(5), line(8)], []) == [line(5)]
    assert printed(told, [line(5)], [line(8)]) == [line(8)]
    assert printed(told, [line(5), line(4)], [line(4)]) == [line(5)]
    assert printed(told, [line(5, status="old")], [line(5, status="new")]) == [line(5, status="new")]


def test_feedback_is_sorted_by_instants_not_by_their_text() -> None:
    texts = ["2026-03-01T00:00:00Z", "2026-03-01T00:00:00.5Z", "2026-03-01T00:00:01Z"]
    lines = [feedback(1, f"pf_{n}", text) for n, text in enumerate(texts)]
    assert printed(FEEDBACK_LINES, lines[::-1], []) == lines
    assert sorted(texts) != sorted(texts, key=parse_instant)
    told = [feedback(1, "pf_b", tenant_id="a", pattern_type="f"), feedback(1, "pf_a", tenant_id="b")]
    assert printed(FEEDBACK_LINES, told[::-1], []) == told


def test_predictions_are_sorted_by_day_then_subject() -> None:
    lines = [
        prediction(1, "pr_3", "2026-03-01T09:00:00Z", subject_id="a"),
        prediction(1, "pr_1", "2026-03-01T01:00:00Z", subject_id="b", prediction_type="x"),
        prediction(1, "pr_0", "2026-03-01T02:00:00Z", subject_id="b", prediction_type="y"),
        prediction(1, "pr_2", "2026-03-02T00:00:00Z", subject_id="a"),
    ]
    assert printed(PREDICTION_LINES, lines[::-1], []) == lines
