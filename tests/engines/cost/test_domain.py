"""What the shell asks of the cost domain: pages to load, days to close, rows to show."""

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.core.model import Context, Invalid, LogRecord, SettingRow
from engines.core.money import NANOUSD_PER_USD as USD
from engines.core.time import HOURS_PER_DAY, US_PER_DAY, US_PER_HOUR, month_days, month_of
from engines.cost.event import CostEvent
from engines.cost.fold import FoldLimits
from engines.cost.lines import SnapshotValues, snapshot_line
from engines.cost.pages import DAY, HOUR, LEDGER, MONTH, base_key, day_key, hour_key, ledger_key, month_key
from engines.cost.rules import STANDARD
from tests.engines.cost.spending import TENANT, SealedPages, Spending, arrived, budget, of_kind, rule, spent

D = 20_530
MANY = settings(max_examples=200, deadline=None, derandomize=True)
domain = Spending().domain


@MANY
@given(st.integers(0, 2_900_000), st.integers(-1, 1))
def test_a_day_closes_an_hour_after_its_end_to_the_microsecond(day: int, beside_us: int) -> None:
    due = (day + 1) * US_PER_DAY + US_PER_HOUR
    assert domain.next_due(day - 1) == due
    assert domain.closable_through(due + beside_us) == (day if beside_us >= 0 else day - 1)


def test_before_the_first_close_none_is_due() -> None:
    assert domain.next_due(None) is None


def after(*days: int, closed: int | None = None, spending: Spending | None = None) -> Spending:
    """Return what a tenant has done that spent a dollar on each of *days*."""
    spending = spending or Spending()
    spending.fold(*(spent(day, 1) for day in days))
    if closed is not None:
        spending.close(closed)
    return spending


def with_ledger(spending: Spending) -> SealedPages:
    """Return pages of which the ledger alone is known."""
    spending.commit()
    key = ledger_key(TENANT)
    spending.pages.bodies[key] = spending.page(key)
    return spending.pages


def test_folding_needs_the_ledger_first() -> None:
    events = arrived(spent(D, 1), spent(D, 1, "other"))
    pages = SealedPages()
    assert domain.missing(pages, events, Spending().context) == {ledger_key(TENANT), ledger_key("other")}


def test_folding_needs_its_hours_the_open_days_and_the_baseline_of_a_new_day() -> None:
    spending = after(*range(D - 20, D), closed=D - 2)
    pages = with_ledger(spending)
    wanted = spending.domain.missing(pages, arrived(spent(D, 1, hour=7), spent(D, 1, hour=7)), spending.context)
    hours = {hour_key(TENANT, D * HOURS_PER_DAY + 7)}
    assert wanted == hours | {base_key(TENANT, D - 1)} | {day_key(TENANT, D - back) for back in range(1, 15)}


def test_folding_into_an_open_day_needs_no_day_but_those_that_are_open_and_the_one_before() -> None:
    spending = after(*range(D - 20, D + 1), closed=D - 1)
    pages = with_ledger(spending)
    wanted = spending.domain.missing(pages, arrived(spent(D, 1, hour=7)), spending.context)
    hours = {hour_key(TENANT, D * HOURS_PER_DAY + 7)}
    assert wanted == hours | {base_key(TENANT, D), day_key(TENANT, D), day_key(TENANT, D - 1)}


def test_folding_into_a_closed_day_needs_its_week() -> None:
    spending = after(*range(D - 20, D), closed=D - 1)
    pages = with_ledger(spending)
    wanted = spending.domain.missing(pages, arrived(spent(D - 5, 1, hour=7)), spending.context)
    hours = {hour_key(TENANT, (D - 5) * HOURS_PER_DAY + 7)}
    assert wanted == hours | {day_key(TENANT, D - back) for back in range(5, 13)}


def test_days_that_hold_nothing_are_not_asked_for() -> None:
    spending = after(D - 9, D - 4, closed=D - 1)
    pages = with_ledger(spending)
    wanted = spending.domain.missing(pages, arrived(spent(D, 1, hour=0)), spending.context)
    hours = {hour_key(TENANT, D * HOURS_PER_DAY)}
    assert wanted == hours | {day_key(TENANT, D - 9), day_key(TENANT, D - 4)}


def test_a_month_is_asked_for_where_there_is_a_budget_and_its_days_once_that_is_new() -> None:
    spending = after(D - 20, D - 2, D, closed=D - 1)
    spending.learn(budget(monthly=5, since=D))
    spending.pages.parts.pop(month_key(TENANT, month_of(D)))
    pages = with_ledger(spending)
    events = arrived(spent(D, 1, hour=7))
    first = spending.domain.missing(pages, events, spending.context)
    assert month_key(TENANT, month_of(D)) in first
    assert day_key(TENANT, D - 2) not in first
    pages.bodies[month_key(TENANT, month_of(D))] = None
    days = {key for key in spending.domain.missing(pages, events, spending.context) if key.kind == DAY}
    assert days == {day_key(TENANT, D - 2), day_key(TENANT, D)}  # the 20th day before is of the month before


def test_a_close_needs_the_day_and_the_seven_before() -> None:
    spending = after(*range(D - 20, D + 1), closed=D - 1)
    pages = with_ledger(spending)
    wanted = spending.domain.close_missing(pages, D, [TENANT], spending.context)
    assert wanted == {base_key(TENANT, D), *(day_key(TENANT, D - back) for back in range(8))}


def test_a_close_of_a_silent_day_needs_nothing_more() -> None:
    spending = after(*range(D - 20, D), closed=D - 1)
    pages = with_ledger(spending)
    assert spending.domain.close_missing(pages, D, [TENANT], spending.context) == set()


def test_a_close_that_publishes_snapshots_needs_the_hours_too() -> None:
    spending = after(D, spending=Spending(limits=FoldLimits(publish_snapshots=True)))
    spending.closed = D - 1
    pages = with_ledger(spending)
    hours = {hour_key(TENANT, D * HOURS_PER_DAY + hour) for hour in range(HOURS_PER_DAY)}
    assert spending.domain.close_missing(pages, D, [TENANT], spending.context) >= hours


def test_who_has_state_has_a_ledger() -> None:
    assert domain.tenants_scope() == (LEDGER, range(1))
    assert domain.closing_scope(20_000) == domain.tenants_scope()
    spending = after(D)
    [key] = spending.pages.keys(LEDGER)
    assert key.bucket in domain.tenants_scope()[1]


def test_closes_look_a_week_back_for_days_and_to_the_end_of_months() -> None:
    days, months = domain.searches(D, D + 3)
    assert (days.kind, months.kind) == (DAY, MONTH)
    assert (days.buckets[0], days.buckets.stop) == ((D - 7) * HOURS_PER_DAY, (D + 4) * HOURS_PER_DAY)
    assert days.period_of(D * HOURS_PER_DAY) == D
    first = month_key(TENANT, month_of(D)).bucket
    assert months.buckets[0] == first
    assert months.period_of(first) == month_days(month_of(D)).stop - 1
    assert domain.searches(3, 4)[0].buckets[0] == 0


def test_a_day_has_a_page_and_twenty_four_hours() -> None:
    keys = list(domain.day_keys(TENANT, D))
    assert keys[0] == day_key(TENANT, D)
    assert {key.kind for key in keys[1:]} == {HOUR}
    assert [key.bucket for key in keys[1:]] == list(range(D * 24, D * 24 + 24))


def test_money_is_given_or_by_price_or_unknown() -> None:
    priced = Spending(price=7).domain
    assert (domain.money(spent(D, 2)), domain.money(spent(D, None))) == (2 * USD, None)
    assert (priced.money(spent(D, 2)), priced.money(spent(D, None))) == (2 * USD, 7)


def test_rows_become_what_judges_and_concern_their_tenants() -> None:
    rows = [SettingRow(seq, *row) for seq, row in enumerate((rule("spike_pct", 150), budget()), 1)]
    assert domain.settings(rows).rules(TENANT, D).changed == {"spike_pct": 150}
    assert domain.concerned(rows) is None
    assert domain.concerned(rows[1:]) == frozenset({TENANT})


def test_a_record_ahead_of_its_append_time_is_no_event() -> None:
    value = b'{"id":"a","tenant_id":"t","occurred_at":"1970-01-02T00:05:00Z","model":"m","input_tokens":1,'
    value += b'"output_tokens":1}'
    append_ms = US_PER_DAY // 1000
    assert isinstance(domain.decode(LogRecord(0, append_ms, None, value)), CostEvent)
    early = domain.decode(LogRecord(0, append_ms - 1, None, value))
    assert isinstance(early, Invalid)
    assert (early.field, early.reason[:6]) == ("occurred_at", "future")


def test_stamps_tell_records_and_their_contents_apart() -> None:
    one, other = spent(D, 1), spent(D, 1)
    changed = spent(D, 2)
    changed.id = one.id
    assert len(domain.stamp(one)) == 20
    assert domain.stamp(one)[:16] == domain.stamp(changed)[:16] != domain.stamp(other)[:16]
    assert domain.stamp(one)[16:] != domain.stamp(changed)[16:]


def test_pages_weigh_as_many_entities_as_they_hold() -> None:
    spending = Spending()
    spending.fold(spent(D, 1, user_id="u", feature_tag="f"), spent(D, 1, user_id="v"))
    for key in (day_key(TENANT, D), hour_key(TENANT, D * HOURS_PER_DAY + 12)):
        assert domain.weight(spending.page(key)) == 5


def test_every_entity_of_a_page_has_a_row() -> None:
    spending = Spending()
    spending.fold(spent(D - 1, 1), spent(D, 3, user_id="u", is_retry=True, cached_input_tokens=4), spent(D, None))
    rows = {}
    for closed in (False, True):
        if closed:
            spending.close(D)
        for row in domain.project(day_key(TENANT, D), spending.day(D), 77):
            rows[closed, row.values[3]] = row.values
    start = D * US_PER_DAY
    assert rows[False, "tenant"] == (
        TENANT, "day", start, "tenant", TENANT, 2, 1, 1, 20, 4, 2, 3 * USD, None, False, 77
    )  # fmt: skip
    assert rows[True, "tenant"] == (*rows[False, "tenant"][:12], USD, False, 77)
    assert rows[True, "user"][11:13] == (3 * USD, None)
    hour = D * HOURS_PER_DAY + 12
    of_hour = list(domain.project(hour_key(TENANT, hour), spending.hour(hour), 78))
    assert {row.values[1] for row in of_hour} == {"hour"}
    assert {row.values[12] for row in of_hour} == {None}
    assert list(domain.project(ledger_key(TENANT), spending.ledger(), 79)) == []


def test_what_has_no_price_costs_null_and_not_nothing() -> None:
    spending = Spending()
    spending.fold(spent(D, None))
    assert {row.values[11] for row in domain.project(day_key(TENANT, D), spending.day(D), 1)} == {None}


def test_a_restated_row_says_so() -> None:
    spending = Spending()
    spending.fold(spent(D, 1, user_id="u"))
    spending.close(D)
    spending.fold(spent(D, 1, user_id="v"))
    rows = {row.values[4]: row.values[13] for row in domain.project(day_key(TENANT, D), spending.day(D), 1)}
    assert rows == {TENANT: True, "m": True, "u": False, "v": True}


def test_complete_snapshots_are_published_when_asked_for_and_those_that_are_corrected() -> None:
    spending = Spending(limits=FoldLimits(publish_snapshots=True))
    events = arrived(spent(D, 1, user_id="u"))
    spending._load(lambda: spending.domain.missing(spending.pages, events, spending.context))
    assert spending.domain.fold(spending.pages, events, spending.context).outgoing == []
    context = Context(D - 1, spending.context.settings)
    spending._load(lambda: spending.domain.close_missing(spending.pages, D, [TENANT], context))
    told = [
        json.loads(out.value or b"") for out in spending.domain.close(spending.pages, D, [TENANT], context).outgoing
    ]
    assert [(line["window"], line["entity_type"], line["status"]) for line in told] == [
        (window, kind, "complete") for window in ("day", "hour") for kind in ("tenant", "user", "model")
    ]
    closed = Context(D, spending.context.settings)
    late = arrived(spent(D, 2, user_id="u"))
    spending._load(lambda: spending.domain.missing(spending.pages, late, closed))
    corrected = [json.loads(out.value or b"") for out in spending.domain.fold(spending.pages, late, closed).outgoing]
    assert {(line["window"], line["cost_nanousd"], line["version"]) for line in corrected} == {
        ("day", 3 * USD, 5),
        ("hour", 3 * USD, 5),
    }
    assert {line["restated"] for line in corrected} == {True}


VALUES: SnapshotValues = ("t", "day", D * US_PER_DAY, "user", "u", 4, 1, 2, 30, 5, 6, 15, 10, False, 9)


@pytest.mark.parametrize("closed_through, status, version", [
    (None, "provisional", 8), (D - 1, "provisional", 8), (D, "complete", 9), (D + 1, "complete", 9),
])  # fmt: skip
def test_a_line_is_complete_once_its_day_is_closed(closed_through: int | None, status: str, version: int) -> None:
    assert snapshot_line(VALUES, closed_through) == {
        "tenant_id": "t",
        "entity_type": "user",
        "entity_id": "u",
        "window": "day",
        "start": "2026-03-18T00:00:00Z",
        "requests": 4,
        "unpriced_requests": 1,
        "retry_requests": 2,
        "input_tokens": 30,
        "cached_input_tokens": 5,
        "output_tokens": 6,
        "cost_nanousd": 15,
        "baseline_nanousd": 10,
        "deviation_pct": 50.0,
        "status": status,
        "restated": False,
        "version": version,
    }


@pytest.mark.parametrize("cost, baseline, deviation", [
    (None, 10, None), (0, 10, None), (15, None, None), (15, 0, None), (5, 15, -66.66),
])  # fmt: skip
def test_a_deviation_needs_a_cost_and_a_baseline(cost: int | None, baseline: int | None, deviation: float) -> None:
    line = snapshot_line((*VALUES[:11], cost, baseline, *VALUES[13:]), D)
    assert line["deviation_pct"] == deviation


def test_the_last_hour_of_a_closed_day_is_complete_and_the_next_is_not() -> None:
    hours = [(*VALUES[:1], "hour", (D * 24 + hour) * US_PER_HOUR, *VALUES[3:]) for hour in (23, 24)]
    statuses = [snapshot_line(values, D)["status"] for values in hours]
    assert list(pairwise(statuses)) == [("complete", "provisional")]


def test_facts_and_unpriced_records_are_counted() -> None:
    spending = Spending(STANDARD)
    spending.fold(*(spent(D - back, 100) for back in (5, 4, 3)))
    [told] = of_kind(spending.fold(spent(D, None), spent(D, 300)), "ABSOLUTE_SPIKE")
    assert spending.counts == {"unpriced.unknown_model": 1, "facts.ABSOLUTE_SPIKE": 1}
    assert told["unpriced_requests"] == 1
