"""Budgets: one id for each period and window, whose type and severity rise."""

import pytest

from engines.core.money import NANOUSD_PER_USD as USD
from engines.core.time import month_days, month_of
from engines.cost.rules import STANDARD
from tests.engines.cost.spending import TENANT, Line, Row, Spending, budget, spent

DAY = 20_530
MONTH = month_of(DAY)
LAST = month_days(MONTH).stop - 1


def said(lines: list[Line]) -> list[tuple[str, str, str, str]]:
    return [(line["anomaly_type"], line["severity"], line["period"], line["status"]) for line in lines]


@pytest.mark.parametrize("period", ["daily", "monthly"])
def test_a_budget_is_told_of_each_time_it_rises_and_not_between(period: str) -> None:
    limit = budget(daily=10_000) if period == "daily" else budget(monthly=10_000)
    spending = Spending(STANDARD, limit)
    assert spending.fold(spent(DAY, 79.999999999)) == []
    told = [spending.fold(spent(DAY, usd)) for usd in (0.000000001, 9.9, 0.1, 9, 0.999999999, 0.000000001, 50)]
    medium, high, exceeded = ("WARNING", "MEDIUM"), ("WARNING", "HIGH"), ("EXCEEDED", "HIGH")
    assert [[(line["anomaly_type"][7:], line["severity"]) for line in each] for each in told] == [
        [medium], [], [high], [], [], [exceeded], [],
    ]  # fmt: skip
    assert len({line["anomaly_id"] for each in told for line in each}) == 1
    assert len(spending.facts) == 2


def test_a_warning_from_ninety_percent_on_is_high_at_once_and_one_at_hundred_exceeds() -> None:
    spending = Spending(STANDARD, budget(daily=10_000, warn=95), budget("user", "u", daily=10_000, warn=100))
    assert spending.fold(spent(DAY, 94.9, user_id="u")) == []
    assert said(spending.fold(spent(DAY, 0.1, user_id="u"))) == [("BUDGET_WARNING", "HIGH", "daily", "provisional")]
    told = spending.fold(spent(DAY, 5, user_id="u"))
    assert [(line["entity_type"], line["anomaly_type"]) for line in told] == [
        ("tenant", "BUDGET_EXCEEDED"),
        ("user", "BUDGET_EXCEEDED"),
    ]
    assert told[1]["tenant_episode_id"] == told[0]["episode_id"]


def test_a_budget_counts_its_own_entity_alone() -> None:
    spending = Spending(STANDARD, budget("feature", "f", daily=1_000), budget("user", "u", monthly=1_000))
    assert spending.fold(spent(DAY, 500, feature_tag="g", user_id="v")) == []
    told = spending.fold(spent(DAY, 8, feature_tag="f"), spent(DAY, 9, user_id="u"))
    assert [(line["entity_type"], line["entity_id"], line["current_nanousd"]) for line in told] == [
        ("feature", "f", 8 * USD),
        ("user", "u", 9 * USD),
    ]
    assert {line["tenant_episode_id"] for line in told} == {None}


def test_a_day_ends_and_the_month_goes_on() -> None:
    spending = Spending(STANDARD, budget(daily=10_000, monthly=15_000))
    spending.fold(spent(DAY, 100))
    assert said(spending.close(DAY)) == [("BUDGET_EXCEEDED", "HIGH", "daily", "final")]
    assert said(spending.fold(spent(DAY + 1, 50))) == [("BUDGET_EXCEEDED", "HIGH", "monthly", "provisional")]
    assert spending.close(LAST - 1) == []
    [final] = spending.close(LAST)
    assert said([final]) == [("BUDGET_EXCEEDED", "HIGH", "monthly", "final")]
    assert (final["window_start"], final["window_end"]) == ("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z")
    assert (final["revision"], final["current_nanousd"], final["breach_count"]) == (2 * (2 + 1) + 1, 150 * USD, 1)
    assert spending.facts[-1]["observed_at"] == "2026-04-01T00:00:00Z"


def test_each_month_is_one_window() -> None:
    spending = Spending(STANDARD, budget(monthly=10_000))
    spending.fold(spent(LAST, 90))
    told = spending.fold(spent(LAST + 1, 90))
    spending.fold(spent(LAST, 15))
    assert told[0]["window_start"] == "2026-04-01T00:00:00Z"
    assert [line["window_start"][:7] for line in spending.lines] == ["2026-03", "2026-04", "2026-03"]
    assert [(line["window_start"][:7], line["status"]) for line in spending.close(LAST)] == [("2026-03", "final")]


def test_a_restated_day_has_its_closed_month_judged_again() -> None:
    spending = Spending(STANDARD, budget(monthly=10_000))
    spending.fold(spent(LAST, 70))
    spending.close(LAST)
    assert spending.lines == []
    assert spending.fold(spent(LAST, 20)) == []
    spending.fold(spent(LAST + 1, 1))
    [told] = spending.close(LAST + 1)
    assert (told["status"], told["restated"], told["severity"]) == ("final", True, "HIGH")
    assert (told["revision"] % 2, told["window_start"]) == (1, "2026-03-01T00:00:00Z")


def test_a_restated_day_of_the_open_month_counts_at_once() -> None:
    spending = Spending(STANDARD, budget(monthly=10_000))
    spending.fold(spent(DAY, 70))
    spending.close(DAY)
    assert said(spending.fold(spent(DAY, 20))) == [("BUDGET_WARNING", "HIGH", "monthly", "provisional")]


@pytest.mark.parametrize("gone", [
    budget(daily=10_000, active=False), budget(), budget(daily=0),
])  # fmt: skip
def test_a_budget_that_is_gone_is_withdrawn_with_what_it_last_was(gone: Row) -> None:
    spending = Spending(STANDARD, budget(daily=10_000))
    spending.fold(spent(DAY, 95))
    [told] = spending.learn(gone)
    assert (told["status"], told["anomaly_type"], told["severity"]) == ("withdrawn", "BUDGET_WARNING", "HIGH")
    assert (told["expected_nanousd"], told["deviation_pct"], told["threshold_pct"]) == (None, 0, 0)
    assert (told["budget"], told["current_nanousd"]) == (None, 95 * USD)
    assert spending.learn(budget(daily=10_000, active=False)) == []
    [fact] = [fact for fact in spending.facts if fact["status"] == "withdrawn"]
    assert fact["expected_value_cents"] is None


def test_a_higher_limit_withdraws_and_a_lower_one_tells_at_once() -> None:
    spending = Spending(STANDARD, budget(daily=10_000))
    spending.fold(spent(DAY, 100))
    [withdrawn] = spending.learn(budget(daily=20_000))
    assert (withdrawn["status"], withdrawn["anomaly_type"], withdrawn["threshold_pct"]) == (
        "withdrawn",
        "BUDGET_EXCEEDED",
        100,
    )
    assert withdrawn["budget"] == {"limit_cents": 20_000, "warn_threshold_pct": 80, "usage_pct": 50.0}
    assert said(spending.learn(budget(daily=12_500))) == [("BUDGET_WARNING", "MEDIUM", "daily", "provisional")]
    assert len(spending.facts) == 3


def test_a_budget_in_force_from_tomorrow_on_does_not_judge_today() -> None:
    spending = Spending(STANDARD, budget(daily=10_000, since=DAY + 1))
    assert spending.fold(spent(DAY, 500)) == []
    assert len(spending.fold(spent(DAY + 1, 500))) == 1


def test_a_monthly_budget_set_in_the_middle_of_a_month_counts_it_from_its_first_day() -> None:
    spending = Spending(STANDARD)
    spending.fold(spent(DAY - 2, 40, user_id="u"), spent(DAY, 30, user_id="u"))
    spending.close(DAY - 1)
    assert said(spending.learn(budget("user", "u", monthly=8_000, since=DAY))) == [
        ("BUDGET_WARNING", "MEDIUM", "monthly", "provisional")
    ]
    assert spending.month(MONTH).totals["user"].keys() == {"u"}
    assert spending.month(MONTH).totals["tenant"].keys() == {TENANT}


def test_a_monthly_budget_that_becomes_known_as_its_month_closes_is_judged_by_that_close() -> None:
    spending = Spending(STANDARD)
    spending.fold(spent(LAST - 1, 500), spent(LAST, 500))
    spending.learn(budget(monthly=10_000))  # and nothing is judged again before the close
    told = [line for line in spending.close(LAST) if line["period"] == "monthly"]
    assert said(told) == [("BUDGET_EXCEEDED", "HIGH", "monthly", "final")]
    assert told[0]["current_nanousd"] == 1_000 * USD


def test_a_scope_without_a_record_is_not_judged() -> None:
    spending = Spending(STANDARD, budget("user", "nobody", daily=1, monthly=1), budget(daily=1))
    told = spending.fold(spent(DAY, 1))
    assert {line["entity_type"] for line in told} == {"tenant"}
    assert {line["entity_type"] for line in spending.close(LAST)} == {"tenant"}


def test_no_budget_no_month() -> None:
    spending = Spending(STANDARD, budget(daily=10_000))
    spending.fold(spent(DAY, 1))
    assert spending.pages.keys("cost.month") == set()
