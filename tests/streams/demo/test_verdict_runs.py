"""The verdict on runs must be able to fail: for each thing that had to be told, a run in which it is not."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from drivers.topics import load
from engines.core.model import Position
from engines.runs.domain import TOPIC, RunsDomain
from engines.runs.lines import FEEDBACK_TOPIC, PREDICTIONS_TOPIC
from streams import fates
from streams.demo import run_events
from streams.demo.board import TOPICS, Board
from streams.demo.faults import OPEN_DAY
from streams.demo.run_events import RunEvents
from streams.demo.verdict import Ended
from streams.demo.verdict_runs import AsServed, id_of, judge_against_replay, judge_runs
from streams.replay import Replay, Replayed

IMPORT = "found: an import fails with one error, and again a week later"
SINCE_THURSDAY = "found: a job fails since Thursday"
NIGHTLY = "found: each night's run costs 18 % more than the last"
NOTHING_ELSE = "nothing else is told of runs"
ODD_ONES = "of events of runs the odd ones are set apart"
TOLD = "what is told of runs is what a replay in memory tells"
HELD = "the tables hold it, too, after the worker has left"

HOUR = 24 * OPEN_DAY + 6
"""The last one that closes."""
Line = dict[str, Any]


@cache
def made() -> RunEvents:
    return run_events.run_events(1)


@cache
def replayed() -> Replayed:
    async def play() -> Replayed:
        replay = Replay(AsServed(), load().named(TOPIC).partitions, 1_800_000_000_000)
        await replay.start()
        await replay.feed(made().lines)
        return await replay.finish(close_all=False)

    return asyncio.run(play())


def lines() -> list[Line]:
    return [json.loads(line) for line in (*replayed().feedback, *replayed().predictions)]


def line_of(kind: str) -> Line:
    return next(line for line in lines() if kind in (line.get("pattern_type"), line.get("prediction_type")))


def name_of(line: Line) -> str:
    return str(line.get("feedback_id") or line["prediction_id"])


def tell(board: Board, line: Line) -> None:
    topic = FEEDBACK_TOPIC if "feedback_id" in line else PREDICTIONS_TOPIC
    board.take(topic, json.dumps(line).encode())


def as_it_should_be() -> Ended:
    """What a worker ends with: it tells each status that is due, the last one as a replay does."""
    board, stored = Board(), {}
    for line in lines():
        through = statuses_of(line)[:-1]
        for number, status in enumerate(through):
            tell(board, line | {"status": status, "revision": line["revision"] - 2 * (len(through) - number)})
        told_again = line["status"] == "superseded"
        tell(board, line | {"revision": line["revision"] - line["revision"] % 2} if told_again else line)
        stored[name_of(line)] = line
    letter = {"topic": TOPIC, "partition": 3, "offset": 7, "field": "type", "reason": "is not one of"}
    board.take(fates.DEAD_LETTERS, json.dumps(letter).encode())
    counts = {"accepted": made().accepted, "duplicates": made().duplicates, "dead": 1, "late": 1}
    others = Position("costs", 0, "c", "t", 9, counts={"dead": 3})
    return Ended(board, 0, [others, Position(TOPIC, 3, "c", "t", 9, closed_through=HOUR, counts=counts)], {}, 0, stored)


def statuses_of(line: Line) -> tuple[str, ...]:
    kind = line.get("pattern_type") or line["prediction_type"]
    worker, since = line.get("worker_id") or line["subject_id"], line.get("active_since") or line["as_of"]
    mine = (kind, line["tenant_id"], worker, since[:10])
    return next(notice.statuses for fault in made().faults for notice in fault.due if id_of(notice) == mine)


def judged(ended: Ended) -> set[str]:
    checks = [*judge_runs(made(), ended), *judge_against_replay(replayed(), ended)]
    return {check.what for check in checks if not check.holds}


def without(kind: str) -> Callable[[Ended], Ended]:
    def spoil(ended: Ended) -> Ended:
        name = name_of(line_of(kind))
        del ended.board.notices[name], ended.board.lines[name]
        return ended

    return spoil


def with_a_line_of(kind: str, **changes: Any) -> Callable[[Ended], Ended]:
    def spoil(ended: Ended) -> Ended:
        line = line_of(kind)
        tell(ended.board, line | {"revision": line["revision"] + 2} | changes)
        return ended

    return spoil


def holding(kind: str, **changes: Any) -> Callable[[Ended], Ended]:
    def spoil(ended: Ended) -> Ended:
        line = line_of(kind)
        return replace(ended, stored_notices={**ended.stored_notices, name_of(line): line | changes})

    return spoil


def counting(**counts: int) -> Callable[[Ended], Ended]:
    def spoil(ended: Ended) -> Ended:
        others, row = ended.positions
        return replace(ended, positions=[others, replace(row, counts={**row.counts, **counts})])

    return spoil


def without_dead_letters(ended: Ended) -> Ended:
    ended.board.dead.clear()
    return ended


def test_what_is_as_it_should_be_holds() -> None:
    assert judged(as_it_should_be()) == set()


@pytest.mark.parametrize(
    "spoil,failing",
    [
        (without("failure_pattern"), {IMPORT, TOLD}),
        (without("cost_spike"), {NIGHTLY, TOLD}),
        (without("failure_likelihood"), {SINCE_THURSDAY, TOLD}),
        (with_a_line_of("failure_pattern", status="active", cleared_at=None), {IMPORT, TOLD}),
        (with_a_line_of("failure_likelihood", status="expired"), {SINCE_THURSDAY, TOLD}),
        (with_a_line_of("cost_overrun", status="withdrawn"), {NIGHTLY, TOLD}),
        (with_a_line_of("cost_spike", feedback_id="pf_0000000000000000", worker_id="x"), {NOTHING_ELSE, TOLD}),
        (with_a_line_of("cost_overrun", prediction_id="pr_0000000000000000", tenant_id="x"), {NOTHING_ELSE, TOLD}),
        (with_a_line_of("failure_pattern", feedback_id="pf_0000000000000000"), {IMPORT, TOLD}),
        (holding("cost_spike", occurrence_count=2), {HELD}),
        (holding("cost_spike", revision=0), {HELD}),
        (holding("failure_likelihood", revision=0), {HELD}),
        (holding("failure_pattern", active_since="2025-09-22T00:00:00Z"), {HELD}),
        (lambda ended: replace(ended, stored_notices={}), {HELD}),
        (counting(duplicates=0), {ODD_ONES}),
        (counting(accepted=1), {ODD_ONES}),
        (counting(late=2), {ODD_ONES}),
        (without_dead_letters, {ODD_ONES}),
    ],
)
def test_each_thing_that_goes_wrong_is_said(spoil: Callable[[Ended], Ended], failing: set[str]) -> None:
    assert judged(spoil(as_it_should_be())) == failing


def test_a_pattern_that_never_was_cleared_in_between_is_no_find() -> None:
    ended = as_it_should_be()
    statuses = ended.board.statuses[name_of(line_of("failure_pattern"))]
    assert statuses == ["active", "cleared", "active", "cleared"]
    statuses[:2] = []
    assert judged(ended) == {IMPORT}


def test_the_board_counts_messages_of_runs_and_keeps_the_highest_revision() -> None:
    board, line = Board(), line_of("cost_overrun")
    for revision, status in ((4, "active"), (2, "withdrawn"), (6, "superseded"), (6, "active")):
        tell(board, line | {"revision": revision, "status": status})
    assert board.statuses == {name_of(line): ["active", "superseded"]}
    assert [notice.revision for notice in board.notices_in_order()] == [6]
    assert board.messages == dict.fromkeys(TOPICS, 0) | {PREDICTIONS_TOPIC: 4}


async def test_a_replay_stands_at_whole_hours_as_a_worker_does() -> None:
    """The sixth run is the dear one: by its instant it is settled, by its hour it is not."""
    times = [f"2026-01-0{day}T10:10:00Z" for day in range(1, 7)]
    ends = [run_of(at, 100 if at == times[-1] else 10) for at in times]
    wait = run_of("2026-01-06T11:30:00Z", 10)
    statuses = []
    for domain in (AsServed(), RunsDomain()):
        replay = Replay(domain, 1, 1_800_000_000_000)
        await replay.start()
        await replay.feed([*ends, wait])
        ended = await replay.finish(close_all=False)
        statuses += [json.loads(line)["status"] for line in ended.feedback]
    assert statuses == ["provisional", "final"]


def run_of(at: str, cents: int) -> bytes:
    members = {"type": "run-completed", "run_id": at, "tenant_id": "acme", "worker_id": "agent", "occurred_at": at}
    return json.dumps(members | {"cost_cents": cents}).encode()
