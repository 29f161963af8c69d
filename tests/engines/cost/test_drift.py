"""SUSTAINED_DRIFT: a week against the three before it, judged on silent days, too."""

from engines.core.money import NANOUSD_PER_USD as USD
from engines.cost.finding import DRIFT
from engines.cost.rules import REFERENCE, STANDARD, Profile
from tests.engines.cost.spending import Line, Spending, of_kind, rule, spent

DAY = 20_530
CALM = range(36, 6, -1)
WEEK = range(6, -1, -1)


def drifting(profile: Profile, usd: float, *, before: float = 100, backs: range = WEEK) -> Spending:
    """Return a tenant that spends *usd* on the days *backs* before ``DAY`` after a month of *before*, all closed."""
    spending = Spending(profile)
    spending.fold(*(spent(DAY - back, before) for back in CALM))
    spending.fold(*(spent(DAY - back, usd) for back in backs))
    spending.close(DAY)
    return spending


def days(lines: list[Line]) -> list[int]:
    return [line["breach_count"] for line in of_kind(lines, DRIFT)]


def test_a_run_is_told_from_its_third_day_on_while_its_days_are_open() -> None:
    spending = Spending(REFERENCE)
    spending.fold(*(spent(DAY - back, 100) for back in CALM))
    spending.close(DAY - 7)
    told = spending.fold(*(spent(DAY - back, 140) for back in WEEK))
    assert days(told) == [3]
    [line] = of_kind(told, DRIFT)
    assert (line["status"], line["window_start"]) == ("provisional", "2026-03-18T00:00:00Z")
    assert (line["current_nanousd"], line["expected_nanousd"], line["severity"]) == (140 * USD, 100 * USD, "HIGH")
    assert (line["deviation_pct"], line["threshold_pct"]) == (40.0, 25)
    assert of_kind(spending.facts, DRIFT)[0]["expected_value_cents"] == 10_000


def test_a_drift_just_under_forty_percent_is_medium_and_no_fact() -> None:
    spending = drifting(REFERENCE, 139.99)
    [line] = [line for line in spending.lines if line["anomaly_type"] == DRIFT and line["status"] == "final"]
    assert (line["severity"], line["deviation_pct"]) == ("MEDIUM", 39.99)
    assert of_kind(spending.facts, DRIFT) == []


def test_silent_days_drift_as_long_as_the_week_holds_enough() -> None:
    spending = drifting(REFERENCE, 300)
    before = len(spending.lines)
    spending.close(DAY + 10)
    silent = of_kind(spending.lines[before:], DRIFT)
    assert [line["window_start"][8:10] for line in silent] == ["19", "20", "21"]
    assert {line["episode_id"] for line in silent} == {of_kind(spending.lines, DRIFT)[0]["episode_id"]}
    assert [line["current_nanousd"] // USD for line in silent] == [257, 214, 171]
    assert {line["unpriced_requests"] for line in silent} == {0}


def test_the_standard_profile_needs_the_day_itself_to_be_dear() -> None:
    spending = drifting(STANDARD, 300)
    before = len(spending.lines)
    spending.close(DAY + 10)
    assert of_kind(spending.lines[before:], DRIFT) == []
    assert DAY in spending.ledger().drift


def test_two_dear_days_of_seven_are_no_drift_under_the_standard_profile() -> None:
    assert sorted(drifting(STANDARD, 700, backs=range(1, -1, -1)).ledger().drift) == []
    assert sorted(drifting(REFERENCE, 700, backs=range(1, -1, -1)).ledger().drift) == [DAY]
    assert sorted(drifting(STANDARD, 700, backs=range(2, -1, -1)).ledger().drift) == [DAY]


def test_the_standard_profile_needs_five_dollars_a_day() -> None:
    assert drifting(STANDARD, 24.999, before=20).ledger().drift == {}
    enough = drifting(STANDARD, 25, before=20).ledger().drift
    assert enough == {DAY: DAY}


def test_a_tenant_without_baseline_does_not_drift() -> None:
    spending = Spending(REFERENCE, rule("drift_days_required", 1))
    spending.fold(*(spent(DAY - back, 100) for back in WEEK))
    spending.fold(spent(DAY, 0))
    spending.close(DAY)
    assert spending.ledger().drift == {}


def test_a_day_before_the_week_and_after_the_baseline_counts_for_neither() -> None:
    def first_drift(back: int) -> dict[int, int]:
        spending = Spending(REFERENCE)
        spending.fold(*(spent(DAY - each, 100) for each in range(28, -1, -1)))
        spending.close(DAY - 1)
        spending.fold(spent(DAY - back, 100_000))
        spending.close(DAY)
        return {day: start for day, start in spending.ledger().drift.items() if day == DAY}

    assert (first_drift(7), first_drift(8), first_drift(6)) == ({}, {}, {DAY: DAY})


def test_a_restatement_joins_a_run_of_closed_days() -> None:
    spending = drifting(REFERENCE, 140)
    assert spending.ledger().drift == dict.fromkeys((DAY - 2, DAY - 1, DAY), DAY - 2)
    spending.fold(spent(DAY - 3, 400))
    spending.fold(spent(DAY + 1, 1))
    spending.close(DAY + 1)
    assert spending.ledger().drift[DAY - 3] == DAY - 3
    assert spending.ledger().drift[DAY] == DAY - 3
    told = [line for line in of_kind(spending.lines, DRIFT) if line["window_start"][8:10] != "18"]
    assert [(line["window_start"][8:10], line["status"], line["breach_count"]) for line in told] == [
        ("19", "provisional", 4),
        ("19", "final", 5),
    ]


def test_what_drifted_and_does_no_more_is_withdrawn_when_it_is_judged_again() -> None:
    spending = drifting(REFERENCE, 140)
    [final] = [line for line in of_kind(spending.lines, DRIFT) if line["status"] == "final"]
    spending.fold(spent(DAY - 8, 2_000), spent(DAY, 1))
    told = of_kind(spending.close(DAY + 1), DRIFT)
    assert [(line["anomaly_id"], line["status"], line["restated"]) for line in told] == [
        (final["anomaly_id"], "withdrawn", True)
    ]
    assert told[0]["breach_count"] == 0
    assert DAY not in spending.ledger().drift
    assert spending.ledger().published[DAY].status == "withdrawn"


def test_a_drift_whose_severity_rises_is_told_again() -> None:
    spending = Spending(REFERENCE)
    spending.fold(*(spent(DAY - back, 100) for back in CALM))
    spending.close(DAY - 7)
    spending.fold(*(spent(DAY - back, 139) for back in WEEK))
    [medium] = of_kind(spending.lines, DRIFT)
    told = spending.fold(spent(DAY, 6.9), spent(DAY, 0.1))
    assert (medium["severity"], [line["severity"] for line in of_kind(told, DRIFT)]) == ("MEDIUM", ["HIGH"])


def test_old_days_are_forgotten_and_those_that_may_be_asked_for_are_not() -> None:
    spending = drifting(REFERENCE, 140)
    spending.fold(spent(DAY + 70, 1))
    spending.close(DAY + 70)
    kept = spending.ledger()
    assert min(kept.days) == min(kept.days.keys() & {*range(DAY - 10, DAY)}) == DAY - 10


def test_a_record_of_yesterday_counts_for_the_week_of_today() -> None:
    spending = Spending(REFERENCE, rule("drift_days_required", 1))
    spending.fold(*(spent(DAY - back, 100) for back in range(36, 1, -1)))
    spending.close(DAY - 2)
    assert spending.fold(spent(DAY - 1, 100), spent(DAY, 240)) == []
    [told] = of_kind(spending.fold(spent(DAY - 1, 36)), DRIFT)
    assert (told["window_start"][8:10], told["current_nanousd"]) == ("18", 876 * USD // 7)
