"""What holds for any history: order, copies, partitions, sums; and what histories must reach."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.oracle.records import LogRecord
from tests.oracle.runs import Line, Outcome, evaluate
from tests.oracle.runs.histories import disordered, histories, make_history
from tests.oracle.runs.making import Shape

GENERATED = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
WITHIN_GRACE = Shape().within_grace()
COUNTED = ("events", "accepted", "duplicates", "conflicting", "dead", "late")


def said(outcome: Outcome) -> tuple[list[Line], list[Line]]:
    return outcome.feedback, outcome.predictions


def lines(outcome: Outcome) -> dict[str, Line]:
    named = [(line["feedback_id"], line) for line in outcome.feedback]
    return dict(named + [(line["prediction_id"], line) for line in outcome.predictions])


@GENERATED
@given(histories(WITHIN_GRACE), st.integers().map(Random))
def test_order_within_grace_changes_nothing(log: list[LogRecord], random: Random) -> None:
    one, other = evaluate(log), evaluate(disordered(log, random))
    assert said(one) == said(other)
    assert [one.summary[name] for name in COUNTED] == [other.summary[name] for name in COUNTED]
    assert one.late == []


@GENERATED
@given(histories(replace(WITHIN_GRACE, append=True)), st.integers().map(Random))
def test_with_all_closed_neither_order_nor_time_of_append_changes_anything(
    log: list[LogRecord], random: Random
) -> None:
    one, other = evaluate(log, close_all=True), evaluate(disordered(log, random), close_all=True)
    assert said(one) == said(other)
    assert one.late == []
    assert {line["revision"] % 2 for line in lines(one).values()} <= {1}


@GENERATED
@given(histories(), st.integers().map(Random))
def test_copies_change_nothing(log: list[LogRecord], random: Random) -> None:
    more = list(log)
    for _ in range(random.randint(1, 9)):
        at = random.randrange(len(more))
        more.insert(random.randint(at + 1, len(more)), more[at])
    assert said(evaluate(more)) == said(evaluate(log))
    assert evaluate(more).summary["accepted"] == evaluate(log).summary["accepted"]


@GENERATED
@given(histories(replace(WITHIN_GRACE, tenants=4)), st.integers(2, 12))
def test_with_all_closed_the_number_of_partitions_changes_nothing(log: list[LogRecord], partitions: int) -> None:
    assert said(evaluate(log, partitions=partitions, close_all=True)) == said(evaluate(log, close_all=True))


@GENERATED
@given(histories(Shape(foreign=True, append=True, tenants=4)), st.sampled_from([1, 2, 5]))
def test_the_fates_add_up(log: list[LogRecord], partitions: int) -> None:
    summary = evaluate(log, partitions=partitions).summary
    parts = [summary[name] for name in ("accepted", "duplicates", "dead", "late", "forwarded")]
    assert sum(parts) == summary["events"] == len(log) + summary["forwarded"]


@GENERATED
@given(histories(), st.integers(1, 59))
def test_what_is_final_stays(log: list[LogRecord], length: int) -> None:
    end = lines(evaluate(log))
    for name, line in lines(evaluate(log[:length])).items():
        if line["revision"] % 2:
            later = end[name]
            assert later["revision"] >= line["revision"]
            if later["revision"] == line["revision"] or "prediction_id" in line:
                # A run of the very instant at which a prediction ends may still come; it counts, and changes no more.
                assert later == line | {"revision": later["revision"]}


@GENERATED
@given(histories())
def test_one_revision_of_an_id_has_one_content(log: list[LogRecord]) -> None:
    contents: dict[tuple[str, int], Line] = {}
    for length in range(1, len(log), 3):
        for name, line in lines(evaluate(log[:length])).items():
            assert contents.setdefault((name, line["revision"]), line) == line


def test_a_seed_is_a_history() -> None:
    assert make_history(3) == make_history(3) != make_history(4)


def test_seeded_histories_reach_every_fate_and_every_status() -> None:
    outcomes = [
        evaluate(make_history(seed, Shape(foreign=True, append=seed % 2 == 0)), partitions=2) for seed in range(40)
    ]
    assert {judged.fate for one in outcomes for judged in one.fates} == {
        "accepted",
        "duplicate",
        "dead",
        "forwarded",
        "late",
    }
    assert any(one.summary["conflicting"] for one in outcomes)
    assert statuses([line for one in outcomes for line in one.feedback], "pattern_type") >= {
        ("cost_spike", "provisional"),
        ("cost_spike", "final"),
        ("failure_pattern", "active"),
        ("failure_pattern", "cleared"),
    }
    assert statuses([line for one in outcomes for line in one.predictions], "prediction_type") == {
        (kind, status)
        for kind in ("cost_overrun", "failure_likelihood")
        for status in ("active", "superseded", "withdrawn", "expired")
    }


def test_seeded_histories_reach_the_edges() -> None:
    outcomes = [evaluate(make_history(seed)) for seed in range(60)]
    feedback = [line for one in outcomes for line in one.feedback]
    predictions = [line for one in outcomes for line in one.predictions]
    assert any(line["metadata"].get("spike_percent") == 50.0 for line in feedback)
    assert any(line["prediction_value"].get("overrun_percent") == 30.0 for line in predictions)
    assert any(line["contributing_factors"][-1]["factor"] == "feedback_patterns" for line in predictions)


def statuses(found: Sequence[Line], kind: str) -> set[tuple[str, str]]:
    return set(Counter((line[kind], line["status"]) for line in found))
