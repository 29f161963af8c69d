"""A fact as people read it: when, who, what, how bad, why by which numbers, and the money."""

import pytest
from rich.console import Console

from streams.demo.board import Evidence, Fact, Limit
from streams.demo.table import WIDE, cells, lines, on_two_lines, table
from streams.demo.words import why

EVIDENCE = Evidence(
    requests=700,
    retry_requests=70,
    input_tokens=2_100_000,
    baseline_requests=1300,
    baseline_retry_requests=26,
    baseline_input_tokens=1_300_000,
    baseline_days=13,
    feature_tag="triage",
    feature_nanousd=74,
    tagged_nanousd=100,
    baseline_feature_nanousd=27,
    baseline_tagged_nanousd=100,
)


def fact(kind: str = "ABSOLUTE_SPIKE", cause: str = "RETRY_LOOP", limit: Limit | None = None) -> Fact:
    return Fact(
        anomaly_id="ca_1",
        revision=7,
        anomaly_type=kind,
        tenant_id="acme",
        entity_type="user",
        entity_id="ana",
        window_start="2025-09-01T00:00:00Z",
        period=None if limit is None else "monthly",
        severity="HIGH",
        current_nanousd=30_009_999_999,
        expected_nanousd=10_000_000_000,
        deviation_pct=200.09,
        breach_count=2 if limit is None else 1,
        derived_cause=cause,
        cause_evidence=EVIDENCE if limit is None else None,
        budget=limit,
        restated=False,
        status="final",
    )


def test_a_fact_is_a_row() -> None:
    row = ("2025-09-01", "acme user ana", "ABSOLUTE_SPIKE, day 2", "HIGH", "RETRY_LOOP: 2 -> 10 % retries")
    assert cells(fact()) == (*row, "$30.00", "$10.00", "+200 %", "final")


def test_a_budget_shows_its_limit_and_its_month() -> None:
    spent = fact("BUDGET_EXCEEDED", "UNKNOWN", Limit(1_000, 300.09))
    row = ("2025-09", "acme user ana", "BUDGET_EXCEEDED, monthly", "HIGH", "300 % of $10.00", "$30.00", "$10.00", "-")
    assert cells(spent) == (*row, "final")


@pytest.mark.parametrize(
    "kind,cause,told",
    [
        ("ABSOLUTE_SPIKE", "FEATURE_SURGE", "FEATURE_SURGE: triage 27 -> 74 % of spend"),
        ("ABSOLUTE_SPIKE", "PROMPT_GROWTH", "PROMPT_GROWTH: 1,000 -> 3,000 tokens a call"),
        ("ABSOLUTE_SPIKE", "TRAFFIC_GROWTH", "TRAFFIC_GROWTH: 100 -> 700 calls a day"),
        ("SUSTAINED_DRIFT", "TRAFFIC_GROWTH", "TRAFFIC_GROWTH: 100 -> 100 calls a day"),
        ("ABSOLUTE_SPIKE", "UNKNOWN", "UNKNOWN"),
    ],
)
def test_a_cause_is_told_with_the_numbers_it_is_derived_from(kind: str, cause: str, told: str) -> None:
    assert why(fact(kind, cause)) == told


def test_where_there_is_no_room_a_fact_takes_two_lines() -> None:
    assert (lines(WIDE), lines(WIDE - 1)) == (1, 2)
    assert on_two_lines(fact()) == (
        "2025-09-01\nHIGH",
        "acme\nuser ana",
        "ABSOLUTE_SPIKE\nday 2, final",
        "RETRY_LOOP\n2 -> 10 % retries",
        "$30.00\nof $10.00",
    )


@pytest.mark.parametrize("width", [100, WIDE])
def test_nothing_of_a_fact_is_cut_on_a_usual_terminal(width: int) -> None:
    console = Console(width=width, color_system=None)
    with console.capture() as shown:
        console.print(table([fact()], width))
    assert "…" not in shown.get()
    assert "2 -> 10 % retries" in shown.get()
    assert len(shown.get().splitlines()) == 1 + lines(width)
