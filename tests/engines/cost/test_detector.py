"""Which days are spikes, which of them are news, and what a close makes of them."""

from collections.abc import Sequence
from typing import Any

import pytest

from engines.core.money import NANOUSD_PER_USD as USD
from engines.cost.finding import SPIKE
from engines.cost.pages import JUDGED_TYPES
from engines.cost.rules import REFERENCE, STANDARD, Profile
from tests.engines.cost.spending import TENANT, Line, Spending, of_kind, rule, spent

DAY = 20_530
WHO: dict[str, Any] = {"user_id": "u", "feature_tag": "f"}


def with_history(profile: Profile, usd: float = 100, backs: Sequence[int] = (5, 4, 3), **who: Any) -> Spending:
    """Return what a tenant spent: *usd* on each of the days *backs* before ``DAY``."""
    spending = Spending(profile)
    assert spending.fold(*(spent(DAY - back, usd, **who) for back in backs)) == []
    return spending


def said(lines: list[Line]) -> list[tuple[Any, ...]]:
    return [(line["window_start"][:10], line["status"], line["breach_count"], line["threshold_pct"]) for line in lines]


def test_the_second_breach_day_in_a_row_is_a_spike() -> None:
    spending = with_history(REFERENCE)
    assert spending.fold(spent(DAY - 1, 140)) == []
    assert spending.fold(spent(DAY, 139.999999999)) == []
    assert said(spending.fold(spent(DAY, 0.000000001))) == [("2026-03-18", "provisional", 2, 40)]


def test_a_day_between_breaks_the_streak() -> None:
    spending = with_history(REFERENCE, backs=(7, 6, 5))
    assert spending.fold(spent(DAY - 2, 150)) == []
    assert spending.fold(spent(DAY - 1, 139)) == []
    assert spending.fold(spent(DAY, 150)) == []


def test_a_streak_has_no_cap_and_one_episode() -> None:
    spending = with_history(REFERENCE, backs=range(24, 9, -1))
    told = spending.fold(*(spent(DAY - back, 100 * 1.5 ** (10 - back)) for back in range(9, 0, -1)))
    spikes = of_kind(told, SPIKE)
    assert [line["breach_count"] for line in spikes] == list(range(2, 10))
    assert len({line["episode_id"] for line in spikes}) == 1
    assert len({line["anomaly_id"] for line in spikes}) == 8


def test_when_yesterday_crosses_later_today_becomes_a_spike() -> None:
    spending = with_history(REFERENCE)
    assert spending.fold(spent(DAY - 1, 100), spent(DAY, 150)) == []
    assert said(spending.fold(spent(DAY - 1, 50))) == [("2026-03-18", "provisional", 2, 40)]
    assert spending.day(DAY).streaks["tenant"] == {TENANT: DAY - 1}


def test_a_streak_is_handed_on_to_an_open_day_that_waits_for_it() -> None:
    spending = with_history(REFERENCE, backs=(6, 5, 4))
    assert spending.fold(spent(DAY - 2, 150), spent(DAY - 1, 100), spent(DAY, 200)) == []
    told = spending.fold(spent(DAY - 1, 70))
    assert said(told) == [("2026-03-17", "provisional", 2, 40), ("2026-03-18", "provisional", 3, 40)]
    assert len({line["episode_id"] for line in told}) == 1


@pytest.mark.parametrize("usd, threshold", [(300, 200), (200, 100), (299.999999999, 100)])
def test_a_day_dear_enough_is_a_spike_at_once(usd: float, threshold: int) -> None:
    told = with_history(STANDARD).fold(spent(DAY, usd))
    assert said(told) == [("2026-03-18", "provisional", 1, threshold)]


def test_a_day_almost_dear_enough_waits_for_the_next() -> None:
    spending = with_history(STANDARD)
    assert spending.fold(spent(DAY, 199.999999999)) == []
    assert said(spending.fold(spent(DAY, 0.000000001)))[:1] == [("2026-03-18", "provisional", 1, 100)]


def test_what_changes_nothing_is_no_news() -> None:
    spending = with_history(STANDARD)
    assert len(spending.fold(spent(DAY, 300))) == 1
    assert len(spending.fold(spent(DAY, 300))) == 1  # twice the records a day: the cause is news
    assert spending.fold(spent(DAY, None), spent(DAY - 1, 10)) == []


def test_a_streak_that_would_also_have_fired_alone_is_no_news() -> None:
    spending = with_history(STANDARD, backs=(5, 5, 4, 4, 3, 3))
    assert said(spending.fold(spent(DAY - 1, 300), spent(DAY, 300))) == [("2026-03-18", "provisional", 2, 40)]
    assert spending.fold(spent(DAY, 100)) == []


def test_a_spike_that_turns_out_to_be_part_of_a_streak_is_told_again() -> None:
    spending = with_history(STANDARD)
    first = spending.fold(spent(DAY - 1, 100), spent(DAY, 300))
    again = spending.fold(spent(DAY - 1, 60))
    assert said(first + again) == [("2026-03-18", "provisional", 1, 200), ("2026-03-18", "provisional", 2, 40)]
    assert first[0]["anomaly_id"] == again[0]["anomaly_id"]
    assert first[0]["episode_id"] != again[0]["episode_id"]


def test_tenant_user_and_feature_are_judged_and_models_are_not() -> None:
    told = with_history(STANDARD, **WHO).fold(spent(DAY, 300, **WHO))
    assert [(line["entity_type"], line["entity_id"]) for line in told] == [
        ("tenant", TENANT),
        ("user", "u"),
        ("feature", "f"),
    ]
    assert {line["tenant_episode_id"] for line in told[1:]} == {told[0]["episode_id"]}
    assert told[0]["tenant_episode_id"] is None


def test_a_close_makes_final_what_holds_and_tells_each_entity_once_in_order() -> None:
    spending = with_history(STANDARD, **WHO)
    spending.fold(spent(DAY, 300, **WHO))
    spikes = of_kind(spending.close(DAY), SPIKE)
    assert [(line["entity_type"], line["status"]) for line in spikes] == [
        (kind, "final") for kind in sorted(JUDGED_TYPES)
    ]
    assert {line["revision"] for line in spikes} == {2 * 4 + 1}
    assert {fact["observed_at"] for fact in spending.facts[-3:]} == {"2026-03-19T00:00:00Z"}


def test_a_close_says_nothing_of_a_breach_that_fired_nothing() -> None:
    spending = with_history(STANDARD)
    spending.fold(spent(DAY, 150))
    assert spending.day(DAY).streaks["tenant"] == {TENANT: DAY}
    assert spending.standing() == []
    assert spending.close(DAY) == []


def test_a_spike_whose_baseline_rose_is_withdrawn_at_once_and_told_again_when_it_holds_again() -> None:
    spending = with_history(STANDARD)
    spending.fold(spent(DAY, 300))
    spending.close(DAY - 1)
    [gone] = of_kind(spending.fold(spent(DAY - 3, 700)), SPIKE)
    assert (gone["status"], gone["expected_nanousd"], gone["breach_count"]) == ("withdrawn", 333_333_333_333, 0)
    assert (gone["current_nanousd"], gone["deviation_pct"], gone["severity"]) == (300 * USD, -10.0, "HIGH")
    assert spending.fold(spent(DAY, 1)) == []
    [back] = of_kind(spending.fold(spent(DAY, 800)), SPIKE)
    assert (back["status"], back["anomaly_id"]) == ("provisional", gone["anomaly_id"])


def test_what_was_withdrawn_and_does_not_hold_at_close_is_told_no_more() -> None:
    spending = with_history(STANDARD)
    spending.fold(spent(DAY, 300))
    spending.close(DAY - 1)
    spending.fold(spent(DAY - 3, 700))
    told = spending.close(DAY)
    assert [line for line in of_kind(told, SPIKE) if line["window_start"][:10] == "2026-03-18"] == []


def test_a_spike_that_new_rules_do_not_see_is_withdrawn_at_its_close_only_once() -> None:
    spending = with_history(STANDARD)
    [first] = spending.fold(spent(DAY, 300))
    told = spending.learn(rule("spike_pct", 500, since=DAY))
    assert [(line["anomaly_id"], line["status"]) for line in told] == [(first["anomaly_id"], "withdrawn")]
    assert told[0]["rules"]["changed"] == {"spike_pct": 500}
    assert of_kind(spending.close(DAY), SPIKE) == []
    assert [fact["status"] for fact in spending.facts] == ["provisional", "withdrawn"]


def test_what_stands_is_told_as_of_now_and_changes_nothing() -> None:
    spending = with_history(STANDARD)
    spending.fold(spent(DAY, 300, user_id="new"), spent(DAY, 33, is_retry=True))
    [(anomaly, fact)] = spending.standing()
    assert fact is not None
    assert (anomaly["current_nanousd"], anomaly["status"]) == (333 * USD, "provisional")
    assert fact["current_value_cents"] == 33_300
    assert spending.standing() == [(anomaly, fact)]
    assert spending.standing("nobody") == []


def test_a_tenant_without_state_is_nothing_to_judge() -> None:
    spending = Spending(STANDARD)
    domain, pages = spending.domain, spending.pages
    for work in (
        lambda: domain.close_missing(pages, DAY, ["nobody"], spending.context),
        lambda: domain.open_missing(pages, ["nobody"], spending.context),
    ):
        spending._load(work)
    assert domain.close(pages, DAY, ["nobody"], spending.context).rows == []
    assert domain.rejudge(pages, ["nobody"], spending.context).rows == []
    assert (pages.dirty, spending.standing("nobody")) == (set(), [])


def test_what_was_told_of_one_tenant_tells_nothing_of_another() -> None:
    spending = with_history(STANDARD)
    spending.fold(*(spent(DAY - back, 100, "other") for back in (5, 4, 3)), spent(DAY, 120, "other"))
    told = spending.fold(spent(DAY, 300), spent(DAY, 300, "other"))
    assert [line["tenant_id"] for line in told] == [TENANT, "other"]
    assert {line["tenant_id"] for line in spending.close(DAY)} == {TENANT, "other"}


def test_a_fact_is_seen_when_the_newest_record_of_its_day_occurred() -> None:
    spending = with_history(STANDARD)
    spending.fold(spent(DAY, 1, hour=20))
    spending.fold(spent(DAY, 300, hour=7))
    assert [fact["observed_at"] for fact in spending.facts] == ["2026-03-18T20:00:00Z"]
