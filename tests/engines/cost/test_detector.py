"""Which days are spikes, which of them are news, and what a close makes of them."""

from collections.abc import Sequence
from typing import Any

import pytest

from engines.core.model import Effects
from engines.cost.domain import CostDomain
from engines.cost.event import CostEvent
from engines.cost.pages import JUDGED_TYPES, day_key
from engines.cost.rules import REFERENCE, STANDARD, USD
from engines.cost.totals import line
from tests.engines.cost.spending import TENANT, MemoryPages, arrived, domain, facts, spent

DAY = 20_530
WHO: dict[str, Any] = {"user_id": "u", "feature_tag": "f"}


def fold(rules: CostDomain, pages: MemoryPages, *events: CostEvent) -> list[dict[str, Any]]:
    return facts(rules.fold(pages, arrived(*events)))


def close(rules: CostDomain, pages: MemoryPages, day: int) -> list[dict[str, Any]]:
    return facts(rules.close(pages, day, [TENANT]))


def with_history(rules: CostDomain, usd: float = 100, backs: Sequence[int] = (3, 4, 5)) -> MemoryPages:
    """Return pages on which the tenant spent *usd* on each of the days *backs* before ``DAY``."""
    pages = MemoryPages()
    for back in sorted(backs, reverse=True):
        assert fold(rules, pages, spent(DAY - back, usd)) == []
    return pages


def said(facts: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(f["window_start"][:10], f["status"], f["breach_count"], f["threshold_pct"]) for f in facts]


def test_the_second_breach_day_in_a_row_is_a_spike() -> None:
    rules = domain(REFERENCE)
    pages = with_history(rules)
    assert fold(rules, pages, spent(DAY - 1, 140)) == []
    assert fold(rules, pages, spent(DAY, 139.999999999)) == []
    assert said(fold(rules, pages, spent(DAY, 0.000000001))) == [("2026-03-18", "provisional", 2, 40)]


def test_a_day_between_breaks_the_streak() -> None:
    rules = domain(REFERENCE)
    pages = with_history(rules, backs=(5, 6, 7))
    assert fold(rules, pages, spent(DAY - 2, 150)) == []
    assert fold(rules, pages, spent(DAY - 1, 139)) == []
    assert fold(rules, pages, spent(DAY, 150)) == []


def test_when_yesterday_crosses_later_today_becomes_a_spike() -> None:
    rules = domain(REFERENCE)
    pages = with_history(rules)
    assert fold(rules, pages, spent(DAY - 1, 100), spent(DAY, 150)) == []
    assert said(fold(rules, pages, spent(DAY - 1, 50))) == [("2026-03-18", "provisional", 2, 40)]
    assert pages.day(DAY).streaks["tenant"] == {TENANT: DAY - 1}
    assert day_key(TENANT, DAY) in pages.touched


def test_a_streak_is_handed_on_to_an_open_day_that_waits_for_it() -> None:
    rules = domain(REFERENCE)
    pages = with_history(rules, backs=(4, 5, 6))
    assert fold(rules, pages, spent(DAY - 2, 150), spent(DAY - 1, 100), spent(DAY, 200)) == []
    told = fold(rules, pages, spent(DAY - 1, 70))
    assert said(told) == [("2026-03-17", "provisional", 2, 40), ("2026-03-18", "provisional", 3, 40)]
    assert len({fact["episode_id"] for fact in told}) == 1


@pytest.mark.parametrize("usd, threshold", [(300, 200), (200, 100), (299.999999999, 100)])
def test_a_day_dear_enough_is_a_spike_at_once(usd: float, threshold: int) -> None:
    rules = domain(STANDARD)
    assert said(fold(rules, with_history(rules), spent(DAY, usd))) == [("2026-03-18", "provisional", 1, threshold)]


def test_a_day_almost_dear_enough_waits_for_the_next() -> None:
    rules = domain(STANDARD)
    pages = with_history(rules)
    assert fold(rules, pages, spent(DAY, 199.999999999)) == []
    assert said(fold(rules, pages, spent(DAY, 0.000000001))) == [("2026-03-18", "provisional", 1, 100)]


def test_what_changes_nothing_is_no_news() -> None:
    rules = domain(STANDARD)
    pages = with_history(rules)
    assert len(fold(rules, pages, spent(DAY, 300))) == 1
    assert fold(rules, pages, spent(DAY, 300), spent(DAY, None), spent(DAY - 1, 10)) == []


def test_a_streak_that_would_also_have_fired_alone_is_no_news() -> None:
    rules = domain(STANDARD)
    pages = with_history(rules)
    assert len(fold(rules, pages, spent(DAY - 1, 150), spent(DAY, 150))) == 1
    assert fold(rules, pages, spent(DAY, 50)) == []


def test_a_spike_that_turns_out_to_be_part_of_a_streak_is_told_again() -> None:
    rules = domain(STANDARD)
    pages = with_history(rules)
    first = fold(rules, pages, spent(DAY - 1, 100), spent(DAY, 300))
    again = fold(rules, pages, spent(DAY - 1, 60))
    assert said(first + again) == [("2026-03-18", "provisional", 1, 200), ("2026-03-18", "provisional", 2, 40)]
    assert first[0]["anomaly_id"] == again[0]["anomaly_id"]
    assert first[0]["episode_id"] != again[0]["episode_id"]


def test_tenant_user_and_feature_are_judged_and_models_are_not() -> None:
    rules = domain(STANDARD)
    pages = MemoryPages()
    fold(rules, pages, *(spent(DAY - back, 100, **WHO) for back in (5, 4, 3)))
    told = fold(rules, pages, spent(DAY, 300, **WHO))
    assert [(fact["entity_type"], fact["entity_id"]) for fact in told] == [
        ("tenant", TENANT),
        ("user", "u"),
        ("feature", "f"),
    ]
    assert {fact["tenant_episode_id"] for fact in told[1:]} == {told[0]["episode_id"]}
    assert told[0]["tenant_episode_id"] is None


def test_a_close_makes_final_what_holds_and_tells_each_entity_once_in_order() -> None:
    rules = domain(STANDARD)
    pages = MemoryPages()
    fold(rules, pages, *(spent(DAY - back, 100, **WHO) for back in (5, 4, 3)))
    fold(rules, pages, spent(DAY, 300, **WHO))
    told = close(rules, pages, DAY)
    assert [(fact["entity_type"], fact["status"]) for fact in told] == [
        (kind, "final") for kind in sorted(JUDGED_TYPES)
    ]
    assert {fact["revision"] for fact in told} == {2 * 4 + 1}
    assert {fact["observed_at"] for fact in told} == {"2026-03-19T00:00:00Z"}


def test_a_close_says_nothing_of_a_breach_that_fired_nothing() -> None:
    rules = domain(STANDARD)
    pages = with_history(rules)
    fold(rules, pages, spent(DAY, 150))
    assert pages.day(DAY).streaks["tenant"] == {TENANT: DAY}
    assert close(rules, pages, DAY) == []


def test_a_spike_that_does_not_hold_at_close_is_withdrawn_once() -> None:
    rules = domain(STANDARD)
    pages = with_history(rules)
    fold(rules, pages, spent(DAY, 300))
    page = pages.day(DAY)
    page.totals["tenant"][TENANT] -= line(250 * USD)
    del page.streaks["tenant"][TENANT]
    [told] = close(rules, pages, DAY)
    assert (told["status"], told["revision"] % 2, told["current_nanousd"]) == ("withdrawn", 1, 50 * USD)
    assert page.published["tenant", TENANT].status == "withdrawn"
    assert close(rules, pages, DAY) == []


def test_a_revision_counts_the_tenants_records_of_thirty_days() -> None:
    rules = domain(STANDARD)
    pages = MemoryPages()
    for back in (30, 29, 14, 3, 2, 1):
        fold(rules, pages, spent(DAY - back, 100))
    [told] = fold(rules, pages, spent(DAY, 300), spent(DAY, None, hour=13))
    assert told["revision"] == 2 * 6
    assert rules.standing(pages, TENANT, DAY)[0][0]["revision"] == 2 * 7


def test_what_stands_is_told_as_of_now_and_changes_nothing() -> None:
    rules = domain(STANDARD)
    pages = with_history(rules)
    fold(rules, pages, spent(DAY, 300, user_id="new"), spent(DAY, 33, is_retry=True))
    touched = len(pages.touched)
    [(anomaly, fact)] = rules.standing(pages, TENANT, DAY)
    assert (anomaly["current_nanousd"], anomaly["status"]) == (333 * USD, "provisional")
    assert fact["current_value_cents"] == 33_300
    assert len(pages.touched) == touched
    assert rules.standing(pages, TENANT, DAY - 3) == rules.standing(pages, "nobody", DAY) == []


def test_a_breach_that_fires_nothing_does_not_stand() -> None:
    rules = domain(REFERENCE)
    pages = with_history(rules)
    fold(rules, pages, spent(DAY, 150))
    assert rules.standing(pages, TENANT, DAY) == []


def test_a_tenant_without_a_page_is_nothing_to_judge() -> None:
    rules = domain(STANDARD)
    pages = MemoryPages()
    assert close(rules, pages, DAY) == []
    detector, effects = rules._detector, Effects()
    detector.crossed(pages, TENANT, DAY, [("tenant", TENANT)], effects)
    detector.close(pages, TENANT, DAY, effects)
    detector._begin(pages, TENANT, DAY, "tenant", TENANT)
    assert (effects, pages.touched) == (Effects(), [])
