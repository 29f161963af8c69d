"""The demo's verdict must be able to fail: for each thing that had to be so, a run in which it is not."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from typing import Any

import pytest

from drivers.postgres.read import DayTotal
from engines.core.model import Position
from engines.cost.anomalies import FACTS_TOPIC
from streams import fates
from streams.demo import scenario
from streams.demo.board import TOPICS, Board, Fact
from streams.demo.incidents import DAYS, FIRST_DAY, Due
from streams.demo.scenario import Month, Totals
from streams.demo.verdict import Check, Ended, by_tenant, days_of, id_of, judge_any, judge_month

RENDER = "found: a render job retries all day"
PROMPT = "found: a release makes a prompt longer, for three days"


@cache
def month() -> Month:
    return scenario.month(1)


def dues() -> list[Due]:
    return [due for incident in month().incidents for due in incident.due]


def due_of(cause: str) -> Due:
    return next(due for due in dues() if due.cause == cause)


def fact(due: Due, **changes: Any) -> dict[str, Any]:
    kind, tenant, entity_type, entity_id, day = id_of(due)
    told = {
        "anomaly_id": f"ca_{kind}_{entity_id}_{day}",
        "revision": 3,
        "anomaly_type": kind,
        "tenant_id": tenant,
        "entity_type": entity_type,
        "entity_id": entity_id,
        "window_start": f"{day}T00:00:00Z",
        "period": "monthly" if kind.startswith("BUDGET") else None,
        "severity": "HIGH",
        "current_nanousd": 80_000_000_000,
        "expected_nanousd": 20_000_000_000,
        "deviation_pct": 300.0,
        "breach_count": due.breach_count,
        "derived_cause": due.cause,
        "cause_evidence": None,
        "budget": None,
        "restated": due.restated,
        "status": "final",
        "more": {"is": "ignored"},
    }
    return told | changes


def tell(board: Board, topic: str, told: dict[str, Any]) -> None:
    board.take(topic, json.dumps(told).encode())


def dead() -> dict[str, Any]:
    return {"topic": "costs", "partition": 2, "offset": 7, "field": "input_tokens", "reason": "is negative"}


def as_it_should_be() -> Ended:
    board = Board()
    for due in dues():
        tell(board, FACTS_TOPIC, fact(due))
    tell(board, fates.DEAD_LETTERS, dead())
    unpriced = sum(totals.unpriced for totals in month().totals.values())
    accepted = sum(totals.requests for totals in month().totals.values())
    counts = {
        fates.EVENTS: len(month().lines),
        fates.ACCEPTED: accepted,
        fates.DUPLICATES: month().duplicates,
        fates.DEAD: 1,
        fates.LATE: 1,
        fates.RESTATED: month().restated,
        "unpriced.unknown_model": unpriced,
    }
    row = Position("costs", 0, "c", "t", len(month().lines), closed_through=FIRST_DAY + DAYS - 1, counts=counts)
    return Ended(board, len(month().lines), [row, Position("costs", 1, "c", "t", 0)], dict(month().totals), 0)


def counting(ended: Ended, **counts: int) -> Ended:
    row = ended.positions[0]
    return replace(ended, positions=[replace(row, counts={**row.counts, **counts})])


def without_a_fact(ended: Ended) -> Ended:
    del ended.board.facts[fact(due_of("PROMPT_GROWTH"))["anomaly_id"]]
    return ended


def with_a_fact_that_is(**changes: Any) -> Callable[[Ended], Ended]:
    def spoil(ended: Ended) -> Ended:
        tell(ended.board, FACTS_TOPIC, fact(due_of("RETRY_LOOP"), revision=9, **changes))
        return ended

    return spoil


def with_a_total_that_is_off(ended: Ended) -> Ended:
    key = next(iter(month().totals))
    off = replace(month().totals[key], cost_nanousd=month().totals[key].cost_nanousd + 1)
    return replace(ended, stored={**ended.stored, key: off})


def without_a_day(ended: Ended) -> Ended:
    return replace(ended, stored=dict(list(ended.stored.items())[1:]))


def without_dead_letters(ended: Ended) -> Ended:
    ended.board.dead.clear()
    return ended


def with_an_open_day(ended: Ended) -> Ended:
    return replace(ended, positions=[replace(ended.positions[0], closed_through=FIRST_DAY + DAYS - 2)])


def judged(ended: Ended) -> list[Check]:
    return [*judge_month(month(), ended), *judge_any(month().totals, ended)]


def test_what_is_as_it_should_be_holds() -> None:
    assert [check for check in judged(as_it_should_be()) if not check.holds] == []


@pytest.mark.parametrize(
    "spoil,failing",
    [
        (without_a_fact, {PROMPT}),
        (with_a_fact_that_is(status="provisional"), {RENDER}),
        (with_a_fact_that_is(breach_count=2), {RENDER}),
        (with_a_fact_that_is(status="withdrawn"), {RENDER}),
        (with_a_fact_that_is(severity="MEDIUM"), {RENDER}),
        (with_a_fact_that_is(derived_cause="TRAFFIC_GROWTH"), {RENDER}),
        (with_a_fact_that_is(restated=True), {RENDER}),
        (with_a_fact_that_is(anomaly_id="ca_other", anomaly_type="BUDGET_WARNING"), {"nothing else is reported"}),
        (with_a_fact_that_is(anomaly_id="ca_other", entity_id="caption-check"), {"nothing else is reported"}),
        (
            with_a_fact_that_is(anomaly_id="ca_other", window_start="2025-09-02T00:00:00Z"),
            {"nothing else is reported"},
        ),
        (with_a_total_that_is_off, {"totals in PostgreSQL equal those sent"}),
        (without_a_day, {"totals in PostgreSQL equal those sent"}),
        (without_dead_letters, {"the bad record is on dead-letters"}),
        (with_an_open_day, {"the weeks are closed, the day after is open"}),
        (
            lambda ended: counting(ended, duplicates=0),
            {"duplicates are counted once", "every record came to one end"},
        ),
        (
            lambda ended: counting(ended, late=2),
            {"what is too old is set apart", "every record came to one end"},
        ),
        (lambda ended: counting(ended, restated=0), {"records of closed days correct them"}),
        (lambda ended: counting(ended, **{"unpriced.no_price": 1}), {"records without a price are counted"}),
        (lambda ended: replace(ended, published=ended.published + 1), {"every record came to one end"}),
        (lambda ended: replace(ended, worker_exit=1), {"the worker left in order"}),
    ],
)
def test_each_thing_that_goes_wrong_is_said(spoil: Callable[[Ended], Ended], failing: set[str]) -> None:
    checks = judged(spoil(as_it_should_be()))
    assert {check.what for check in checks if not check.holds} == failing


def test_a_second_fact_of_a_planted_incident_is_no_find() -> None:
    ended = as_it_should_be()
    tell(ended.board, FACTS_TOPIC, fact(due_of("RETRY_LOOP"), anomaly_id="ca_twin"))
    assert [check.what for check in judged(ended) if not check.holds] == [RENDER]


def test_totals_that_should_not_be_there_are_found() -> None:
    ended = as_it_should_be()
    more = replace(ended, stored={**ended.stored, ("nobody", FIRST_DAY): Totals(requests=1)})
    first = judge_any(month().totals, more, "replayed")[0]
    assert not first.holds
    assert first.detail == "1 tenant days differ: nobody 2025-09-01"
    assert {row.tenant_id: row.equal for row in by_tenant(month().totals, more.stored)}["nobody"] is False


def test_stored_totals_read_like_sent_ones() -> None:
    epoch_day = date(1970, 1, 1) + timedelta(FIRST_DAY)
    total = DayTotal(epoch_day, "acme", 3, 1, 10, 2, 5, 77, "complete")
    unpriced = DayTotal(epoch_day, "zeta", 1, 1, 10, 0, 5, None, "provisional")
    assert days_of([total, unpriced]) == {
        ("acme", FIRST_DAY): Totals(3, 1, 10, 2, 5, 77),
        ("zeta", FIRST_DAY): Totals(1, 1, 10, 0, 5, 0),
    }


def test_the_board_keeps_the_highest_revision_of_each_id() -> None:
    board, due = Board(), due_of("RETRY_LOOP")
    taken = []
    for revision, status in ((5, "final"), (4, "provisional"), (5, "final"), (7, "final")):
        news = board.take(FACTS_TOPIC, json.dumps(fact(due, revision=revision, status=status)).encode())
        taken.append(news.revision if isinstance(news, Fact) else None)
    assert taken == [5, None, None, 7]
    assert [held.revision for held in board.in_order()] == [7]
    assert board.messages == dict.fromkeys(TOPICS, 0) | {FACTS_TOPIC: 4}
