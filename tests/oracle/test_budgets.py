"""Budgets, worked out by hand (CONTRACT §6, spec §3, §10)."""

import pytest

from tests.oracle import Line, LogRecord, Setting, anomaly_id, episode_id, evaluate, revisions
from tests.oracle.cases import MARCH_4, budget, days, many, of, record, rule

TENANT = ("tenant", "acme")
WARNING, EXCEEDED = "BUDGET_WARNING", "BUDGET_EXCEEDED"


def found(log: list[LogRecord], *settings: Setting) -> list[Line]:
    return [
        line
        for line in evaluate(log, settings=settings).anomalies
        if line["budget"] or "BUDGET" in line["anomaly_type"]
    ]


@pytest.mark.parametrize(
    "cents, expected",
    [
        ("79.9", None),
        ("79.9999999", None),
        ("80", (WARNING, "MEDIUM", 80)),
        ("89.9", (WARNING, "MEDIUM", 80)),
        ("90", (WARNING, "HIGH", 80)),
        ("99.9999999", (WARNING, "HIGH", 80)),
        ("100", (EXCEEDED, "HIGH", 100)),
        ("250", (EXCEEDED, "HIGH", 100)),
    ],
)
@pytest.mark.parametrize("period", ["daily", "monthly"])
def test_a_budget_warns_at_eighty_is_high_at_ninety_and_exceeded_at_a_hundred(
    cents: str, expected: tuple[str, str, int] | None, period: str
) -> None:
    row = budget(TENANT, daily_limit_cents=100) if period == "daily" else budget(TENANT, monthly_limit_cents=100)
    lines = found(days({"2026-03-04": cents}), row)
    assert [(one["anomaly_type"], one["severity"], one["threshold_pct"]) for one in lines] == (
        [expected] if expected else []
    )


def test_a_budgets_line_in_full() -> None:
    log = [*days({"2026-03-04": "83.3333333"}), record("2026-03-04T13:00:00Z", feature_tag="f")]
    (line,) = found(log, budget(TENANT, daily_limit_cents=100))
    assert line == {
        "anomaly_id": anomaly_id("acme", TENANT, MARCH_4, "BUDGET", "daily"), "tenant_id": "acme",
        "anomaly_type": WARNING, "severity": "MEDIUM", "entity_type": "tenant", "entity_id": "acme",
        "window_start": "2026-03-04T00:00:00Z", "window_end": "2026-03-05T00:00:00Z", "period": "daily",
        "current_nanousd": 833_333_333, "expected_nanousd": 10**9, "deviation_pct": line["deviation_pct"],
        "threshold_pct": 80, "breach_count": 1, "streak_start": "2026-03-04T00:00:00Z",
        "episode_id": episode_id("acme", TENANT, MARCH_4, "BUDGET", "daily"), "derived_cause": "UNKNOWN",
        "cause_evidence": None, "unpriced_requests": 1, "restated": False, "tenant_episode_id": None,
        "metadata": {}, "rules": {"profile": "standard", "version": 1, "changed": {}},
        "budget": {"limit_cents": 100, "warn_threshold_pct": 80, "usage_pct": line["deviation_pct"]},
        "status": "provisional", "revision": 6,  # two records and the row of the budget
    }  # fmt: skip
    assert str(line["deviation_pct"]) == "83.33"


def test_a_month_is_a_calendar_month_and_its_window_holds_all_of_it() -> None:
    log = days({"2026-01-31": "60", "2026-02-01": "60", "2026-02-28": "30", "2026-03-01": "70", "2026-03-04": "0"})
    lines = found(log, budget(TENANT, monthly_limit_cents=100))
    assert [(one["window_start"][:10], one["window_end"][:10], one["status"]) for one in lines] == [
        ("2026-02-01", "2026-03-01", "final"),
    ]
    (line,) = lines
    assert (line["period"], float(line["deviation_pct"]), line["current_nanousd"]) == ("monthly", 90, 900_000_000)
    assert line["revision"] == 2 * (2 + 1) + 1  # of the month's records alone


def test_a_months_last_day_may_be_silent() -> None:
    log = days({"2026-02-03": "100", "2026-03-04": "0"})
    (line,) = found(log, budget(TENANT, monthly_limit_cents=100))
    assert (line["status"], line["severity"]) == ("final", "HIGH")
    told = [(one.at, one.line["status"]) for one in revisions(log, settings=[budget(TENANT, monthly_limit_cents=100)])]
    last_of_february = MARCH_4 - 4
    assert told == [(("record", 0), "provisional"), (("close", last_of_february), "final")]


def test_scopes_are_judged_by_what_they_hold_and_name_the_tenants_episode_of_the_period() -> None:
    log = [
        *many("2026-03-04", 1, "60", user_id="u", feature_tag="f"),
        *many("2026-03-04", 1, "30", hour=7, user_id="v", feature_tag="f"),
    ]
    rows = [
        budget(TENANT, daily_limit_cents=100),
        budget(("user", "u"), daily_limit_cents=70, monthly_limit_cents=60),
        budget(("user", "w"), daily_limit_cents=1),
        budget(("feature", "f"), daily_limit_cents=90),
    ]
    lines = found(log, *rows)
    assert [(one["entity_id"], one["period"], one["anomaly_type"]) for one in lines] == [
        ("u", "monthly", EXCEEDED),
        ("f", "daily", EXCEEDED),
        ("acme", "daily", WARNING),
        ("u", "daily", WARNING),
    ]
    month, feature, tenant, user = lines
    assert feature["tenant_episode_id"] == user["tenant_episode_id"] == tenant["episode_id"]
    assert (tenant["tenant_episode_id"], month["tenant_episode_id"]) == (None, None)


def test_a_limit_of_nothing_is_unchecked_and_a_removed_budget_too() -> None:
    log = days({"2026-03-04": "100"})
    assert found(log, budget(TENANT, daily_limit_cents=0)) == []
    assert found(log, budget(TENANT, daily_limit_cents=1), budget(TENANT, daily_limit_cents=1, is_active=False)) == []


def test_the_newest_row_before_the_windows_end_counts_and_of_equal_ones_the_last() -> None:
    log = days({"2026-03-04": "100"})
    start = budget(TENANT, daily_limit_cents=1000)
    at_end = budget(TENANT, daily_limit_cents=50, since="2026-03-05T00:00:00Z")
    before = budget(TENANT, daily_limit_cents=50, since="2026-03-04T23:59:59.999999Z")
    assert found(log, start, at_end) == []
    assert len(found(log, before, start)) == 1
    assert found(log, before, budget(TENANT, daily_limit_cents=900, since="2026-03-04T23:59:59.999999Z")) == []
    assert len(found(log, start, budget(TENANT, daily_limit_cents=50))) == 1


def test_from_warning_to_exceeded_each_step_is_told_once() -> None:
    log = [record(f"2026-03-04T0{hour}:00:00Z", "10") for hour in range(1, 8)]
    told = revisions(log, settings=[budget(TENANT, daily_limit_cents=50), rule("budget_high_pct", 95)])
    assert [(one.at, one.line["anomaly_type"], one.line["severity"], one.fact is not None) for one in told] == [
        (("record", 3), WARNING, "MEDIUM", False),
        (("record", 4), EXCEEDED, "HIGH", True),
    ]
    assert len({one.line["anomaly_id"] for one in told}) == 1


def test_a_budget_that_is_raised_withdraws_what_it_told_and_keeps_type_and_severity() -> None:
    log = [*days({"2026-03-04": "100"}), record("2026-03-04T13:00:00Z", "1")]
    rows = [
        budget(TENANT, daily_limit_cents=100),
        budget(TENANT, daily_limit_cents=1000, since="2026-03-04T12:30:00Z", known=1),
    ]
    first, gone = revisions(log, settings=rows)
    assert (first.at, gone.at) == (("record", 0), ("settings", 1))
    assert gone.line["status"] == "withdrawn"
    assert (gone.line["anomaly_type"], gone.line["severity"], gone.line["threshold_pct"]) == (EXCEEDED, "HIGH", 100)
    assert (gone.line["expected_nanousd"], float(gone.line["deviation_pct"])) == (10 * 10**9, 10)
    assert (first.line["revision"], gone.line["revision"]) == (2 * (1 + 1), 2 * (1 + 2))
    assert gone.fact is not None
    assert gone.fact["observed_at"] == "2026-03-04T12:00:00Z"
    (line,) = evaluate(log, settings=rows).facts  # one line per id, in its last state
    assert line == gone.fact
    (closed,) = evaluate(log, settings=rows, close_all=True).facts
    assert closed == line  # once withdrawn and still not holding: nothing


def test_a_removed_budget_leaves_no_limit_on_the_withdrawn_line() -> None:
    log = [*days({"2026-03-04": "100"}), record("2026-03-04T13:00:00Z", "1")]
    gone = budget(TENANT, daily_limit_cents=100, is_active=False, since="2026-03-04T12:30:00Z", known=1)
    (line,) = evaluate(log, settings=[budget(TENANT, daily_limit_cents=100), gone]).facts
    assert (line["status"], line["anomaly_type"], line["severity"]) == ("withdrawn", EXCEEDED, "HIGH")
    assert (line["expected_nanousd"], line["deviation_pct"], line["threshold_pct"]) == (None, 0, 0)
    assert line["budget"] is None
    assert of([line], expected_value_cents=None)["current_value_cents"] == 100


def test_a_lowered_budget_fires_when_it_becomes_known_and_not_before() -> None:
    log = [*days({"2026-03-04": "100"}), record("2026-03-04T13:00:00Z", "1"), record("2026-03-04T14:00:00Z", "1")]
    lowered = budget(TENANT, daily_limit_cents=50, since="2026-03-04T00:00:00Z", known=2)
    (told,) = revisions(log, settings=[lowered])
    assert (told.at, told.line["revision"]) == (("settings", 2), 2 * (2 + 1))
    (never,) = revisions(log, settings=[budget(TENANT, daily_limit_cents=50, since="2026-03-04T00:00:00Z", known=9)])
    assert never.at == ("settings", None)
