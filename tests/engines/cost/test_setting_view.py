"""What a list of settings shows is what judges."""

from dataclasses import asdict

from hypothesis import given
from hypothesis import strategies as st

from engines.core.model import SettingRow
from engines.core.time import US_PER_DAY, format_instant
from engines.cost.rule_names import RULES, Words
from engines.cost.rules import NUMBERS, PROFILES, STANDARD, Profile
from engines.cost.setting_lines import BudgetLine, RuleLine, SettingLine, TagLine
from engines.cost.setting_view import entries, rules_in_force
from engines.cost.settings import FEATURE_TAGS, OPEN, PROFILE, REGISTERED, UNCLASSIFIED, CostSettings

TENANT = "acme"
DAY = 100
HALF_DAYS = st.none() | st.integers(0, 2 * DAY + 6).map(lambda half: half * US_PER_DAY // 2)
SOME_RULES = (PROFILE, FEATURE_TAGS, "spike_pct", "excess_min_cents")


def since(us: int | None) -> str | None:
    return None if us is None else format_instant(us)


@st.composite
def rule_lines(draw: st.DrawFn) -> RuleLine:
    name = draw(st.sampled_from(SOME_RULES))
    rule = RULES[name]
    value = draw(st.sampled_from(rule.words) if isinstance(rule, Words) else st.integers(100, 110))
    tenant = draw(st.sampled_from(["*", TENANT]))
    return RuleLine(tenant_id=tenant, name=name, value=value, effective_from=since(draw(HALF_DAYS)))


@st.composite
def budget_lines(draw: st.DrawFn) -> BudgetLine:
    user = draw(st.booleans())
    return BudgetLine(
        tenant_id=TENANT,
        budget_type="user" if user else "tenant",
        entity_id="ana" if user else None,
        daily_limit_cents=draw(st.integers(1, 9)),
        is_active=draw(st.booleans()),
        effective_from=since(draw(HALF_DAYS)),
    )


@st.composite
def tag_lines(draw: st.DrawFn) -> TagLine:
    tag = draw(st.sampled_from(["x", "y"]))
    return TagLine(tenant_id=TENANT, tag=tag, is_active=draw(st.booleans()), effective_from=since(draw(HALF_DAYS)))


lines = st.lists(st.one_of(rule_lines(), budget_lines(), tag_lines()), max_size=12)


def rows_of(said: list[SettingLine]) -> list[SettingRow]:
    return [SettingRow(seq, *line.setting()) for seq, line in enumerate(said, 1)]


@given(lines, st.sampled_from(list(PROFILES.values())), st.integers(0, DAY + 3))
def test_the_numbers_shown_are_those_that_judge(said: list[SettingLine], profile: Profile, day: int) -> None:
    rows = rows_of(said)
    judging = CostSettings(rows, profile).rules(TENANT, day + 1).profile
    end_us = (day + 1) * US_PER_DAY
    shown = rules_in_force(rows, TENANT, profile.name, window_us=end_us - 1, record_us=end_us - 1)
    values = {one.name: one.value for one in shown}
    assert {name: values[name] for name in NUMBERS} == {name: asdict(judging)[name] for name in NUMBERS}
    assert values[PROFILE] == judging.name
    assert [one.name for one in shown] == list(RULES)


@given(lines, st.integers(0, 2 * DAY + 6))
def test_the_tags_shown_are_those_that_are_taken(said: list[SettingLine], half: int) -> None:
    rows, at_us = rows_of(said), half * US_PER_DAY // 2
    taking = CostSettings(rows, STANDARD).feature_tags(TENANT)
    shown = {subject[1]: entry.now for subject, entry in entries(TagLine, rows, at_us).items()}
    mode = next(
        one.value
        for one in rules_in_force(rows, TENANT, "standard", window_us=at_us, record_us=at_us)
        if one.name == FEATURE_TAGS
    )
    for tag in ("x", "y", "z"):
        line = shown.get(tag)
        known = mode == OPEN if line is None else line.is_active
        assert (taking.taken(tag, at_us) if taking else tag) == (tag if known else UNCLASSIFIED)
    assert mode in {OPEN, REGISTERED}


@given(lines, st.integers(0, DAY + 3))
def test_the_budgets_shown_are_those_that_judge(said: list[SettingLine], day: int) -> None:
    rows = rows_of(said)
    judging = CostSettings(rows, STANDARD).budgets(TENANT, "daily", day + 1)
    found = entries(BudgetLine, rows, (day + 1) * US_PER_DAY - 1)
    shown = {
        subject[1:]: entry.now.daily_limit_cents
        for subject, entry in found.items()
        if entry.now is not None and entry.now.is_active
    }
    assert shown == {key: budget.daily_limit_cents for key, budget in judging.items()}


@given(lines, st.integers(0, DAY + 3))
def test_every_line_is_in_force_to_come_or_overtaken(said: list[SettingLine], day: int) -> None:
    until_us = day * US_PER_DAY
    found = entries(BudgetLine, rows_of(said), until_us)
    later = [line for entry in found.values() for line in entry.later]
    budgets = [line for line in said if isinstance(line, BudgetLine)]
    assert sorted(map(str, later)) == sorted(str(line) for line in budgets if (line.effective_us or 0) > until_us)
    for entry in found.values():
        assert [line.effective_us for line in entry.later] == sorted(line.effective_us or 0 for line in entry.later)
        assert entry.now is None or (entry.now.effective_us or 0) <= until_us
