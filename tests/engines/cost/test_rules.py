"""The lines of a day are the least totals at which the rules of the contract hold, to the nano-USD."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engines.core.money import NANOUSD_PER_USD as USD
from engines.cost.rules import (
    NEVER,
    NO_LINES,
    NUMBERS,
    PROFILES,
    REFERENCE,
    STANDARD,
    AnomalySeverity,
    AnomalyType,
    DerivedCause,
    Profile,
    ProfileName,
    Rules,
    classify_severity,
    gated,
    spike_lines,
)

MANY = settings(max_examples=400, deadline=None, derandomize=True)
BASES = st.one_of(st.integers(1, 100), st.integers(1, 500 * USD), st.integers(1, 10**30))
DAYS = st.integers(1, 13)


def breaches(total: int, mean: Fraction, days: int, profile: Profile) -> bool:
    """CONTRACT §6 and spec/cost.md §3, as fractions."""
    holds = total >= Fraction(140, 100) * mean
    if profile is STANDARD:
        holds = holds and total - mean >= 5 * USD
        if days < 3:
            holds = holds and total >= 3 * mean and total - mean >= 25 * USD
    return holds


def fires_alone(total: int, mean: Fraction, days: int, profile: Profile) -> bool:
    if profile is REFERENCE:
        return False
    at_once = total >= 3 * mean or (total >= 2 * mean and total - mean >= 25 * USD)
    return at_once and breaches(total, mean, days, profile)


@MANY
@given(BASES, DAYS, st.sampled_from([STANDARD, REFERENCE]))
@example(300 * USD, 3, STANDARD)
@example(37_500_000_000, 3, STANDARD)  # 40 % above is just the least excess of $5
@example(75 * USD, 3, STANDARD)  # twice as dear is just the excess of $25
@example(1, 3, REFERENCE)
def test_a_line_is_where_its_rule_begins_to_hold(base: int, days: int, profile: Profile) -> None:
    lines, mean = spike_lines(base, days, profile), Fraction(base, days)
    assert breaches(lines.breach, mean, days, profile)
    assert not breaches(lines.breach - 1, mean, days, profile)
    assert lines.triple - 1 < 3 * mean <= lines.triple
    if profile is REFERENCE:
        assert lines.alone == NEVER
    else:
        assert fires_alone(lines.alone, mean, days, profile)
        assert not fires_alone(lines.alone - 1, mean, days, profile)


@pytest.mark.parametrize("days, usd, breach, alone", [
    (3, 100, 140, 200),  # at once: twice, with $100 more
    (3, 12, 17, 36),  # 40 % would be $4.80: the least excess decides
    (3, 20, 28, 45),  # at once from twice on, once that is $25 more
    (2, 100, 300, 300),  # two days of history: three times as dear
    (1, 10, 35, 35),  # and $25 more
])  # fmt: skip
def test_the_standard_numbers_are_those_of_the_contract(days: int, usd: int, breach: int, alone: int) -> None:
    lines = spike_lines(days * usd * USD, days, STANDARD)
    assert (lines.breach, lines.alone) == (breach * USD, alone * USD)


def test_the_reference_needs_one_day_of_history_and_no_excess() -> None:
    assert spike_lines(100, 1, REFERENCE).breach == 140


@pytest.mark.parametrize("base, days", [(0, 3), (-5, 3), (100, 0), (0, 0)])
@pytest.mark.parametrize("profile", [STANDARD, REFERENCE])
def test_without_a_positive_baseline_no_day_breaches(base: int, days: int, profile: Profile) -> None:
    assert spike_lines(base, days, profile) is NO_LINES


@pytest.mark.parametrize("severity, percentages", [
    (AnomalySeverity.LOW, (-100, 0, 14.99, 15, 20, 24.9, 24.99)),
    (AnomalySeverity.MEDIUM, (25, 30, 39.9, 39.99)),
    (AnomalySeverity.HIGH, (40, 50, 100, 500)),
])  # fmt: skip
def test_severities_have_their_bands(severity: AnomalySeverity, percentages: tuple[float, ...]) -> None:
    assert {classify_severity(pct) for pct in percentages} == {severity}


def test_the_words_of_the_rules_are_those_of_the_reference() -> None:
    assert [*AnomalyType] == [
        "ABSOLUTE_SPIKE",
        "SUSTAINED_DRIFT",
        "BUDGET_WARNING",
        "BUDGET_EXCEEDED",
        "UNPRICED_USAGE",
        "user_spike",
        "feature_spike",
        "model_spike",
        "tenant_spike",
    ]
    assert [*AnomalySeverity] == ["LOW", "MEDIUM", "HIGH"]
    assert [*DerivedCause] == ["RETRY_LOOP", "PROMPT_GROWTH", "FEATURE_SURGE", "TRAFFIC_GROWTH", "UNKNOWN"]


def test_profiles_go_by_their_names() -> None:
    assert PROFILES == {ProfileName.STANDARD: STANDARD, ProfileName.REFERENCE: REFERENCE}
    assert (REFERENCE.spike_pct, REFERENCE.consecutive_days) == (STANDARD.spike_pct, STANDARD.consecutive_days)
    assert (STANDARD.spike_pct, STANDARD.consecutive_days) == (140, 2)


def test_the_numbers_of_the_reference_are_those_of_the_reference() -> None:
    names = "spike_pct consecutive_days drift_pct drift_days_required severity_medium_pct severity_high_pct"
    assert [getattr(REFERENCE, name) for name in names.split()] == [140, 2, 125, 3, 25, 40]
    assert (REFERENCE.day_low_pct, REFERENCE.day_medium_pct) == (200, 300)
    assert (REFERENCE.day_high_pct, REFERENCE.day_critical_pct) == (400, 500)
    off = ("excess_min_cents", "alone_pct", "drift_days_min", "unpriced_pct", "few_days_excess_cents")
    assert [getattr(REFERENCE, name) for name in off] == [0, 0, 0, 0, 0]
    assert REFERENCE.baseline_days_min == 1


@MANY
@given(st.sampled_from(list(PROFILES.values())), st.dictionaries(st.sampled_from(NUMBERS), st.integers(0, 500)))
def test_rules_name_the_numbers_that_were_changed_and_no_others(start: Profile, numbers: dict[str, Any]) -> None:
    rules = Rules(replace(start, **numbers))
    changed = {name: value for name, value in numbers.items() if value != getattr(start, name)}
    assert rules.line() == {"profile": start.name.value, "version": 1, "changed": changed}


@MANY
@given(BASES, DAYS, st.integers(100, 700), st.sampled_from([STANDARD, REFERENCE]))
def test_the_gates_hold_for_whatever_ratio_they_are_put_around(
    base: int, days: int, pct: int, profile: Profile
) -> None:
    mean = Fraction(base, days)

    def passes(total: int) -> bool:
        return 100 * total >= pct * mean and (profile is REFERENCE or breaches(max(total, 0), mean, days, STANDARD))

    line = gated(pct, base, days, profile)
    if pct >= profile.spike_pct:
        assert passes(line)
        assert not passes(line - 1)
