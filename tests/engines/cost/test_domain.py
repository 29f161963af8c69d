"""What the shell asks of the cost domain: pages to load, days to close, rows to show."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.core.model import Invalid, LogRecord
from engines.core.time import US_PER_DAY, US_PER_HOUR
from engines.cost.event import CostEvent
from engines.cost.history import opening_keys
from engines.cost.lines import SnapshotValues, snapshot_line
from engines.cost.pages import DAY, HOUR, DayPage, day_key, hour_key
from engines.cost.rules import STANDARD, USD
from engines.cost.totals import RETRY_ONE, apart
from tests.engines.cost.spending import TENANT, MemoryPages, arrived, domain, facts, spent

D = 20_530
MANY = settings(max_examples=200, deadline=None, derandomize=True)


@MANY
@given(st.integers(0, 2_900_000), st.integers(-1, 1))
def test_a_day_closes_an_hour_after_its_end_to_the_microsecond(day: int, beside_us: int) -> None:
    due = (day + 1) * US_PER_DAY + US_PER_HOUR
    assert domain().next_due(day - 1) == due
    assert domain().closable_through(due + beside_us) == (day if beside_us >= 0 else day - 1)


def test_before_the_first_close_none_is_due() -> None:
    assert domain().next_due(None) is None


def test_folding_needs_hours_days_and_their_neighbours() -> None:
    pages = MemoryPages({day_key(TENANT, day): DayPage() for day in range(D - 1, D + 2)})
    wanted = {hour_key(TENANT, D * 24 + 7), *(day_key(TENANT, D + beside) for beside in (-1, 0, 1))}
    pages.unknown = set(wanted)
    assert domain().missing(pages, arrived(spent(D, 1, hour=7), spent(D, 1, hour=7))) == wanted


def test_a_new_day_needs_its_history_once_it_is_known_to_be_new() -> None:
    pages = MemoryPages()
    pages.unknown = {day_key(TENANT, D), *opening_keys(TENANT, D)}
    events = arrived(spent(D, 1))
    assert domain().missing(pages, events) == {day_key(TENANT, D)}
    pages.unknown.remove(day_key(TENANT, D))
    assert domain().missing(pages, events) == set(opening_keys(TENANT, D))
    pages.unknown.clear()
    assert domain().missing(pages, events) == set()


def test_a_close_needs_the_day_and_the_seven_before() -> None:
    pages = MemoryPages()
    pages.unknown = {day_key(TENANT, D - back) for back in range(-2, 12)}
    assert domain().close_missing(pages, D, [TENANT]) == {day_key(TENANT, D - back) for back in range(8)}


def test_a_close_visits_who_has_a_page_of_the_day_alone() -> None:
    kind, buckets = domain().close_scope(D)
    assert (kind, list(buckets)) == (DAY, [day_key(TENANT, D).bucket])


def test_a_day_has_a_page_and_twenty_four_hours() -> None:
    keys = list(domain().day_keys(TENANT, D))
    assert keys[0] == day_key(TENANT, D)
    assert {key.kind for key in keys[1:]} == {HOUR}
    assert [key.bucket for key in keys[1:]] == list(range(D * 24, D * 24 + 24))


def test_money_is_given_or_by_price_or_unknown() -> None:
    assert (domain().money(spent(D, 2)), domain().money(spent(D, None))) == (2 * USD, None)
    assert (domain(price=7).money(spent(D, 2)), domain(price=7).money(spent(D, None))) == (2 * USD, 7)


def test_a_record_that_does_not_say_what_it_cost_costs_its_price() -> None:
    pages = MemoryPages()
    effects = domain(price=7).fold(pages, arrived(spent(D, None), spent(D, 1)))
    assert effects.counts == {}
    assert apart(pages.day(D).totals["tenant"][TENANT]).cost_nanousd == USD + 7


def test_a_record_ahead_of_its_append_time_is_no_event() -> None:
    value = b'{"id":"a","tenant_id":"t","occurred_at":"1970-01-02T00:05:00Z","model":"m","input_tokens":1,'
    value += b'"output_tokens":1}'
    append_ms = US_PER_DAY // 1000
    assert isinstance(domain().decode(LogRecord(0, append_ms, None, value)), CostEvent)
    early = domain().decode(LogRecord(0, append_ms - 1, None, value))
    assert isinstance(early, Invalid)
    assert (early.field, early.reason[:6]) == ("occurred_at", "future")


def test_stamps_tell_records_and_their_contents_apart() -> None:
    one, other = spent(D, 1), spent(D, 1)
    changed = spent(D, 2)
    changed.id = one.id
    assert len(domain().stamp(one)) == 20
    assert domain().stamp(one)[:16] == domain().stamp(changed)[:16] != domain().stamp(other)[:16]
    assert domain().stamp(one)[16:] != domain().stamp(changed)[16:]


def test_pages_weigh_as_many_entities_as_they_hold_and_survive_sealing() -> None:
    pages = MemoryPages()
    domain().fold(pages, arrived(spent(D, 1, user_id="u", feature_tag="f"), spent(D, 1, user_id="v")))
    for key, body in pages.bodies.items():
        assert domain().weight(body) == 5
        assert domain().unpack(key, domain().pack(key, body)) == body


def test_every_entity_of_a_page_has_a_row() -> None:
    pages, rules = MemoryPages(), domain()
    events = [spent(D - 1, 1), spent(D, 3, user_id="u", is_retry=True, cached_input_tokens=4), spent(D, None)]
    rules.fold(pages, arrived(*events))
    rows = {}
    for closed in (False, True):
        if closed:
            rules.close(pages, D, [TENANT])
        for row in rules.project(day_key(TENANT, D), pages.day(D), 77):
            rows[closed, row.values[3]] = row.values
    start = D * US_PER_DAY
    assert rows[False, "tenant"] == (
        TENANT, "day", start, "tenant", TENANT, 2, 1, 1, 20, 4, 2, 3 * USD, None, False, 77
    )  # fmt: skip
    assert rows[True, "tenant"] == (*rows[False, "tenant"][:12], USD, False, 77)
    assert rows[True, "user"][11:13] == (3 * USD, None)
    hour = hour_key(TENANT, D * 24 + 12)
    of_hour = list(rules.project(hour, pages.bodies[hour], 78))
    assert {row.values[1] for row in of_hour} == {"hour"}
    assert {row.values[12] for row in of_hour} == {None}


def test_what_has_no_price_costs_null_and_not_nothing() -> None:
    pages, rules = MemoryPages(), domain()
    rules.fold(pages, arrived(spent(D, None)))
    assert {row.values[11] for row in rules.project(day_key(TENANT, D), pages.day(D), 1)} == {None}


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


def test_retries_and_unpriced_requests_are_counted_apart() -> None:
    rules = domain(STANDARD)
    pages = MemoryPages()
    rules.fold(pages, arrived(*(spent(D - back, 100) for back in (5, 4, 3))))
    effects = rules.fold(pages, arrived(spent(D, None, is_retry=True, cached_input_tokens=4), spent(D, 300)))
    assert effects.counts == {"unpriced.unknown_model": 1, "facts.ABSOLUTE_SPIKE": 1}
    [told] = facts(effects)
    assert told["unpriced_requests"] == 1
    assert pages.day(D).totals["tenant"][TENANT] & (RETRY_ONE - 1) == 4
