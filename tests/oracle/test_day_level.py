"""What is judged at a day's close only: the day-level evaluation and UNPRICED_USAGE (CONTRACT §6, spec §4, §10)."""

import pytest

from tests.oracle import Line, LogRecord, evaluate, revisions
from tests.oracle.cases import many, of, rule, series


def at_close(log: list[LogRecord], profile: str = "standard", **more: object) -> list[Line]:
    outcome = evaluate(log, profile=profile, close_all=True, **more)  # type: ignore[arg-type]
    return [line for line in outcome.anomalies if line["anomaly_type"].endswith("_spike")]


@pytest.mark.parametrize(
    "cents, severity, threshold",
    [
        ("3000", "low", 200),
        ("3999.9999999", "low", 200),
        ("4000", "medium", 300),
        ("4999.9999999", "medium", 300),
        ("5000", "high", 400),  # the reference's script: five days' total in one
        ("5999.9999999", "high", 400),
        ("6000", "critical", 500),
        ("60000", "critical", 500),
        ("2999.9999999", None, None),
    ],
)
def test_the_severity_is_that_of_the_deviation(cents: str, severity: str | None, threshold: int | None) -> None:
    log = series("2026-02-27", ["1000"] * 5 + [cents], user_id="u", feature_tag="f")
    lines = at_close(log)
    assert {line["anomaly_type"] for line in lines} == (
        {"user_spike", "feature_spike", "model_spike", "tenant_spike"} if severity else set()
    )
    assert {(line["severity"], line["threshold_pct"]) for line in lines} <= {(severity, threshold)}


def test_a_day_level_line_in_full_and_no_fact() -> None:
    log = series("2026-02-27", ["1000"] * 5 + ["5000"], user_id="u")
    (user,) = [line for line in at_close(log) if line["entity_type"] == "user"]
    tenant = of(at_close(log), entity_type="tenant")
    assert (user["current_nanousd"], user["expected_nanousd"]) == (50 * 10**9, 10 * 10**9)
    assert (user["deviation_pct"], user["breach_count"], user["streak_start"]) == (400, 1, "2026-03-04T00:00:00Z")
    assert (user["derived_cause"], user["cause_evidence"], user["budget"]) == ("UNKNOWN", None, None)
    assert user["tenant_episode_id"] == tenant["episode_id"]
    facts = evaluate(log, close_all=True).facts
    assert {fact["anomaly_type"] for fact in facts} == {"ABSOLUTE_SPIKE"}
    told = {one.at for one in revisions(log, close_all=True) if one.line["anomaly_type"].endswith("_spike")}
    assert {name for name, _ in told} == {"close"}


def test_the_baseline_is_of_seven_days_and_the_gates_hold() -> None:
    assert at_close(series("2026-02-24", ["1000", *[None] * 7, "9000"])) == []  # eight days before
    assert len(at_close(series("2026-02-25", ["1000", *[None] * 6, "3500"]))) == 2  # one day: 3.0 x and $25
    assert at_close(series("2026-02-25", ["1000", *[None] * 6, "3499.9999999"])) == []
    assert at_close(series("2026-02-25", ["0", *[None] * 6, "9000"])) == []
    assert at_close(series("2026-02-27", ["100"] * 5 + ["500"])) == []  # an excess of $4
    assert len(at_close(series("2026-02-27", ["125"] * 5 + ["625"]))) == 2  # of exactly $5
    assert len(at_close(series("2026-02-27", ["100"] * 5 + ["500"]), "reference")) == 2


def test_every_number_is_a_setting() -> None:
    log = series("2026-02-27", ["1000"] * 5 + ["5000"])
    assert {line["severity"] for line in at_close(log, settings=[rule("day_critical_pct", 400)])} == {"critical"}
    assert at_close(log, settings=[rule("day_low_pct", 401)]) == []


def unpriced(priced: int, without: int, profile: str = "standard") -> list[Line]:
    log = many("2026-03-04", priced, "1") + many("2026-03-04", without, None, hour=7)
    outcome = evaluate(log, profile=profile, close_all=True)  # type: ignore[arg-type]
    return [line for line in outcome.anomalies if line["anomaly_type"] == "UNPRICED_USAGE"]


@pytest.mark.parametrize(
    "priced, without, fires", [(9, 11, True), (10, 10, False), (9, 10, False), (0, 20, True), (10, 11, True)]
)
def test_more_than_half_of_twenty_requests_unpriced(priced: int, without: int, fires: bool) -> None:
    lines = unpriced(priced, without)
    assert bool(lines) is fires
    for line in lines:
        assert (line["entity_type"], line["severity"], line["threshold_pct"]) == ("tenant", "MEDIUM", 50)
        assert (line["current_nanousd"], line["expected_nanousd"]) == (None, None)
        assert (line["unpriced_requests"], line["breach_count"], line["cause_evidence"]) == (without, 1, None)
    assert unpriced(priced, without, "reference") == []


def test_the_share_is_cut_to_two_decimals_and_is_no_fact() -> None:
    (line,) = unpriced(10, 11)
    assert str(line["deviation_pct"]) == "52.38"
    log = many("2026-03-04", 20, None)
    assert [one.at[0] for one in revisions(log, close_all=True)] == ["close"]
    assert evaluate(log, close_all=True).facts == []


def test_priced_records_that_come_later_withdraw_it() -> None:
    log = [
        *many("2026-03-02", 20, None),
        *many("2026-03-03", 1, "1", hour=12),
        *many("2026-03-02", 20, "1", hour=9),
        *many("2026-03-04", 1, "1", hour=12),
    ]
    lines = [one.line for one in revisions(log) if one.line["anomaly_type"] == "UNPRICED_USAGE"]
    assert [(line["status"], line["deviation_pct"], line["restated"]) for line in lines] == [
        ("final", 100, False),
        ("withdrawn", 50, True),
    ]
