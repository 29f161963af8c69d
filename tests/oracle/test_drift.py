"""SUSTAINED_DRIFT, worked out by hand (CONTRACT §6, spec §3, §10)."""

from fractions import Fraction

import pytest

from tests.oracle import Line, LogRecord, evaluate
from tests.oracle.cases import rule, series
from tests.oracle.drift import classify
from tests.oracle.findings import DRIFT
from tests.oracle.settings import Known


def drifts(log: list[LogRecord], profile: str = "reference", **more: object) -> list[Line]:
    outcome = evaluate(log, profile=profile, close_all=True, **more)  # type: ignore[arg-type]
    return [line for line in outcome.anomalies if line["anomaly_type"] == DRIFT]


@pytest.mark.parametrize(
    "deviation, band",
    [
        ("15", "LOW"), ("20", "LOW"), ("24.9", "LOW"), ("25", "MEDIUM"), ("30", "MEDIUM"), ("39.9", "MEDIUM"),
        ("40", "HIGH"), ("50", "HIGH"), ("100", "HIGH"), ("500", "HIGH"),
    ],
)  # fmt: skip
def test_the_bands_of_a_deviation(deviation: str, band: str) -> None:
    assert classify(Fraction(deviation), Known("standard", 0, []).rules("acme", 0)) == band


def test_130_after_100_drifts_from_the_day_before_and_fires_the_day_after_as_medium() -> None:
    # D is 4 March: 130 from D-6, 26 February, on. S7 is 850 on D-2, 880 on D-1, 910 from D on.
    log = series("2026-01-25", ["100"] * 32 + ["130"] * 9)
    first, second = drifts(log)
    assert (first["window_start"], first["severity"], first["breach_count"]) == ("2026-03-05T00:00:00Z", "MEDIUM", 3)
    assert (first["streak_start"], first["threshold_pct"], first["deviation_pct"]) == ("2026-03-03T00:00:00Z", 25, 30)
    assert (first["current_nanousd"], first["expected_nanousd"]) == (1_300_000_000, 1_000_000_000)
    assert (second["window_start"], second["breach_count"]) == ("2026-03-06T00:00:00Z", 4)
    assert second["episode_id"] == first["episode_id"]
    assert evaluate(log, profile="reference", close_all=True).facts == []
    assert len(drifts(log[:-1])) == 1
    assert drifts(log[:-2]) == []


def test_a_drift_is_high_from_forty_percent_on_to_the_last_nano() -> None:
    calm = ["100"] * 35
    (high,) = drifts(series("2026-01-25", [*calm, *["140"] * 7]))[-1:]
    (medium,) = drifts(series("2026-01-25", [*calm, *["140"] * 6, "139.9999999"]))[-1:]
    assert (high["severity"], high["deviation_pct"]) == ("HIGH", 40)
    assert (medium["severity"], float(medium["deviation_pct"])) == ("MEDIUM", 39.99)


def test_silent_days_go_on_drifting_under_the_numbers_of_the_reference_alone() -> None:
    log = series("2026-01-25", ["100"] * 35 + ["300"] * 5)  # to 5 March: 1, 2, 3, 4, 5 March at 300
    last = [*log, *series("2026-03-12", ["1"])]
    found = drifts(last)
    # S7 is 900 on 1 March and 1 100 on the 2nd; from the 6th on no record comes, and S7 falls.
    assert [line["window_start"][8:10] for line in found] == ["03", "04", "05", "06", "07", "08"]
    silent = found[3]
    assert (silent["breach_count"], silent["unpriced_requests"]) == (6, 0)
    assert silent["cause_evidence"]["requests"] == 6  # 28 February … 6 March
    assert [line["window_start"][8:10] for line in drifts(last, settings=[rule("drift_days_min", 3)])] == ["05"]


def test_the_standard_profile_needs_an_excess_of_five_dollars_a_day() -> None:
    # All seven days are at 2 500 from 7 March on, and on the 9th the first of them is part of the baseline.
    log = series("2026-01-25", ["2000"] * 35 + ["2500"] * 10)
    twice = [rule("drift_days_required", 2)]
    assert [line["window_start"][:10] for line in drifts(log, "standard", settings=twice)] == ["2026-03-08"]
    short = series("2026-01-25", ["1900"] * 35 + ["2399.9999999"] * 10)
    assert drifts(short, "standard", settings=twice) == []
    assert len(drifts(short, "reference", settings=twice)) == 1


def test_the_standard_profile_needs_three_dear_days_and_the_day_itself() -> None:
    calm = ["10000"] * 35
    one_dear = series("2026-01-25", [*calm, "50000", *["10000"] * 6])
    assert drifts(one_dear, "standard") == []
    assert len(drifts(one_dear, "reference")) == 5
    three = series("2026-01-25", [*calm, "50000", "50000", "50000", "10000", "12500", "12499.9999999"])
    # From 3 March on three of the seven days are dear; the 4th itself is not, so 5 March counts one.
    assert drifts(three, "standard") == []


def test_a_drift_needs_three_baseline_days_under_standard() -> None:
    # Seven days each of S7; the only baseline days lie in D-28 … D-8.
    two = series("2026-02-01", ["2000"] * 2 + [None] * 14 + ["9000"] * 8)
    three = series("2026-01-31", ["2000"] * 3 + [None] * 14 + ["9000"] * 8)
    assert drifts(two, "standard") == []
    assert drifts(three, "standard") != []
    assert drifts(two, "reference") != []


def test_days_seven_before_and_more_than_twenty_eight_before_are_in_neither_side() -> None:
    # On 5 March, D-7 is 26 February and D-28 is 5 February.
    for odd, fires in {"2026-02-26": True, "2026-02-04": True, "2026-02-05": False, "2026-02-25": False}.items():
        log = series("2026-02-05", ["100"] * 21) + series("2026-02-27", ["135"] * 7) + series(odd, ["1000"], id="odd")
        log.sort(key=lambda one: str(one.value).split("occurred_at")[1])
        found = drifts(log, settings=[rule("drift_days_required", 1)])
        assert any("03-05T" in line["window_start"] for line in found) is fires, odd
