"""Why spend rose: the rules of the contract in fractions, against what is decided in integers."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engines.cost.causes import Features, Side, Sides, costs_before, costs_of, derive
from engines.cost.rules import REFERENCE, STANDARD
from engines.cost.totals import RETRY_ONE, Total, line, of_record

MANY = settings(max_examples=400, deadline=None, derandomize=True)
NUMBERS = st.tuples(st.integers(1, 60), st.integers(0, 60), st.integers(0, 5_000), st.integers(1, 13)).map(
    lambda drawn: (drawn[0], min(drawn[0], drawn[1]), drawn[2], drawn[3])
)
Numbers = tuple[int, int, int, int]
"""Requests, retries among them, input tokens, days."""
COSTS = st.dictionaries(st.sampled_from("abc"), st.sampled_from((0, 1, 39, 40, 50, 60, 61, 10**15)))


def side(requests: int, retries: int = 0, tokens: int = 0, days: int = 1) -> Side:
    total: Total = requests * of_record(3, 0, 9) + retries * RETRY_ONE + of_record(0, tokens, 0) - of_record(0, 0, 0)
    return Side(total, days)


def expected(now: Numbers, before: Numbers, features: Features | None) -> str:
    """CONTRACT §6, Causes."""
    share, share_before = Fraction(now[1], now[0]), Fraction(before[1], before[0])
    if share > Fraction(3, 2) * share_before and share >= Fraction(5, 100):
        return "RETRY_LOOP"
    if features is not None and surges(features):
        return "FEATURE_SURGE"
    prompt = Fraction(now[2], now[0]) / Fraction(before[2], before[0]) if before[2] else Fraction(0)
    traffic = Fraction(now[0], now[3]) / Fraction(before[0], before[3])
    largest = max(prompt, traffic)
    if largest <= Fraction(13, 10):
        return "UNKNOWN"
    return "PROMPT_GROWTH" if prompt == largest else "TRAFFIC_GROWTH"


def surges(features: Features) -> bool:
    tagged, tagged_before = sum(features.now.values()), sum(features.before.values())
    if not tagged:
        return False
    tag = min(features.now, key=lambda name: (-features.now[name], name))
    share = Fraction(features.now[tag], tagged)
    before = Fraction(features.before.get(tag, 0), tagged_before) if tagged_before else Fraction(0)
    return share > Fraction(6, 10) and share - before >= Fraction(1, 10)


@MANY
@given(NUMBERS, NUMBERS, st.none() | st.builds(Features, COSTS, COSTS))
@example((10, 4, 0, 1), (10, 2, 0, 1), None)
@example((10, 3, 0, 1), (10, 2, 0, 1), None)
@example((100, 5, 0, 1), (10, 0, 0, 1), None)
@example((100, 4, 0, 1), (10, 0, 0, 1), None)
@example((13, 0, 0, 1), (10, 0, 0, 1), None)
@example((14, 0, 28, 1), (10, 0, 10, 1), None)
@example((14, 0, 28, 2), (10, 0, 10, 2), None)
@example((20, 0, 40, 1), (10, 0, 10, 1), None)  # both doubled
@example((1, 0, 1, 1), (1, 0, 1, 1), Features({"a": 61, "b": 39}, {"a": 51, "b": 49}))
@example((1, 0, 1, 1), (1, 0, 1, 1), Features({"a": 61, "b": 39}, {"a": 50, "b": 50}))
@example((1, 0, 1, 1), (1, 0, 1, 1), Features({"a": 60, "b": 40}, {"a": 50, "b": 50}))
@example((1, 0, 1, 1), (1, 0, 1, 1), Features({"a": 61}, {}))
@example((1, 0, 1, 1), (1, 0, 1, 1), Features({"b": 1, "a": 1}, {}))
def test_causes_are_those_of_the_contract_in_fractions(
    now: Numbers, before: Numbers, features: Features | None
) -> None:
    found = derive(Sides(side(*now), side(*before), features), REFERENCE)
    assert found.cause == expected(now, before, features)
    assert derive(Sides(side(*now), side(*before), features), STANDARD) == found


def test_the_evidence_is_both_sides_and_the_largest_feature() -> None:
    features = Features({"b": 30, "a": 30, "c": 5}, {"a": 7, "c": 90})
    assert Sides(side(10, 2, 300, 1), side(40, 3, 700, 9), features).evidence == {
        "requests": 10,
        "retry_requests": 2,
        "input_tokens": 300,
        "baseline_requests": 40,
        "baseline_retry_requests": 3,
        "baseline_input_tokens": 700,
        "baseline_days": 9,
        "feature_tag": "a",
        "feature_nanousd": 30,
        "tagged_nanousd": 65,
        "baseline_feature_nanousd": 7,
        "baseline_tagged_nanousd": 97,
    }


@pytest.mark.parametrize("features, evidence", [
    (None, {"feature_tag": None, "feature_nanousd": None, "baseline_feature_nanousd": None, "tagged_nanousd": None,
            "baseline_tagged_nanousd": None}),
    (Features({"a": 0}, {"a": 7}), {"feature_tag": None, "feature_nanousd": None, "baseline_feature_nanousd": None,
                                    "tagged_nanousd": 0, "baseline_tagged_nanousd": 7}),
    (Features({"a": 3}, {}), {"feature_tag": "a", "feature_nanousd": 3, "baseline_feature_nanousd": 0,
                              "tagged_nanousd": 3, "baseline_tagged_nanousd": 0}),
])  # fmt: skip
def test_without_tagged_cost_no_feature_is_evidence(features: Features | None, evidence: dict[str, Any]) -> None:
    found = Sides(side(1), side(1), features).evidence
    assert {name: found[name] for name in evidence} == evidence


def test_costs_are_read_from_totals_and_sums() -> None:
    assert costs_of({"a": line(5) + 7}) == {"a": 5}
    assert costs_before({"a": (line(6) + 7, 3)}) == {"a": 6}
