"""Which row is in force, against a reading that looks at every row each time."""

import gc
import json
import weakref
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.core.model import SettingRow
from engines.core.time import US_PER_DAY
from engines.cost.pages import DAY
from engines.cost.rules import NUMBERS, PROFILES, REFERENCE, STANDARD, Profile, ProfileName
from engines.cost.settings import Budget, CostSettings, concerned
from engines.runs.setting_lines import acknowledgement
from tests.engines.cost.spending import TENANT, Row, Spending, budget, rule, spent, tag

MANY = settings(max_examples=200, deadline=None, derandomize=True)
DAYS = st.integers(0, 6)
SINCE = st.none() | DAYS
NAMES = ("spike_pct", "excess_min_cents", "drift_days_required")
WHO = st.sampled_from(["*", TENANT, "other"])
RULES = st.one_of(
    st.builds(rule, st.sampled_from(NAMES), st.integers(1, 300), WHO, SINCE),
    st.builds(rule, st.just("profile"), st.sampled_from(["standard", "reference"]), WHO, SINCE),
)
TAGS = st.one_of(
    st.builds(tag, st.sampled_from("fg"), active=st.booleans(), since=SINCE),
    st.builds(
        rule, st.just("feature_tags"), st.sampled_from(["open", "registered"]), st.sampled_from(["*", TENANT]), SINCE
    ),
)
LIMITS = st.sampled_from((None, 0, 5, 7))
BUDGETS = st.builds(
    budget,
    st.just("user"),
    st.sampled_from("uv"),
    daily=LIMITS,
    monthly=LIMITS,
    active=st.booleans(),
    since=SINCE,
)


def numbered(rows: list[Row]) -> list[SettingRow]:
    return [SettingRow(seq, *row) for seq, row in enumerate(rows, 1)]


def newest(rows: list[Row], member: str, value: str, before_us: int) -> dict[str, Any] | None:
    """Return the body with *value* for *member* of the greatest effective time before *before_us*, of equals last."""
    found: tuple[int, dict[str, Any]] | None = None
    for row in rows:
        effective = -1 if row[2] is None else row[2]
        body = json.loads(row[3])
        if body.get(member) == value and effective < before_us and (found is None or effective >= found[0]):
            found = (effective, body)
    return None if found is None else found[1]


def value_of(rows: list[Row], name: str, before_us: int) -> Any:
    for tenant in (TENANT, "*"):
        own = [row for row in rows if row[:2] == ("rule", tenant)]
        body = newest(own, "name", name, before_us)
        if body is not None:
            return body["value"]
    return None


@MANY
@given(st.lists(RULES, max_size=10), DAYS, st.sampled_from([STANDARD, REFERENCE]))
def test_each_rule_is_that_of_the_newest_row_before_the_windows_end(rows: list[Row], day: int, start: Profile) -> None:
    found = CostSettings(numbered(rows), start).rules(TENANT, day).profile
    named = value_of(rows, "profile", day * US_PER_DAY)
    profile = start if named is None else PROFILES[ProfileName(named)]
    assert found.name == profile.name
    for name in NUMBERS:
        value = value_of(rows, name, day * US_PER_DAY)
        assert getattr(found, name) == (getattr(profile, name) if value is None else value)


@MANY
@given(st.lists(BUDGETS, max_size=8), DAYS, st.sampled_from(["daily", "monthly"]))
def test_a_budget_is_that_of_the_newest_row_before_the_windows_end(rows: list[Row], day: int, period: str) -> None:
    expected = {}
    for user in "uv":
        body = newest(rows, "entity_id", user, day * US_PER_DAY)
        if body and body["is_active"] and body[f"{period}_limit_cents"]:
            expected["user", user] = Budget(**body)
    assert CostSettings(numbered(rows), STANDARD).budgets(TENANT, period, day) == expected
    assert CostSettings(numbered(rows), STANDARD).budgets("other", period, day) == {}
    assert CostSettings(numbered(rows), STANDARD).has_budgets(TENANT) == bool(rows)


@MANY
@given(st.lists(TAGS, max_size=8), st.integers(0, 12))
def test_a_tag_is_taken_by_the_rows_in_force_when_its_record_occurred(rows: list[Row], half: int) -> None:
    at_us = half * US_PER_DAY // 2
    taking = CostSettings(numbered(rows), STANDARD).feature_tags(TENANT)
    mode = value_of(rows, "feature_tags", at_us + 1)
    for name in "fgh":
        own = newest(rows, "tag", name, at_us + 1)
        known = mode != "registered" if own is None else own["is_active"]
        assert (name if taking is None else taking.taken(name, at_us)) == (name if known else "unclassified")


@MANY
@given(st.lists(st.one_of(RULES, TAGS, BUDGETS), max_size=12), DAYS)
def test_every_row_of_the_tenant_or_of_all_before_the_windows_end_counts_for_a_revision(
    rows: list[Row], day: int
) -> None:
    in_force = [row for row in rows if (-1 if row[2] is None else row[2]) < day * US_PER_DAY]
    settings = CostSettings(numbered(rows), STANDARD)
    assert settings.count(TENANT, day) == sum(row[1] in {"*", TENANT} for row in in_force)
    assert settings.count("nobody", day) == sum(row[1] == "*" for row in in_force)


@pytest.mark.parametrize("rows, tenants", [
    ([], frozenset()),
    ([budget(), rule("spike_pct", 1, "other")], frozenset({TENANT, "other"})),
    ([budget(), rule("spike_pct", 1)], None),
])  # fmt: skip
def test_a_row_concerns_its_tenant_or_everybody(rows: list[Row], tenants: frozenset[str] | None) -> None:
    assert concerned(numbered(rows)) == tenants


@given(day=DAYS)
def test_rows_of_another_domains_kind_say_nothing_of_costs(day: int) -> None:
    seen = acknowledgement(TENANT, "pf_1", "2026-01-15T10:00:00Z", at_us=0, by="ana").setting()
    others: list[Row] = [seen, seen._replace(tenant_id="*"), ("of a version to come", TENANT, None, b"[]")]
    plain: list[Row] = [rule("spike_pct", 60, "*", None), budget("user", "u", daily=5)]
    mixed: list[Row] = []
    for row in plain:
        mixed += [*others, row]
    before, after = (CostSettings(numbered(rows), STANDARD) for rows in (plain, mixed))
    assert after.count(TENANT, day) == before.count(TENANT, day) == 2
    assert after.rules(TENANT, day) == before.rules(TENANT, day)
    assert after.budgets(TENANT, "daily", day) == before.budgets(TENANT, "daily", day)
    assert concerned(numbered(others)) == frozenset(), "nothing is judged again for it"
    assert concerned(numbered([*others, budget("user", "u")])) == frozenset({TENANT})


def test_a_budget_that_says_little_has_the_references_defaults() -> None:
    row = SettingRow(1, "budget", TENANT, None, b'{"budget_type":"tenant","entity_id":"acme","daily_limit_cents":5}')
    [found] = CostSettings([row], STANDARD).budgets(TENANT, "daily", 0).values()
    assert (found.warn_threshold_pct, found.hard_limit_enabled, found.is_active) == (80, False, True)


def test_what_is_remembered_of_a_tenant_does_not_grow_with_the_days() -> None:
    rows = [
        rule("spike_pct", 150),
        rule("spike_pct", 160, since=30),
        rule("drift_pct", 140, "other", since=40),
        budget("user", "u", daily=5, since=50),
    ]
    known = CostSettings(numbered(rows), STANDARD)
    days = range(400)
    assert len({id(known.rules(TENANT, day)) for day in days}) == 2
    assert len({id(known.rules("other", day)) for day in days}) == 3
    assert known.rules(TENANT, 40) is known.rules("nobody", 40)
    for period, distinct in (("daily", 2), ("monthly", 2)):
        assert len({id(known.budgets(TENANT, period, day)) for day in days}) == distinct


def test_pages_judged_by_earlier_settings_do_not_keep_them() -> None:
    spending = Spending(STANDARD, budget(daily=100, monthly=1_000), forgets=False)
    spending.fold(spent(3, 0.5))
    spending.close(3)
    spending.fold(spent(5, 0.5))
    earlier = weakref.ref(spending.context.settings)
    gc.disable()  # a cycle would keep them as well: workers hardly ever look for cycles
    try:
        spending.learn(budget("user", "u", daily=7))
        assert len(spending.pages.keys(DAY)) == 2
        assert earlier() is None
    finally:
        gc.enable()
