"""The causes and their evidence, on each side of every threshold (CONTRACT §6, "Causes")."""

from typing import Any

import pytest

from tests.oracle import Line, LogRecord, evaluate
from tests.oracle.cases import many, of

CALM = ["2026-02-28", "2026-03-01", "2026-03-02"]
TODAY = "2026-03-04"
TENANT = {"anomaly_type": "ABSOLUTE_SPIKE", "entity_type": "tenant"}


def spike(before: list[LogRecord], today: list[LogRecord], **wanted: Any) -> Line:
    return of(evaluate([*before, *today]).anomalies, **(TENANT | wanted))


def calm(count: int = 10, cents: str = "100", **more: Any) -> list[LogRecord]:
    return [one for day in CALM for one in many(day, count, cents, **more)]


def mixed(day: str, count: int, retries: int, cents: str) -> list[LogRecord]:
    return [
        *many(day, count - retries, cents),
        *many(day, retries, cents, hour=7, is_retry=True),
    ]


@pytest.mark.parametrize(
    "before, now, cause",
    [
        ((10, 2), (10, 4), "RETRY_LOOP"),  # 20 % to 40 %
        ((10, 2), (10, 3), "UNKNOWN"),  # exactly 1.5 x
        ((100, 20), (100, 31), "RETRY_LOOP"),
        ((10, 0), (20, 1), "RETRY_LOOP"),  # none before, and exactly 5 %
        ((10, 0), (21, 1), "TRAFFIC_GROWTH"),
        ((10, 0), (10, 0), "UNKNOWN"),
    ],
)
def test_a_retry_loop_is_more_than_one_and_a_half_times_the_share_and_five_percent(
    before: tuple[int, int], now: tuple[int, int], cause: str
) -> None:
    log = [one for day in CALM for one in mixed(day, *before, cents="100")]
    line = spike(log, mixed(TODAY, *now, cents="2000"))
    assert line["derived_cause"] == cause
    evidence = line["cause_evidence"]
    assert (evidence["requests"], evidence["retry_requests"]) == now
    assert (evidence["baseline_requests"], evidence["baseline_retry_requests"]) == (3 * before[0], 3 * before[1])
    assert evidence["baseline_days"] == 3


def split(day: str, a: str, b: str, untagged: str = "0") -> list[LogRecord]:
    return [
        *many(day, 1, a, hour=1, feature_tag="a"),
        *many(day, 1, b, hour=2, feature_tag="b"),
        *many(day, 1, untagged, hour=3),
    ]


@pytest.mark.parametrize(
    "before, now, cause",
    [
        (("500", "500"), ("6100", "3900"), "FEATURE_SURGE"),
        (("500", "500"), ("6000", "4000"), "UNKNOWN"),  # exactly 60 %
        (("500", "500"), ("6100", "3900", "90000"), "FEATURE_SURGE"),  # what has no tag is no part of it
        (("510", "490"), ("6100", "3900"), "FEATURE_SURGE"),  # grown by exactly 10 points
        (("511", "489"), ("6100", "3900"), "UNKNOWN"),
        (("500", "500"), ("3900", "6100"), "FEATURE_SURGE"),
        (("500", "500"), ("5000", "5000"), "UNKNOWN"),
    ],
)
def test_a_feature_surges_beyond_sixty_percent_of_tagged_cost_grown_by_ten_points(
    before: tuple[str, ...], now: tuple[str, ...], cause: str
) -> None:
    line = spike([one for day in CALM for one in split(day, *before)], split(TODAY, *now))
    assert line["derived_cause"] == cause


def test_the_evidence_of_a_tenant_names_its_largest_feature() -> None:
    line = spike([one for day in CALM for one in split(day, "500", "500")], split(TODAY, "3900", "6100", "7"))
    assert line["cause_evidence"] == {
        "requests": 3, "retry_requests": 0, "input_tokens": 9,
        "baseline_requests": 9, "baseline_retry_requests": 0, "baseline_input_tokens": 27, "baseline_days": 3,
        "feature_tag": "b", "feature_nanousd": 61 * 10**9, "tagged_nanousd": 100 * 10**9,
        "baseline_feature_nanousd": 15 * 10**9, "baseline_tagged_nanousd": 30 * 10**9,
    }  # fmt: skip
    equal = spike([one for day in CALM for one in split(day, "500", "500")], split(TODAY, "5000", "5000"))
    assert equal["cause_evidence"]["feature_tag"] == "a"


def test_without_tagged_cost_no_feature_is_named_and_users_have_none_at_all() -> None:
    log = [one for day in CALM for one in many(day, 1, "1000", user_id="u", feature_tag="a")]
    today = many(TODAY, 1, "9000", user_id="u")
    tenant = spike(log, today)["cause_evidence"]
    assert [tenant[name] for name in ("feature_tag", "feature_nanousd", "baseline_feature_nanousd")] == [None] * 3
    assert (tenant["tagged_nanousd"], tenant["baseline_tagged_nanousd"]) == (0, 30 * 10**9)
    user = spike(log, today, entity_type="user")["cause_evidence"]
    assert {name: content for name, content in user.items() if content is None}.keys() == {
        "feature_tag", "feature_nanousd", "baseline_feature_nanousd", "tagged_nanousd", "baseline_tagged_nanousd",
    }  # fmt: skip


def test_a_feature_without_cost_before_has_grown_from_nothing() -> None:
    today = split(TODAY, "6100", "3900")
    assert spike(calm(3, "330"), today)["derived_cause"] == "FEATURE_SURGE"


@pytest.mark.parametrize(
    "before, now, cause",
    [
        ((10, 100), (10, 131), "PROMPT_GROWTH"),
        ((10, 100), (10, 130), "UNKNOWN"),  # exactly 1.3 x
        ((10, 100), (14, 100), "TRAFFIC_GROWTH"),
        ((10, 100), (13, 100), "UNKNOWN"),
        ((10, 100), (14, 140), "PROMPT_GROWTH"),  # equal ratios
        ((10, 100), (15, 140), "TRAFFIC_GROWTH"),
        ((10, 0), (10, 1000), "UNKNOWN"),  # no prompts before
        ((10, 0), (14, 1000), "TRAFFIC_GROWTH"),
    ],
)
def test_of_prompt_and_traffic_growth_the_larger_counts(
    before: tuple[int, int], now: tuple[int, int], cause: str
) -> None:
    log = calm(before[0], input_tokens=before[1])
    assert spike(log, many(TODAY, now[0], "2000", input_tokens=now[1]))["derived_cause"] == cause


def test_retries_come_before_surges_and_these_before_growth() -> None:
    surge = split(TODAY, "6100", "3900") + many(TODAY, 40, "1", input_tokens=900)
    before = [one for day in CALM for one in split(day, "500", "500")]
    assert spike(before, surge)["derived_cause"] == "FEATURE_SURGE"
    assert spike(before, surge + many(TODAY, 3, "1", hour=9, is_retry=True))["derived_cause"] == "RETRY_LOOP"


def test_unpriced_days_are_no_part_of_either_side() -> None:
    silent = many("2026-02-27", 1000, None)
    line = spike(silent + calm(10), many(TODAY, 10, "2000"))
    assert line["derived_cause"] == "UNKNOWN"
    assert line["cause_evidence"]["baseline_requests"] == 30
    partly = many("2026-02-28", 100, None, hour=9)  # of a priced day its unpriced records count
    assert (
        spike(sorted(partly + calm(10), key=lambda one: one.value or b""), many(TODAY, 10, "2000"))["cause_evidence"][
            "baseline_requests"
        ]
        == 130
    )
