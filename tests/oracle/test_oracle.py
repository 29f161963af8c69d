"""The oracle against cases worked out by hand."""

import pytest

from tests.oracle import LogRecord, evaluate, publications
from tests.oracle.cases import MARCH_4, days, of, record


def test_a_day_without_a_price_costs_null_and_hours_have_no_baseline() -> None:
    log = [
        *days({"2026-03-02": "0", "2026-03-03": "0.0000003"}, user_id="u"),
        record("2026-03-04T00:59:59.999999Z", "0.0000004", user_id="u", is_retry=True, cached_input_tokens=2),
        record("2026-03-04T01:00:00Z", user_id="u"),
        record("2026-03-05T01:05:00Z", provider="no-such-provider"),
    ]
    outcome = evaluate(log)
    day = of(outcome.snapshots, entity_type="user", window="day", start="2026-03-04T00:00:00Z")
    assert day == {
        "tenant_id": "acme", "entity_type": "user", "entity_id": "u", "window": "day",
        "start": "2026-03-04T00:00:00Z", "requests": 2, "unpriced_requests": 1, "retry_requests": 1,
        "input_tokens": 6, "cached_input_tokens": 2, "output_tokens": 8, "cost_nanousd": 4,
        "baseline_nanousd": 1, "deviation_pct": 300, "status": "complete", "restated": False, "version": 5,
    }  # fmt: skip
    hour = of(outcome.snapshots, entity_type="user", window="hour", start="2026-03-04T01:00:00Z")
    assert (hour["cost_nanousd"], hour["baseline_nanousd"], hour["status"]) == (None, None, "complete")
    today = of(outcome.snapshots, entity_type="tenant", window="day", start="2026-03-05T00:00:00Z")
    assert (today["baseline_nanousd"], today["status"], today["version"]) == (None, "provisional", 2)
    assert outcome.summary["unpriced"] == {"unknown_model": 1, "unknown_provider": 1}


@pytest.mark.parametrize("day, baseline", [("2026-02-24", None), ("2026-02-25", 7), ("2026-03-03", 7)])
def test_a_snapshots_baseline_is_of_the_seven_days_before(day: str, baseline: int | None) -> None:
    outcome = evaluate(days({day: "0.0000007", "2026-03-04": "0"}), close_all=True)
    line = of(outcome.snapshots, entity_type="tenant", window="day", start="2026-03-04T00:00:00Z")
    assert (line["baseline_nanousd"], line["deviation_pct"]) == (baseline, None)


@pytest.mark.parametrize(
    "day, fires", [("2026-02-17", False), ("2026-02-18", True), ("2026-03-02", True), ("2026-03-03", False)]
)
def test_a_spikes_baseline_is_of_the_days_from_fourteen_to_two_before(day: str, fires: bool) -> None:
    assert bool(evaluate(days({day: "1250", "2026-03-04": "3750"})).anomalies) is fires


def reference_case() -> list[LogRecord]:
    calm = {f"2026-02-{day}": "100" for day in range(18, 29)} | {"2026-03-01": "100", "2026-03-02": "100"}
    return days(calm | {"2026-03-03": "150", "2026-03-04": "150"})


def test_a_baseline_of_100_and_150_on_two_days_is_a_streak_of_two() -> None:
    outcome = evaluate(reference_case(), profile="reference", close_all=True)
    # D's baseline ends at D-2, so D-1 is not in it; D has 13 days, D-1 has 12 of its 13.
    (line,) = outcome.anomalies
    assert line == {
        "anomaly_id": "ca_219cbd99b90c2be8", "tenant_id": "acme", "anomaly_type": "ABSOLUTE_SPIKE",
        "severity": "HIGH", "entity_type": "tenant", "entity_id": "acme",
        "window_start": "2026-03-04T00:00:00Z", "window_end": "2026-03-05T00:00:00Z", "period": None,
        "current_nanousd": 1_500_000_000, "expected_nanousd": 1_000_000_000, "deviation_pct": 50,
        "threshold_pct": 40, "breach_count": 2, "streak_start": "2026-03-03T00:00:00Z",
        "episode_id": "ep_9b7ce3f967233183", "derived_cause": "UNKNOWN",
        "cause_evidence": {
            "requests": 1, "retry_requests": 0, "input_tokens": 3, "baseline_requests": 13,
            "baseline_retry_requests": 0, "baseline_input_tokens": 39, "baseline_days": 13, "feature_tag": None,
            "feature_nanousd": None, "baseline_feature_nanousd": None,
            "tagged_nanousd": 0, "baseline_tagged_nanousd": 0,
        },
        "unpriced_requests": 0, "restated": False, "tenant_episode_id": None, "metadata": {},
        "rules": {"profile": "reference", "version": 1, "changed": {}}, "budget": None,
        "status": "final", "revision": 31,
    }  # fmt: skip
    (fact,) = outcome.facts
    assert fact["current_value_cents"] == 150
    assert fact["expected_value_cents"] == 100
    assert fact["observed_at"] == "2026-03-05T00:00:00Z"


def test_the_same_case_has_too_small_an_excess_for_the_standard_profile() -> None:
    assert evaluate(reference_case(), close_all=True).anomalies == []


def test_one_nano_below_the_ratio_is_no_breach() -> None:
    calm = {"2026-03-01": "1000", "2026-03-02": "1000"}
    at = evaluate(days(calm | {"2026-03-03": "1400", "2026-03-04": "1400"}), profile="reference")
    below = evaluate(days(calm | {"2026-03-03": "1399.9999999", "2026-03-04": "1400"}), profile="reference")
    assert [(line["deviation_pct"], line["breach_count"]) for line in at.anomalies] == [(40, 2)]
    assert below.anomalies == []


@pytest.mark.parametrize(
    "calm, today, threshold",
    [
        (["1250"] * 3, "3750", 200),  # exactly 3.0 x
        (["1250"] * 3, "3749.9999999", None),
        (["2500"] * 3, "5000", 100),  # exactly 2.0 x and $25
        (["2500"] * 3, "4999.9999999", None),
        (["2499.9999999"] * 3, "4999.9999998", None),  # 2.0 x, but one nano-USD short of $25
        (["250"] * 3, "750", 200),  # 3.0 x and exactly $5
        (["249.9999999"] * 3, "749.9999998", None),
        (["1250"], "3750", 200),  # one baseline day: 3.0 x and exactly $25
        (["1250"] * 2, "3749.9999999", None),
        (["1249.9999999"] * 2, "3749.9999998", None),
        (["0"] * 3, "10000", None),  # nothing to compare with
    ],
)
def test_the_standard_profile_fires_at_once_at_its_exact_limits(
    calm: list[str], today: str, threshold: int | None
) -> None:
    before = {f"2026-03-0{2 - back}" if back < 2 else "2026-02-28": cents for back, cents in enumerate(calm)}
    found = evaluate(days(before | {"2026-03-04": today})).anomalies
    assert [(line["threshold_pct"], line["breach_count"]) for line in found] == ([(threshold, 1)] if threshold else [])


def test_a_gated_day_breaks_the_streak_and_a_missing_day_too() -> None:
    calm = {"2026-02-26": "1000", "2026-02-27": "1000", "2026-02-28": "1000"}
    gated = calm | {"2026-03-02": "1500", "2026-03-03": "1499.9999999", "2026-03-04": "1700"}
    # The mean on D-14 … D-2: 1000, 1000, 1125 (the 1500 of 2 March counts on the 4th).
    assert evaluate(days(gated)).anomalies == []
    unbroken = evaluate(days(gated | {"2026-03-03": "1500"})).anomalies
    assert [(line["window_start"], line["breach_count"]) for line in unbroken] == [
        ("2026-03-03T00:00:00Z", 2),
        ("2026-03-04T00:00:00Z", 3),
    ]
    assert evaluate(days(calm | {"2026-03-02": "1500", "2026-03-04": "2000"})).anomalies == []


def test_user_lines_name_the_tenants_episode_of_the_window() -> None:
    log = days({"2026-03-01": "1000", "2026-03-02": "1000"}, user_id="u")
    log += days({"2026-03-03": "1500", "2026-03-04": "4000"}, user_id="u")
    log.append(record("2026-03-03T13:00:00Z", "0", user_id="v"))
    tenant, user = evaluate(log, profile="reference").anomalies
    assert (tenant["entity_type"], user["entity_type"]) == ("tenant", "user")
    assert tenant["tenant_episode_id"] is None
    assert user["tenant_episode_id"] == tenant["episode_id"] != user["episode_id"]


def test_a_revision_counts_thirty_days_of_the_tenant_and_whether_it_is_closed() -> None:
    log = days({"2026-02-02": "0", "2026-02-03": "0", "2026-03-02": "1250", "2026-03-04": "9999"})
    log += days({"2026-03-04": "1"}, tenant_id="globex")
    (open_line,) = evaluate(log).facts
    assert (open_line["status"], open_line["revision"]) == ("provisional", 6)  # 3 February … 4 March
    (closed,) = evaluate(log, close_all=True).facts
    assert (closed["status"], closed["revision"]) == ("final", 7)
    (idle,) = evaluate(log, closed_through={0: MARCH_4}).facts
    assert idle == closed


def test_a_fact_is_published_at_its_crossing_then_at_a_new_episode_then_at_the_close() -> None:
    log = [
        *days({"2026-02-27": "1000", "2026-02-28": "1000", "2026-03-01": "1000", "2026-03-02": "1000"}),
        record("2026-03-03T23:00:00Z", "1000"),
        record("2026-03-04T00:10:00Z", "2999.9999999"),
        record("2026-03-04T00:20:00Z", "0.0000001"),  # 3.0 x
        record("2026-03-04T00:30:00Z", "50"),  # a new amount alone is not published
        record("2026-03-03T23:50:00Z", "500"),  # D-1 breaches too: a streak, another episode
        record("2026-03-05T01:05:00Z", "1"),
    ]
    seen = [(one.at, one.fact["window_start"][:10], one.fact["breach_count"]) for one in publications(log)]
    assert seen == [
        (("record", 6), "2026-03-04", 1),
        (("record", 8), "2026-03-04", 2),
        (("close", MARCH_4), "2026-03-04", 2),
    ]
    first, second, final = [one.fact for one in publications(log)]
    assert [first["revision"], second["revision"], final["revision"]] == [14, 18, 19]
    assert (first["observed_at"], second["observed_at"]) == ("2026-03-04T00:20:00Z", "2026-03-04T00:30:00Z")
    assert final["observed_at"] == "2026-03-05T00:00:00Z"
