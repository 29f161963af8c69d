"""The numeric cases of the reference system, through the whole of a replay (reference, numeric cases)."""

import asyncio
import json
from collections.abc import Iterable
from typing import Any

import pytest

from engines.core.model import SettingRow
from engines.core.money import NANOUSD_PER_CENT
from engines.core.time import US_PER_DAY, format_day, format_instant
from engines.cost.domain import CostDomain
from engines.cost.rules import PROFILES, AnomalySeverity, ProfileName, classify_severity
from streams.replay import Replay, Replayed
from tests.engines.cost.spending import TENANT, Line, OnePrice, Row, budget, of_kind

D = 20_530
NOW_MS = (D + 400) * US_PER_DAY // 1000


def call(day: int, cents: float, nth: int = 0, **more: Any) -> bytes:
    """Return the *nth* call of *day*."""
    record: Line = {
        "id": f"{day}-{nth}",
        "tenant_id": TENANT,
        "occurred_at": format_instant(day * US_PER_DAY + nth),
        "model": "m",
        "input_tokens": 10,
        "output_tokens": 1,
        "cost_cents": cents,
    }
    return json.dumps(record | more).encode()


def replayed(calls: Iterable[bytes], *rows: Row, profile: str = "reference", close_all: bool = False) -> Replayed:
    async def run() -> Replayed:
        domain = CostDomain(OnePrice(None), PROFILES[ProfileName(profile)])
        settings = [SettingRow(seq, *row) for seq, row in enumerate(rows, 1)]
        replay = Replay(domain, 1, NOW_MS, settings=settings)
        await replay.start()
        await replay.feed(calls)
        return await replay.finish(close_all=close_all)

    end = asyncio.run(run())
    assert end.adds_up
    assert end.counts.get("dead", 0) == 0
    return end


def anomalies(calls: Iterable[bytes], *rows: Row, profile: str = "reference", close_all: bool = False) -> list[Line]:
    return [json.loads(line) for line in replayed(calls, *rows, profile=profile, close_all=close_all).anomalies]


@pytest.mark.parametrize("profile", ["reference", "standard"])
@pytest.mark.parametrize("close_all", [False, True])
def test_half_more_on_two_days_in_a_row_is_a_streak_of_two(profile: str, close_all: bool) -> None:
    calm = [call(D - back, 10_000) for back in range(14, 1, -1)]
    end = replayed([*calm, call(D - 1, 15_000), call(D, 15_000)], profile=profile, close_all=close_all)
    [told] = of_kind([json.loads(line) for line in end.facts], "ABSOLUTE_SPIKE")
    assert (told["window_start"], told["breach_count"], told["streak_start"]) == (format_day(D), 2, format_day(D - 1))
    assert (told["deviation_pct"], told["severity"], told["threshold_pct"]) == (50, "HIGH", 40)
    assert (told["current_value_cents"], told["expected_value_cents"]) == (15_000, 10_000)
    assert told["expected_nanousd"] == 10_000 * NANOUSD_PER_CENT
    assert told["status"] == ("final" if close_all else "provisional")


def test_a_third_more_from_a_week_ago_drifts_since_yesterday_and_fires_tomorrow() -> None:
    calls = [call(D - back, 13_000 if back < 7 else 10_000) for back in range(28 + 8, -3, -1)]
    told = of_kind(anomalies(calls, close_all=True), "SUSTAINED_DRIFT")
    said = [
        (line["window_start"], line["breach_count"], line["deviation_pct"], line["severity"], line["expected_nanousd"])
        for line in told
    ]
    expected = 10_000 * NANOUSD_PER_CENT
    assert said[0] == (format_day(D + 1), 3, 30.0, "MEDIUM", expected)
    assert {line["streak_start"] for line in told} == {format_day(D - 1)}
    assert [entry[1] for entry in said] == [3, 4]
    assert [json.loads(line) for line in replayed(calls, close_all=True).facts] == []


@pytest.mark.parametrize("back, pct, drifts", [(2, 21.4, False), (1, 25.7, True), (0, 30.0, True)])
def test_each_day_of_that_week_is_as_far_above_as_the_reference_says(back: int, pct: float, drifts: bool) -> None:
    calls = [call(D - before, 13_000 if before < 7 else 10_000) for before in range(28 + 8, back - 1, -1)]
    one_day_is_enough = ("rule", "*", None, b'{"name":"drift_days_required","value":1}')
    told = of_kind(anomalies(calls, one_day_is_enough, close_all=True), "SUSTAINED_DRIFT")
    today = [line for line in told if line["window_start"] == format_day(D - back)]
    assert [int(line["deviation_pct"] * 10) / 10 for line in today] == ([pct] if drifts else [])


@pytest.mark.parametrize("cents, expected", [
    (7_990, None),
    (8_000, ("BUDGET_WARNING", "MEDIUM", 80.0)),
    (8_990, ("BUDGET_WARNING", "MEDIUM", 89.9)),
    (9_000, ("BUDGET_WARNING", "HIGH", 90.0)),
    (10_000, ("BUDGET_EXCEEDED", "HIGH", 100.0)),
])  # fmt: skip
@pytest.mark.parametrize("period", ["daily", "monthly"])
@pytest.mark.parametrize("close_all", [False, True])
def test_a_budget_is_judged_by_its_usage(
    cents: int, expected: tuple[str, str, float] | None, period: str, close_all: bool
) -> None:
    limit = budget(daily=10_000) if period == "daily" else budget(monthly=10_000)
    told = anomalies([call(D, cents)], limit, close_all=close_all)
    said = [(line["anomaly_type"], line["severity"], line["deviation_pct"]) for line in told]
    assert said == ([expected] if expected else [])
    if expected:
        [line] = told
        assert line["threshold_pct"] == (100 if cents == 10_000 else 80)
        assert line["budget"] == {"limit_cents": 10_000, "warn_threshold_pct": 80, "usage_pct": expected[2]}
        assert (line["period"], line["derived_cause"], line["cause_evidence"]) == (period, "UNKNOWN", None)


def spiking(of_calm: list[Line], of_dear: list[Line]) -> list[bytes]:
    """Return ten calls on each of some days at one price, then two days of ten at twice as much."""
    calm = [call(D - back, 100, nth, **more) for back in range(6, 1, -1) for nth, more in enumerate(of_calm)]
    dear = [call(D - back, 200, nth, **more) for back in (1, 0) for nth, more in enumerate(of_dear)]
    return calm + dear


def cause_of(calls: list[bytes]) -> str:
    told = of_kind(anomalies(calls), "ABSOLUTE_SPIKE")
    return str(next(line["derived_cause"] for line in told if line["entity_type"] == "tenant"))


@pytest.mark.parametrize("retries, cause", [(4, "RETRY_LOOP"), (3, "UNKNOWN")])
def test_twice_the_retries_are_a_loop_and_half_as_many_more_are_not(retries: int, cause: str) -> None:
    calm = [{"is_retry": nth < 2} for nth in range(10)]
    assert cause_of(spiking(calm, [{"is_retry": nth < retries} for nth in range(10)])) == cause


@pytest.mark.parametrize("share, cause", [(61, "FEATURE_SURGE"), (60, "UNKNOWN")])
def test_a_feature_surges_when_it_has_more_than_sixty_percent(share: int, cause: str) -> None:
    calm = [{"feature_tag": "a", "cost_cents": 250}, {"feature_tag": "b", "cost_cents": 250}, {}]
    dear = [{"feature_tag": "a", "cost_cents": 20 * share}, {"feature_tag": "b", "cost_cents": 20 * (100 - share)}, {}]
    assert cause_of(spiking(calm, dear)) == cause


@pytest.mark.parametrize("tokens, calls, cause", [
    (14, 10, "PROMPT_GROWTH"), (13, 10, "UNKNOWN"), (10, 14, "TRAFFIC_GROWTH"), (10, 13, "UNKNOWN"),
    (20, 20, "PROMPT_GROWTH"), (19, 20, "TRAFFIC_GROWTH"),
])  # fmt: skip
def test_longer_prompts_and_more_traffic_count_from_more_than_thirty_percent_on(
    tokens: int, calls: int, cause: str
) -> None:
    assert cause_of(spiking([{}] * 10, [{"input_tokens": tokens}] * calls)) == cause


def test_severities_are_banded_as_the_reference_tests_say() -> None:
    table = {
        AnomalySeverity.LOW: (15, 20, 24.9),
        AnomalySeverity.MEDIUM: (25, 30, 39.9),
        AnomalySeverity.HIGH: (40, 50, 100, 500),
    }
    for severity, percentages in table.items():
        assert {classify_severity(pct) for pct in percentages} == {severity}


def test_a_day_five_times_its_baseline_triggers_high() -> None:
    calls = [*(call(D - back, 2_000, user_id="u") for back in range(7, 0, -1)), call(D, 10_000, user_id="u")]
    told = of_kind(anomalies(calls, close_all=True), "user_spike", "tenant_spike", "model_spike", "feature_spike")
    assert {line["anomaly_type"] for line in told} == {"user_spike", "tenant_spike", "model_spike"}
    assert {(line["deviation_pct"], line["severity"], line["threshold_pct"]) for line in told} == {(400, "high", 400)}
    assert {line["window_start"] for line in told} == {format_day(D)}


@pytest.mark.parametrize("cents, severity", [
    (5_999, None), (6_000, "low"), (7_999, "low"), (8_000, "medium"), (9_999, "medium"), (10_000, "high"),
    (12_000, "critical"),
])  # fmt: skip
def test_day_level_spikes_are_banded_from_two_hundred_percent_on(cents: int, severity: str | None) -> None:
    end = replayed([*(call(D - back, 2_000) for back in range(7, 0, -1)), call(D, cents)], close_all=True)
    told = of_kind([json.loads(line) for line in end.anomalies], "tenant_spike")
    assert [line["severity"] for line in told] == ([severity] if severity else [])
    assert of_kind([json.loads(line) for line in end.facts], "tenant_spike") == []
