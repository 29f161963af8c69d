"""What is judged at a day's close alone, and what a day judged again becomes."""

from typing import Any

import pytest

from engines.core.money import NANOUSD_PER_USD as USD
from engines.cost.finding import SPIKE, UNPRICED
from engines.cost.rules import REFERENCE, STANDARD, Profile
from tests.engines.cost.spending import TENANT, Line, Spending, budget, of_kind, rule, spent

DAY = 20_530
LEVELS = ("tenant_spike", "user_spike", "feature_spike", "model_spike")


def after_a_week(profile: Profile, usd: float = 10, backs: range = range(7, 0, -1), **who: Any) -> Spending:
    spending = Spending(profile)
    spending.fold(*(spent(DAY - back, usd, **who) for back in backs))
    spending.close(DAY - 1)
    return spending


def closed(spending: Spending, *usd: float | None, **who: Any) -> list[Line]:
    """Return what closing ``DAY`` tells after records of *usd* on it."""
    spending.fold(*(spent(DAY, each, **who) for each in usd))
    return spending.close(DAY)


def test_every_kind_of_entity_is_evaluated_by_the_day_at_its_close() -> None:
    who: dict[str, Any] = {"user_id": "u", "feature_tag": "f"}
    spending = after_a_week(REFERENCE, **who)
    told = of_kind(closed(spending, 30, **who), *LEVELS)
    assert [line["anomaly_type"] for line in told] == sorted(LEVELS)
    episodes = {line["anomaly_type"]: line["episode_id"] for line in told}
    by_type = {line["anomaly_type"]: line["tenant_episode_id"] for line in told}
    tenant_episode = episodes["tenant_spike"]
    assert by_type == dict.fromkeys(LEVELS, tenant_episode) | {"tenant_spike": None}
    for line in told:
        assert (line["severity"], line["threshold_pct"], line["deviation_pct"]) == ("low", 200, 200.0)
        assert (line["breach_count"], line["derived_cause"], line["cause_evidence"]) == (1, "UNKNOWN", None)
        assert (line["status"], line["expected_nanousd"]) == ("final", 10 * USD)
    assert of_kind(spending.facts, *LEVELS) == []


def test_the_evaluation_by_the_day_has_the_gates_of_the_standard_profile() -> None:
    assert of_kind(closed(after_a_week(STANDARD, 2.5), 7.499999999), *LEVELS) == []
    assert len(of_kind(closed(after_a_week(STANDARD, 2.5), 7.5), *LEVELS)) == 2  # the tenant's and the model's
    assert of_kind(closed(after_a_week(STANDARD, 2), 6.999999999), *LEVELS) == []
    few = range(2, 0, -1)
    assert of_kind(closed(after_a_week(STANDARD, 10, few), 34.999999999), *LEVELS) == []
    assert len(of_kind(closed(after_a_week(STANDARD, 10, few), 35), *LEVELS)) == 2


def test_a_close_judges_by_settings_that_no_record_was_judged_by() -> None:
    """Whoever claims a partition knows all settings before it closes what is due, and judges open windows then."""
    spending = Spending(STANDARD, forgets=True)
    spending.fold(spent(DAY - 3, 1), spent(DAY - 2, 1), spent(DAY - 1, 10), spent(DAY, 10))
    spending.close(DAY - 2)
    spending.know(rule("profile", "reference", since=DAY - 1))
    spending.close(DAY - 1)
    told = [*spending.judge_again(), *spending.close(DAY)]
    tenants = [line for line in of_kind(told, SPIKE) if line["entity_type"] == "tenant"]
    assert [(line["status"], line["breach_count"]) for line in tenants] == [("provisional", 2), ("final", 2)]


def test_without_a_day_before_nothing_is_evaluated() -> None:
    assert closed(after_a_week(REFERENCE, backs=range(20, 7, -1)), 500) == []
    assert of_kind(closed(after_a_week(REFERENCE, 0), 500), *LEVELS) == []


@pytest.mark.parametrize("unpriced, priced, fires", [(11, 9, True), (10, 10, False), (10, 9, False), (20, 0, True)])
def test_a_day_of_which_more_than_half_has_no_price_says_so_at_its_close(
    unpriced: int, priced: int, fires: bool
) -> None:
    spending = Spending(STANDARD)
    assert spending.fold(*(spent(DAY, None) for _ in range(unpriced)), *(spent(DAY, 1) for _ in range(priced))) == []
    told = spending.close(DAY)
    assert len(told) == fires
    for line in told:
        assert (line["anomaly_type"], line["severity"], line["entity_type"]) == (UNPRICED, "MEDIUM", "tenant")
        assert (line["current_nanousd"], line["expected_nanousd"]) == (None, None)
        assert (line["threshold_pct"], line["unpriced_requests"]) == (50, unpriced)
        assert line["deviation_pct"] == 100 * unpriced / (unpriced + priced)
    assert spending.facts == []


def test_the_reference_does_not_speak_of_unpriced_usage() -> None:
    spending = Spending(REFERENCE)
    spending.fold(*(spent(DAY, None) for _ in range(50)))
    assert spending.close(DAY) == []


def test_a_restated_day_gets_a_spike_a_higher_revision_and_a_withdrawal() -> None:
    spending = after_a_week(STANDARD, 100)
    assert of_kind(closed(spending, 100), SPIKE) == []
    spending.fold(spent(DAY + 1, 1))
    assert of_kind(spending.fold(spent(DAY, 300)), SPIKE) == []  # a closed day waits for the next close
    [first] = of_kind(spending.close(DAY + 1), SPIKE)
    assert (first["status"], first["restated"], first["current_nanousd"]) == ("final", True, 400 * USD)
    spending.fold(spent(DAY, 10))
    [higher] = of_kind(spending.close(DAY + 2), SPIKE)
    assert (higher["status"], higher["current_nanousd"]) == ("final", 410 * USD)
    assert higher["revision"] == first["revision"] + 2
    spending.fold(*(spent(DAY - back, 2_000) for back in range(2, 5)), spent(DAY, 0))
    told = [line for line in of_kind(spending.close(DAY + 3), SPIKE) if line["anomaly_id"] == first["anomaly_id"]]
    assert [(line["status"], line["restated"]) for line in told] == [("withdrawn", True)]
    assert told[0]["expected_nanousd"] == (3 * 2_100 + 3 * 100) * USD // 6
    ids = {first["anomaly_id"]}
    assert [fact["status"] for fact in spending.facts if fact["anomaly_id"] in ids] == ["final", "final", "withdrawn"]


def test_a_day_is_judged_again_only_within_a_week_of_the_next_close() -> None:
    for back, again in ((7, True), (8, False)):
        spending = after_a_week(STANDARD, 100, range(14, 0, -1))
        spending.fold(spent(DAY - back, 900), spent(DAY, 1))
        restated = [line for line in spending.close(DAY) if line["restated"]]
        assert bool(restated) == again
        assert spending.ledger().restated == set()


def test_a_day_judged_again_gives_the_run_that_goes_on_its_new_first_day() -> None:
    spending = Spending(REFERENCE)
    spending.fold(*(spent(DAY - back, 100) for back in (8, 7, 6, 5)))
    spending.fold(spent(DAY - 3, 100), spent(DAY - 2, 150), spent(DAY - 1, 150))
    spending.close(DAY - 1)
    assert spending.day(DAY - 1).streaks["tenant"] == {TENANT: DAY - 2}
    spending.fold(spent(DAY, 200), spent(DAY - 3, 60))
    told = spending.close(DAY)
    assert spending.day(DAY - 1).streaks["tenant"] == {TENANT: DAY - 3}
    [today] = [line for line in of_kind(told, SPIKE) if line["window_start"] == "2026-03-18T00:00:00Z"]
    assert (today["breach_count"], today["streak_start"]) == (4, "2026-03-15T00:00:00Z")


def test_a_day_that_was_silent_is_born_by_a_restatement() -> None:
    spending = after_a_week(STANDARD, 100, range(7, 3, -1))
    spending.fold(spent(DAY, 1))
    spending.fold(spent(DAY - 2, 400, user_id="u"))
    told = spending.close(DAY)
    assert {line["anomaly_type"] for line in told if line["restated"]} == {SPIKE, "tenant_spike", "model_spike"}
    page = spending.day(DAY - 2)
    assert page.baselines == {
        "tenant": {TENANT: (400 * USD, 4)},
        "user": {},
        "feature": {},
        "model": {"m": (400 * USD, 4)},
    }


def test_a_closed_days_baseline_stays_as_it_was_fixed_and_that_of_a_later_row_is_of_its_birth() -> None:
    spending = after_a_week(STANDARD, 100, user_id="u")
    spending.close(DAY)
    before = spending.day(DAY - 1).baselines
    spending.fold(spent(DAY - 3, 50, user_id="u"), spent(DAY - 3, 30, user_id="v"), spent(DAY - 1, 1, user_id="v"))
    spending.close(DAY + 1)
    after = spending.day(DAY - 1).baselines
    assert before is not None
    assert after == before | {"user": before["user"] | {"v": (30 * USD, 1)}}


def test_a_restatement_gives_open_days_their_baseline_at_once() -> None:
    spending = after_a_week(REFERENCE, 100)
    assert of_kind(spending.fold(spent(DAY, 120, user_id="u")), SPIKE) == []
    sums = spending.base(DAY).sums["tenant"][TENANT]
    spending.fold(spent(DAY - 4, None), spent(DAY - 4, 500, user_id="new"))
    total, days = spending.base(DAY).sums["tenant"][TENANT]
    assert (days, total > sums[0]) == (sums[1], True)
    assert spending.base(DAY).sums["user"]["new"][1] == 1
    spending.fold(spent(DAY - 9, 1))
    assert spending.base(DAY).sums["tenant"][TENANT][1] == sums[1] + 1
    spending.fold(spent(DAY - 15, 1), spent(DAY - 1, 1))
    assert spending.base(DAY).sums["tenant"][TENANT][1] == sums[1] + 1


def test_a_rule_of_a_later_day_does_not_judge_an_earlier_one_again() -> None:
    spending = Spending(STANDARD, rule("spike_pct", 100_000, since=DAY + 1), budget(daily=100, since=DAY + 1))
    spending.fold(*(spent(DAY - back, 100) for back in (4, 3, 2)))
    spending.close(DAY)
    spending.fold(spent(DAY, 900), spent(DAY + 1, 900))
    told = spending.close(DAY + 1)
    assert {(line["anomaly_type"], line["window_start"][8:10]) for line in told} >= {
        (SPIKE, "18"),
        ("BUDGET_EXCEEDED", "19"),
    }
    assert ("BUDGET_EXCEEDED", "18") not in {(line["anomaly_type"], line["window_start"][8:10]) for line in told}
    assert (SPIKE, "19") not in {(line["anomaly_type"], line["window_start"][8:10]) for line in told}


def test_a_run_that_a_day_judged_again_completes_is_told_on_the_open_day_at_that_close() -> None:
    spending = Spending(REFERENCE, rule("consecutive_days", 3))
    spending.fold(*(spent(DAY - back, 100) for back in (5, 4, 3)), spent(DAY - 1, 100))
    spending.close(DAY - 1)
    spending.fold(spent(DAY, 150), spent(DAY + 1, 200))
    assert spending.fold(spent(DAY - 1, 60)) == []
    told = [line for line in of_kind(spending.close(DAY), SPIKE) if line["status"] == "provisional"]
    assert [(line["window_start"][8:10], line["breach_count"]) for line in told] == [("19", 3)]
