"""What the oracle must hold for any stream: prefixes, order, partitions, sums; and what streams must reach."""

from dataclasses import replace
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.oracle import (
    LogRecord,
    evaluate,
    forwarded_copies,
    placed,
    publications,
)
from tests.oracle.cases import counts, fates, outputs
from tests.strategies import Shape, disordered, make_stream, streams

GENERATED = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


@GENERATED
@given(streams(), st.sampled_from([1, 3]))
def test_the_last_publication_of_an_id_is_what_the_batch_finds(log: list[LogRecord], partitions: int) -> None:
    last = {one.fact["anomaly_id"]: one.fact for one in publications(log, partitions=partitions)}
    facts = {fact["anomaly_id"]: fact for fact in evaluate(log, partitions=partitions).facts}
    assert last.keys() == facts.keys()  # within one grace nothing is ever withdrawn
    for fact_id, fact in facts.items():
        if fact["status"] == "final":
            assert last[fact_id] == fact
        else:
            assert last[fact_id]["episode_id"] == fact["episode_id"]
            assert last[fact_id]["revision"] <= fact["revision"]


@GENERATED
@given(streams())
def test_what_is_published_for_a_log_begins_with_what_is_published_for_its_prefix(log: list[LogRecord]) -> None:
    whole = publications(log)
    part = publications(log[: len(log) // 2])
    assert whole[: len(part)] == part


@GENERATED
@given(streams(Shape(records_max=60).within_grace()), st.randoms(use_true_random=False))
def test_order_within_grace_changes_nothing(log: list[LogRecord], random: Random) -> None:
    assert outputs(evaluate(disordered(log, random))) == outputs(evaluate(log))
    assert counts(evaluate(disordered(log, random))) == counts(evaluate(log))
    assert evaluate(log).late == []


@GENERATED
@given(streams(replace(Shape(records_max=60).within_grace(), foreign=False)), st.integers(2, 12))
def test_with_all_days_closed_the_number_of_partitions_changes_nothing(log: list[LogRecord], partitions: int) -> None:
    many = evaluate(log, partitions=partitions, close_all=True)
    assert outputs(many) == outputs(evaluate(log, close_all=True))
    assert counts(many) == counts(evaluate(log, close_all=True))


@GENERATED
@given(streams(), st.sampled_from([1, 2, 5]))
def test_the_fates_add_up(log: list[LogRecord], partitions: int) -> None:
    summary = evaluate(log, partitions=partitions).summary
    parts = [summary[name] for name in ("accepted", "duplicates", "dead", "late", "forwarded")]
    assert sum(parts) == summary["events"] == len(log) + summary["forwarded"]


def test_forwarded_copies_may_be_appended_by_the_caller() -> None:
    log = placed(make_stream(7), 3)
    copies = forwarded_copies(log, 3)
    assert copies
    latest_us = max((one.append_us for one in log if one.append_us is not None), default=None)
    whole = [*log, *(replace(copy, append_us=latest_us) for copy in copies)]
    assert evaluate(whole, partitions=3, append_forwarded=False) == evaluate(log, partitions=3)


def test_a_seed_is_a_stream() -> None:
    assert make_stream(3) == make_stream(3) != make_stream(4)


def test_seeded_streams_reach_every_fate_and_every_way_to_fire() -> None:
    outcomes = [evaluate(make_stream(seed), partitions=2) for seed in range(12)]
    reached = {fate for outcome in outcomes for fate in fates(outcome)}
    assert reached == {"accepted", "duplicate", "dead", "forwarded", "too_old", "restated"}
    facts = [fact for outcome in outcomes for fact in outcome.facts]
    assert {fact["threshold_pct"] for fact in facts} >= {40, 100, 200}
    assert {fact["entity_type"] for fact in facts} == {"tenant", "user", "feature"}
    assert {fact["status"] for fact in facts} == {"provisional", "final"}
    assert any(outcome.summary["conflicting"] for outcome in outcomes)
    assert all(sum(outcome.summary["unpriced"].values()) for outcome in outcomes)


@GENERATED
@given(streams(Shape(records_max=60, file=True)))
def test_streams_for_files_are_lines(log: list[LogRecord]) -> None:
    for entry in log:
        assert entry.value
        assert b"\n" not in entry.value
        assert entry == LogRecord(entry.value)
