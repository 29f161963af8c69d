"""Whatever the history of runs, the chunks and the partitions: what is stored and published equals the oracle."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import repeat
from random import Random
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engines.core.model import OutboxRow
from tests import oracle
from tests.oracle.records import HOUR_US, LogRecord
from tests.oracle.runs import Acknowledgement, Line, Outcome, comparable, evaluate, whole_hours
from tests.oracle.runs.cases import CASES
from tests.oracle.runs.histories import disordered, histories, make_history
from tests.oracle.runs.making import Shape
from tests.oracle.runs.writing import Case, come_to, completed, failed
from tests.streams.plain_odds import ODDS, plain_odds
from tests.streams.running_runs import Ran, id_of, run

FEW = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
FATES = ("events", "accepted", "duplicates", "conflicting", "dead", "late", "forwarded")
WITHIN_GRACE = Shape().within_grace()
SIZES = (1, 2, 7, 30, 200)


def check(ran: Ran, partitions: int) -> None:
    """Hold a run without acknowledgements against the oracle's reading of the very log it read."""
    wanted = evaluate(ran.log, partitions=partitions, append_forwarded=False)
    for partition, end in wanted.ends.items():
        position = ran.positions[partition]
        assert (position.next_offset, position.watermark_us) == (end.next_offset, end.watermark_us)
        if end.watermark_us is not None:
            assert position.closed_through == whole_hours(end.watermark_us) // HOUR_US - 1
    assert {fate: ran.counts.get(fate, 0) for fate in FATES} == {fate: wanted.summary[fate] for fate in FATES}
    same(ran.feedback, wanted.feedback)
    same(ran.predictions, wanted.predictions)
    assert _places(ran.dead) == _places(wanted.dead)
    assert _sorted(ran.late) == _sorted(wanted.late)
    published_well(ran)
    told_at_last(ran, partitions)


def same(found: Sequence[Line], wanted: Sequence[Line]) -> None:
    """Compare lines one by one, in order, so that what differs is soon seen."""
    for one, other in zip(found, wanted, strict=False):
        assert comparable(one) == comparable(other)
    assert len(found) == len(wanted)


def lines_of(published: Sequence[OutboxRow]) -> list[Line]:
    return [cast("Line", json.loads(row.value or b"")) for row in published]


def published_well(ran: Ran) -> None:
    """Revisions of an id only grow, and what is published is stored.

    Ends of one run share an id; then revisions tell them apart, and the greatest counts.
    """
    newest: dict[tuple[str, str], int] = {}
    contents: dict[tuple[str, int], Line] = {}
    for line in lines_of(ran.published):
        of = (id_of(line), line["as_of"] if line.get("pattern_type") == "cost_spike" else "")
        assert newest.get(of, -1) < line["revision"], line
        newest[of] = line["revision"]
        assert contents.setdefault((id_of(line), line["revision"]), line) == line
    stored = {(id_of(line), line["revision"]): line for line in ran.rows}
    assert len(stored) == len(ran.rows)
    untold = [line for at, line in stored.items() if at not in contents]
    assert {at: stored[at] for at in contents} == contents
    assert {line["status"] for line in untold} <= {"superseded", "withdrawn"}
    assert all("prediction_id" in line and line["revision"] % 2 for line in untold)


def told_at_last(ran: Ran, partitions: int, acknowledgements: Sequence[Acknowledgement] = ()) -> None:
    """What was told last of each id has the status that stands; what the oracle does not know was taken back."""
    ends = evaluate(ran.log, partitions=partitions, append_forwarded=False).ends
    hours = {at: whole_hours(end.watermark_us) for at, end in ends.items() if end.watermark_us is not None}
    wanted = by_id(
        evaluate(
            ran.log,
            partitions=partitions,
            append_forwarded=False,
            settled_us=hours,
            acknowledgements=acknowledgements,
        )
    )
    newest = newest_of(lines_of(ran.published))
    assert {wanted[name]["status"] for name in wanted.keys() - newest.keys()} <= {"withdrawn"}  # never told
    assert {newest[name]["status"] for name in newest.keys() - wanted.keys()} <= {"withdrawn"}  # taken back
    for name in wanted.keys() & newest.keys():
        told, line = comparable(newest[name]), comparable(wanted[name])
        assert told["status"] == line["status"]
        if line.get("pattern_type") == "failure_pattern":
            assert told["active_since"] == line["active_since"]
            assert told["acknowledged"] == line["acknowledged"] or line["status"] == "cleared"


def by_id(outcome: Outcome) -> dict[str, Line]:
    return {id_of(line): line for line in [*outcome.feedback, *outcome.predictions]}


def newest_of(lines: Sequence[Line]) -> dict[str, Line]:
    return {id_of(line): line for line in sorted(lines, key=lambda line: int(line["revision"]))}


def _places(lines: list[Line]) -> list[tuple[object, ...]]:
    return sorted((line["partition"], line["offset"], line["value_base64"], line["field"]) for line in lines)


def _sorted(lines: list[Line]) -> list[Line]:
    kept = [{name: line[name] for name in line if name != "recorded"} for line in lines]
    return sorted((comparable(line) for line in kept), key=lambda line: (line["partition"], line["offset"]))


def bytes_of(ran: Ran) -> dict[bytes | None, list[tuple[object, ...]]]:
    """Return all that was published of each tenant, in order; numbers in the outbox count others, too."""
    told: dict[bytes | None, list[tuple[object, ...]]] = {}
    for row in ran.published:
        told.setdefault(row.route, []).append((row.topic, row.key, row.value, tuple(row.headers)))
    return told


@FEW
@given(histories(Shape(foreign=True)), st.integers(1, 50), st.integers(1, 4))
def test_a_run_equals_the_oracle(log: list[LogRecord], chunk: int, partitions: int) -> None:
    check(asyncio.run(run(log, lambda: chunk, partitions=partitions)), partitions)


@pytest.mark.parametrize("seed", range(30))
def test_a_long_run_equals_the_oracle(seed: int) -> None:
    random, partitions = Random(seed), 1 + seed % 4
    log = make_history(seed, Shape(runs_max=160, foreign=True, append=seed % 2 == 0))
    check(asyncio.run(run(log, lambda: random.choice(SIZES), partitions=partitions)), partitions)


@pytest.mark.parametrize("seed", range(40))
def test_wherever_a_log_ends_what_was_told_last_is_what_stands(seed: int) -> None:
    log = make_history(seed, Shape(append=seed % 2 == 0))
    for length in sorted(Random(seed).sample(range(1, len(log) + 1), min(len(log), 8))):
        check(asyncio.run(run(log[:length], lambda: 1)), 1)


@pytest.mark.parametrize("chunk", [1, 5_000])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_rules_are_those_of_the_table(case: Case, chunk: int) -> None:
    rows = [_row(said, {}) for said in case.acknowledgements]
    ran = asyncio.run(run(case.log, lambda: chunk, settings=rows, close_all=case.close_all))
    assert case.differences(ran.feedback, ran.predictions, ran.late, ran.counts) == []


@pytest.mark.parametrize("seed", range(40))
def test_any_chunks_publish_the_same_bytes_in_the_same_order(seed: int) -> None:
    random, log = Random(seed), make_history(seed, Shape(append=seed % 2 == 0, runs_max=100))
    whole = asyncio.run(run(log, lambda: 5_000))
    assert whole.published or len(log) < 20
    assert bytes_of(asyncio.run(run(log, lambda: 1))) == bytes_of(whole)
    assert bytes_of(asyncio.run(run(log, lambda: random.choice(SIZES)))) == bytes_of(whole)


@pytest.mark.parametrize("seed", range(40))
def test_owners_that_know_only_what_is_stored_publish_the_same_bytes(seed: int) -> None:
    """What was acknowledged counts from the same record on, whoever reads it."""
    random, log = Random(seed), oracle.placed(make_history(seed, Shape(append=seed % 2 == 0)), 1)
    rows = acknowledged_on_the_way(log, 1, random)
    calibrated = seed % 4 == 0
    one = asyncio.run(run(log, lambda: random.choice(SIZES), settings=rows, calibrated=calibrated))
    many = asyncio.run(run(log, lambda: random.choice(SIZES), settings=rows, calibrated=calibrated, taken_over=True))
    assert bytes_of(many) == bytes_of(one)
    assert (many.feedback, many.predictions) == (one.feedback, one.predictions)


@pytest.mark.parametrize("seed", range(40))
def test_any_order_within_grace_ends_in_the_same_lines(seed: int) -> None:
    log = make_history(seed, WITHIN_GRACE)
    one = asyncio.run(run(log, lambda: 30, close_all=True))
    for again in range(3):
        other = asyncio.run(run(disordered(log, Random(seed + again)), lambda: 30, close_all=True))
        assert (one.feedback, one.predictions) == (other.feedback, other.predictions)


@pytest.mark.parametrize("seed", range(40))
def test_what_is_acknowledged_on_the_way_counts_from_there(seed: int) -> None:
    """Rows of lines that stood a while ago; the final lines that were told before a row do not know it."""
    random, partitions = Random(seed), 1 + seed % 3
    log = oracle.placed(make_history(seed, Shape(append=seed % 2 == 0, tenants=3, foreign=False)), partitions)
    rows = acknowledged_on_the_way(log, partitions, random)
    ran = asyncio.run(run(log, lambda: random.choice(SIZES), partitions=partitions, settings=rows))
    published_well(ran)
    known = [said_in(row) for row in rows]
    told_at_last(ran, partitions, known)
    without = by_id(evaluate(ran.log, partitions=partitions, append_forwarded=False))
    found = {id_of(line): line for line in [*ran.feedback, *ran.predictions]}
    assert found.keys() == without.keys()
    for name, line in found.items():
        counted = (line["revision"] - without[name]["revision"]) // 2
        mine = [said for said in known if said.feedback_id == name]
        assert counted == len(mine) or line["revision"] % 2
        some = [said for said in known if said.feedback_id != name] + mine[:counted]
        wanted = evaluate(ran.log, partitions=partitions, append_forwarded=False, acknowledgements=some)
        assert comparable(line) == comparable(by_id(wanted)[name])


def test_a_dear_run_on_the_hour_is_not_final_while_a_record_of_its_instant_may_come() -> None:
    """The tenant is visited at that instant because another of its runs is settled."""
    usual = [completed(f"2026-03-04T11:0{at}:00Z", "1") for at in range(4)]
    dear = [*usual, completed("2026-03-04T11:30:00Z", "9"), completed("2026-03-04T12:00:00Z", "9")]
    for end, status in (("2026-03-04T13:05:00Z", "provisional"), ("2026-03-04T14:05:00Z", "final")):
        ran = asyncio.run(run([*dear, come_to(end)], lambda: 1))
        told = [line["status"] for line in lines_of(ran.published) if "feedback_id" in line]
        assert told[-1] == "final"
        assert [line["status"] for line in ran.feedback] == ["final", status]
        check(ran, 1)


def test_what_is_acknowledged_is_told_at_once_and_what_comes_back_is_to_be_acknowledged_anew() -> None:
    log = [failed(f"2026-03-{day:02}T{hour:02}:30:00Z") for day in (4, 7) for hour in (9, 10, 11)]
    stood = evaluate(log[:3]).feedback[0]
    said = Acknowledgement("acme", stood["feedback_id"], stood["as_of"], "2026-03-04T12:00:00Z", "ann")
    for chunk in (repeat(1), repeat(5_000)):
        ran = asyncio.run(run(log, partial(next, chunk), settings=[_row(said, {0: 3})]))
        told = [line for line in lines_of(ran.published) if "feedback_id" in line]
        assert [(line["status"], line["acknowledged_by"], line["proposal_eligible"]) for line in told] == [
            ("active", None, True),
            ("active", "ann", False),
            ("cleared", "ann", False),
            ("active", None, True),
        ]
        published_well(ran)


def acknowledged_on_the_way(log: Sequence[LogRecord], partitions: int, random: Random) -> list[oracle.Setting]:
    """Return rows as people append them: each of a line that stood when the log ended where the row is known from."""
    rows: list[oracle.Setting] = []
    for length in sorted(random.sample(range(1, len(log) + 1), min(len(log), 6))):
        known = {at: sum(entry.partition == at for entry in log[:length]) for at in range(partitions)}
        stood = evaluate(log[:length], partitions=partitions, append_forwarded=False).feedback
        for number, line in enumerate(random.sample(stood, min(len(stood), 2))):
            at = f"2026-05-01T{len(rows):02}:{number:02}:00Z"
            said = Acknowledgement(line["tenant_id"], line["feedback_id"], line["as_of"], at, f"person {len(rows)}")
            rows.append(_row(said, known))
    return rows


def said_in(row: oracle.Setting) -> Acknowledgement:
    return Acknowledgement(row.tenant_id, **row.body)


@pytest.mark.parametrize("seed", range(12))
def test_the_odds_of_each_day_are_those_of_a_plain_count_in_any_chunks(seed: int) -> None:
    random = Random(seed)
    log = [with_model(entry, random) for entry in make_history(seed, Shape(append=seed % 2 == 0, runs_max=120))]
    ran = asyncio.run(run(log, lambda: 5_000, calibrated=True))
    assert bytes_of(asyncio.run(run(log, lambda: random.choice(SIZES), calibrated=True))) == bytes_of(ran)
    found = [line for line in lines_of(ran.published) if line.get("prediction_type") == ODDS]
    fates = evaluate(ran.log, append_forwarded=False).fates
    runs = [judged.run for judged in fates if judged.fate == "accepted" and judged.run is not None]
    wanted = plain_odds(runs, ran.positions[0].closed_through)
    assert [comparable(line) for line in found] == [comparable(line) for line in wanted]
    plain = asyncio.run(run(log, lambda: 5_000))
    others = [line for line in lines_of(ran.published) if line.get("prediction_type") != ODDS]
    assert others == lines_of(plain.published)


def with_model(entry: LogRecord, random: Random) -> LogRecord:
    """Return *entry* with a model, when it is an event that names none."""
    value, model = entry.value or b"", random.choice([b"small", b"large", None])
    whole = value.startswith((b'{"run_id"', b'{"type"'))
    return replace(entry, value=value[:-1] + b',"model":"' + model + b'"}') if whole and model else entry


def _row(said: Acknowledgement, known_before: dict[int, int]) -> oracle.Setting:
    body = {
        "feedback_id": said.feedback_id,
        "as_of": said.as_of,
        "acknowledged_at": said.acknowledged_at,
        "acknowledged_by": said.acknowledged_by,
    }
    return oracle.Setting("acknowledgement", said.tenant_id, None, body, known_before)
