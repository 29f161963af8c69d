"""Where a record counts: its hour, its day, its month, under its names or those it is given."""

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engines.core.money import NANOUSD_PER_USD as USD
from engines.core.time import HOURS_PER_DAY, US_PER_DAY, month_of
from engines.cost.finding import SPIKE
from engines.cost.fold import CAPPED, OTHER, FoldLimits
from engines.cost.pages import ENTITY_TYPES
from engines.cost.rules import REFERENCE, STANDARD
from engines.cost.settings import UNCLASSIFIED
from engines.cost.totals import apart, cost, requests
from tests.engines.cost.spending import TENANT, Spending, budget, of_kind, rule, spent, tag

DAY = 20_530
MANY = settings(max_examples=60, deadline=None, derandomize=True)
SPENDS = st.lists(
    st.tuples(
        st.integers(0, 3),  # hour
        st.none() | st.sampled_from([f"u{n}" for n in range(9)]),
        st.none() | st.sampled_from([f"f{n}" for n in range(9)]),
        st.sampled_from(["m", "n", OTHER]),
        st.integers(0, 9),  # dollars
    ),
    min_size=1,
    max_size=40,
)
Spent = list[tuple[int, str | None, str | None, str, int]]


def test_a_record_counts_in_its_hour_and_its_day_under_all_its_names() -> None:
    spending = Spending()
    spending.fold(spent(DAY, 2, hour=3, user_id="u", feature_tag="f"), spent(DAY, 5, hour=4))
    names = [("tenant", TENANT), ("user", "u"), ("feature", "f"), ("model", "m")]
    of_day = {
        (kind, name): cost(total) for kind in ENTITY_TYPES for name, total in spending.day(DAY).totals[kind].items()
    }
    assert of_day == dict(zip(names, (7 * USD, 2 * USD, 2 * USD, 7 * USD), strict=True))
    of_hours = [cost(spending.hour(DAY * HOURS_PER_DAY + hour).totals["tenant"][TENANT]) for hour in (3, 4)]
    assert of_hours == [2 * USD, 5 * USD]
    assert spending.day(DAY).newest_us == DAY * US_PER_DAY + US_PER_DAY // 6


def test_retries_cached_tokens_and_unpriced_requests_are_counted_apart() -> None:
    spending = Spending()
    spending.fold(spent(DAY, None, is_retry=True, cached_input_tokens=4), spent(DAY, 3))
    assert spending.counts == {"unpriced.unknown_model": 1}
    sums = apart(spending.day(DAY).totals["tenant"][TENANT])
    assert (sums.requests, sums.unpriced_requests, sums.retry_requests) == (2, 1, 1)
    assert (sums.cached_input_tokens, sums.input_tokens, sums.output_tokens) == (4, 20, 2)


def test_a_record_that_does_not_say_what_it_cost_costs_its_price() -> None:
    spending = Spending(price=7)
    spending.fold(spent(DAY, None), spent(DAY, 1))
    assert spending.counts == {}
    assert cost(spending.day(DAY).totals["tenant"][TENANT]) == USD + 7


def test_a_restated_record_is_priced_and_counted_like_any_other() -> None:
    spending = Spending(price=7)
    spending.fold(spent(DAY, None, user_id="u"))
    spending.close(DAY)
    spending.fold(spent(DAY, None, user_id="u", hour=5))
    assert cost(spending.day(DAY).totals["user"]["u"]) == 14
    assert spending.day(DAY).restated == {"tenant": {TENANT}, "user": {"u"}, "feature": set(), "model": {"m"}}
    assert spending.hour(DAY * HOURS_PER_DAY + 12).restated["user"] == set()
    assert spending.hour(DAY * HOURS_PER_DAY + 5).restated["user"] == {"u"}


def test_an_inactive_tag_becomes_unclassified_from_when_it_is_inactive() -> None:
    spending = Spending(STANDARD, tag("f", active=False, since=DAY))
    spending.fold(spent(DAY - 1, 1, feature_tag="f"), spent(DAY, 2, feature_tag="f"), spent(DAY, 4, feature_tag="g"))
    spending.fold(spent(DAY, 8))
    assert spending.day(DAY - 1).totals["feature"].keys() == {"f"}
    assert spending.day(DAY).totals["feature"].keys() == {UNCLASSIFIED, "g"}
    spending.close(DAY)
    spending.fold(spent(DAY, 1, feature_tag="f"))
    assert cost(spending.day(DAY).totals["feature"][UNCLASSIFIED]) == 3 * USD
    assert spending.day(DAY).restated["feature"] == {UNCLASSIFIED}


def test_where_tags_are_registered_unknown_ones_are_unclassified_and_none_stays_none() -> None:
    rows = (rule("feature_tags", "registered", since=DAY), rule("feature_tags", "open", "other"), tag("f"))
    spending = Spending(STANDARD, *rows)
    for day in (DAY - 1, DAY):
        spending.fold(*(spent(day, 1, feature_tag=name) for name in ("f", "g", None)))
    spending.fold(spent(DAY, 1, "other", feature_tag="g"))
    assert spending.day(DAY - 1).totals["feature"].keys() == {"f", "g"}
    assert spending.day(DAY).totals["feature"].keys() == {"f", UNCLASSIFIED}
    assert spending.day(DAY, "other").totals["feature"].keys() == {"g"}


def test_a_budget_of_unclassified_sees_what_is_taken_as_that() -> None:
    spending = Spending(STANDARD, tag("f", active=False), budget("feature", UNCLASSIFIED, daily=100))
    [told] = spending.fold(spent(DAY, 1, feature_tag="f"))
    assert (told["entity_id"], told["anomaly_type"]) == (UNCLASSIFIED, "BUDGET_EXCEEDED")


@MANY
@given(SPENDS, st.integers(1, 20), st.lists(st.integers(1, 9), max_size=8), st.booleans())
def test_what_a_day_has_no_room_for_adds_up_under_another_name(
    drawn: Spent, most: int, chunks: list[int], late: bool
) -> None:
    spending = Spending(limits=FoldLimits(entities_max=most))
    if late:
        spending.fold(spent(DAY, 0, model="m"))
        spending.close(DAY)
    events = [
        spent(DAY, usd, hour=hour, user_id=user, feature_tag=feature, model=model)
        for hour, user, feature, model, usd in drawn
    ]
    at = 0
    for size in [*chunks, len(events)]:
        spending.fold(*events[at : at + size])
        at += size
    page = spending.day(DAY)
    assert page.entities <= most + 6  # the last record to be let in brings up to three, and then there are the rests
    sums = {kind: sum(cost(total) for total in page.totals[kind].values()) // USD for kind in ENTITY_TYPES}
    assert sums == {
        "tenant": sum(usd for *_, usd in drawn),
        "user": sum(usd for _, user, _, _, usd in drawn if user),
        "feature": sum(usd for _, _, feature, _, usd in drawn if feature),
        "model": sum(usd for *_, usd in drawn),
    }
    hours = Counter[tuple[str, str]]()
    for hour in {hour for hour, *_ in drawn} | ({12} if late else set()):
        for kind, totals in spending.hour(DAY * HOURS_PER_DAY + hour).totals.items():
            hours.update({(kind, name): requests(total) for name, total in totals.items()})
    assert hours == {
        (kind, name): requests(total) for kind in ENTITY_TYPES for name, total in page.totals[kind].items()
    }
    capped = any(OTHER in page.totals[kind] for kind in ("user", "feature"))
    assert spending.counts[CAPPED] > 0 or not capped


def test_who_is_known_to_a_full_day_still_counts_under_his_own_name() -> None:
    spending = Spending(limits=FoldLimits(entities_max=3))
    spending.fold(spent(DAY, 1, user_id="u"))
    spending.fold(spent(DAY, 1, user_id="u"), spent(DAY, 5, user_id="v"), spent(DAY, 7, user_id="w"))
    totals = spending.day(DAY).totals
    assert {name: cost(total) for name, total in totals["user"].items()} == {"u": 2 * USD, OTHER: 12 * USD}
    assert spending.counts == {CAPPED: 2}


def test_what_falls_into_the_rest_is_judged_as_the_rest() -> None:
    spending = Spending(REFERENCE, limits=FoldLimits(entities_max=1))
    for back, usd in ((4, 100), (3, 100), (2, 100), (1, 200), (0, 200)):
        spending.fold(spent(DAY - back, 0), spent(DAY - back, usd, user_id=f"u{back}"))
    assert {line["entity_id"] for line in of_kind(spending.lines, SPIKE)} == {TENANT, OTHER}


def test_many_users_are_kept_over_many_commits_in_parts() -> None:
    spending = Spending()
    for start in range(0, 400, 50):
        spending.fold(*(spent(DAY, 1, user_id=f"u{n}") for n in range(start, start + 50)))
        spending.fold(spent(DAY, 1, user_id="u7"))
    parts = spending.pages.parts
    assert {len(of_page) for key, of_page in parts.items() if key.kind in {"cost.day", "cost.hour"}} == {8}
    users = spending.day(DAY).totals["user"]
    assert Counter(cost(total) // USD for total in users.values()) == {1: 399, 9: 1}
    spending.close(DAY)
    spending.fold(spent(DAY, 1, user_id="u8"))
    assert cost(spending.day(DAY).totals["user"]["u8"]) == 2 * USD
    assert spending.day(DAY).restated["user"] == {"u8"}


def test_users_of_a_large_tenant_are_judged_as_any() -> None:
    def big(day: int, usd: float, **more: Any) -> None:
        spending.fold(*(spent(day, usd, user_id=f"u{n}", **more) for n in range(130)))

    spending = Spending(REFERENCE)
    for back in (5, 4, 3):
        big(DAY - back, 1)
    big(DAY - 1, 2)
    assert of_kind(spending.lines, SPIKE) == []
    big(DAY, 2)
    assert len({line["entity_id"] for line in of_kind(spending.lines, SPIKE)}) == 131
    final = [line for line in spending.close(DAY) if line["anomaly_type"] == SPIKE]
    assert len(final) == 131
    assert len(spending.day(DAY).published) == 131
    spending.fold(spent(DAY, 1, user_id="u3"))
    again = of_kind(spending.close(DAY + 1), SPIKE)
    assert {line["restated"] for line in again} == {True}
    assert len(again) == 131


def test_a_month_is_kept_from_its_first_record_on() -> None:
    spending = Spending(STANDARD, budget("user", "u", monthly=10_000))
    spending.fold(spent(DAY, 3, user_id="u"), spent(DAY, 4, user_id="v"))
    page = spending.month(month_of(DAY))
    assert {name: cost(total) for name, total in page.totals["user"].items()} == {"u": 3 * USD}
    assert cost(page.totals["tenant"][TENANT]) == 7 * USD
    assert page.newest_us == spending.day(DAY).newest_us


def test_a_close_fixes_the_baselines_of_all_users_of_a_large_tenant() -> None:
    spending = Spending()
    for day in (DAY - 1, DAY):
        spending.fold(*(spent(day, 1, user_id=f"u{n}") for n in range(130)))
    assert of_kind(spending.close(DAY), SPIKE) == []
    assert (spending.day(DAY).baselines or {})["user"] == {f"u{n}": (USD, 1) for n in range(130)}
