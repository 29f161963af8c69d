"""Lines of budgets, tags and rules: what they say comes back from a row, and what is wrong is named."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.core.errors import SettingsError
from engines.core.model import SettingRow
from engines.core.time import format_instant, parse_instant
from engines.cost.rule_names import RULES, Numbers, Words
from engines.cost.rules import NUMBERS, PROFILES
from engines.cost.setting_lines import Kind, line_of, parse, read_lines
from engines.cost.settings import FEATURE_TAGS, PROFILE

END_US = parse_instant("9998-12-31T23:59:59Z")
text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=256)
tenants = text.filter(lambda one: one != "*")
instants = st.none() | st.integers(0, END_US).map(format_instant)
limits = st.none() | st.integers(0, 10**12)
flags = st.booleans()


@st.composite
def budgets(draw: st.DrawFn) -> dict[str, Any]:
    tenant, kind = draw(tenants), draw(st.sampled_from(["tenant", "feature", "user"]))
    return {
        "tenant_id": tenant,
        "budget_type": kind,
        "entity_id": draw(st.sampled_from([None, tenant]) if kind == "tenant" else text),
        "daily_limit_cents": draw(limits),
        "monthly_limit_cents": draw(limits),
        "warn_threshold_pct": draw(st.integers(1, 100)),
        "hard_limit_enabled": draw(flags),
        "is_active": draw(flags),
        "effective_from": draw(instants),
    }


tags = st.fixed_dictionaries(
    {"tenant_id": tenants, "tag": text, "display_name": text, "is_active": flags, "effective_from": instants}
)


@st.composite
def rule_lines(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(st.sampled_from(list(RULES)))
    rule = RULES[name]
    values = st.sampled_from(rule.words) if isinstance(rule, Words) else st.integers(rule.least, rule.most)
    tenant = draw(st.just("*") | tenants)
    return {"tenant_id": tenant, "name": name, "value": draw(values), "effective_from": draw(instants)}


lines = st.one_of(
    *(st.tuples(st.just(kind), of) for kind, of in (("budget", budgets()), ("tag", tags), ("rule", rule_lines())))
)


def written(members: dict[str, Any]) -> bytes:
    return json.dumps(members).encode()


def refused(kind: Kind, members: dict[str, Any]) -> str:
    with pytest.raises(SettingsError) as error:
        read_lines(kind, b"\n" + written(members), "B.jsonl")
    return str(error.value)


@given(lines)
def test_what_a_line_says_comes_back_from_its_row(drawn: tuple[Kind, dict[str, Any]]) -> None:
    kind, members = drawn
    (line,) = read_lines(kind, written(members), "f")
    setting = line.setting()
    said = members | ({"entity_id": members["tenant_id"]} if members.get("budget_type") == "tenant" else {})
    assert line.model_dump() == said
    assert (setting.kind, setting.tenant_id) == (kind, members["tenant_id"])
    assert setting.effective_us == (None if said["effective_from"] is None else parse_instant(said["effective_from"]))
    body = {name: value for name, value in said.items() if name not in {"tenant_id", "effective_from"}}
    assert setting.body == json.dumps(body, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    assert line_of(SettingRow(7, *setting)) == line


@given(lines, st.data())
def test_null_means_absent(drawn: tuple[Kind, dict[str, Any]], data: st.DataObject) -> None:
    kind, members = drawn
    nulls = dict.fromkeys(data.draw(st.sets(st.sampled_from(sorted(members)))))
    bare = {name: value for name, value in members.items() if name not in nulls}
    assert parse(kind, members | nulls) == parse(kind, bare)


@given(lines, st.data())
def test_a_member_of_a_wrong_type_is_named(drawn: tuple[Kind, dict[str, Any]], data: st.DataObject) -> None:
    kind, members = drawn
    name = data.draw(st.sampled_from(sorted(members)))
    told = refused(kind, members | {name: [1]})
    assert told.startswith(f"B.jsonl, line 2: {name}: ")


@given(lines, text)
def test_an_unknown_member_is_named(drawn: tuple[Kind, dict[str, Any]], name: str) -> None:
    kind, members = drawn
    if name not in members:
        for value in (1, None):
            assert refused(kind, members | {name: value}) == f"B.jsonl, line 2: {name}: is not a member of such a line"


BUDGET = {"tenant_id": "acme", "budget_type": "user", "entity_id": "ana", "daily_limit_cents": 100}
TAG = {"tenant_id": "acme", "tag": "triage"}
RULE = {"name": "spike_pct", "value": 150}


def test_what_is_left_out_has_its_default() -> None:
    (budget,) = read_lines("budget", written({"tenant_id": "acme", "budget_type": "tenant"}), "f")
    assert budget.model_dump() == {
        "tenant_id": "acme",
        "budget_type": "tenant",
        "entity_id": "acme",
        "daily_limit_cents": None,
        "monthly_limit_cents": None,
        "warn_threshold_pct": 80,
        "hard_limit_enabled": False,
        "is_active": True,
        "effective_from": None,
    }
    (tag,) = read_lines("tag", written(TAG), "f")
    assert tag.model_dump() == TAG | {"display_name": "triage", "is_active": True, "effective_from": None}
    (rule,) = read_lines("rule", written(RULE), "f")
    assert rule.model_dump() == RULE | {"tenant_id": "*", "effective_from": None}


@pytest.mark.parametrize(
    "kind, members, field, reason",
    [
        ("budget", BUDGET | {"tenant_id": None}, "tenant_id", "is missing"),
        ("budget", BUDGET | {"tenant_id": "*"}, "tenant_id", "is one tenant's"),
        ("budget", BUDGET | {"tenant_id": "a\0"}, "tenant_id", "contains a NUL character"),
        ("budget", BUDGET | {"tenant_id": ""}, "tenant_id", "at least 1 character"),
        ("budget", BUDGET | {"tenant_id": "\ud800"}, "tenant_id", "unicode"),
        ("budget", BUDGET | {"entity_id": "a" * 257}, "entity_id", "at most 256 characters"),
        ("budget", BUDGET | {"entity_id": None}, "entity_id", "is needed: whose user budget is it"),
        ("budget", BUDGET | {"budget_type": "tenant"}, "entity_id", "is the tenant id, or absent"),
        ("budget", BUDGET | {"budget_type": "team"}, "budget_type", "'tenant', 'feature' or 'user'"),
        ("budget", BUDGET | {"budget_type": None}, "budget_type", "is missing"),
        ("budget", BUDGET | {"daily_limit_cents": -1}, "daily_limit_cents", "greater than or equal to 0"),
        ("budget", BUDGET | {"daily_limit_cents": 1.0}, "daily_limit_cents", "valid integer (it is 1.0)"),
        ("budget", BUDGET | {"daily_limit_cents": "1"}, "daily_limit_cents", "valid integer"),
        ("budget", BUDGET | {"monthly_limit_cents": True}, "monthly_limit_cents", "valid integer"),
        ("budget", BUDGET | {"monthly_limit_cents": 10**12 + 1}, "monthly_limit_cents", "less than or equal"),
        ("budget", BUDGET | {"warn_threshold_pct": 0}, "warn_threshold_pct", "greater than or equal to 1"),
        ("budget", BUDGET | {"warn_threshold_pct": 101}, "warn_threshold_pct", "less than or equal to 100"),
        ("budget", BUDGET | {"is_active": 1}, "is_active", "valid boolean"),
        ("budget", BUDGET | {"hard_limit_enabled": "no"}, "hard_limit_enabled", "valid boolean"),
        ("budget", BUDGET | {"effective_from": "2026-01-01"}, "effective_from", "is not of the form"),
        ("budget", BUDGET | {"effective_from": "2026-02-30T00:00:00Z"}, "effective_from", "does not exist"),
        ("budget", BUDGET | {"effective_from": 1}, "effective_from", "valid string"),
        ("tag", TAG | {"tag": None}, "tag", "is missing"),
        ("tag", TAG | {"display_name": ""}, "display_name", "at least 1 character"),
        ("tag", TAG | {"tenant_id": "*"}, "tenant_id", "is one tenant's"),
        ("rule", RULE | {"name": "spike"}, "name", "is no rule; spike_pct?"),
        ("rule", RULE | {"name": None}, "name", "is missing"),
        ("rule", RULE | {"value": None}, "value", "is missing"),
        ("rule", RULE | {"value": 99}, "value", "is not between 100 and 1000000"),
        ("rule", RULE | {"value": True}, "value", "is not an integer"),
        ("rule", RULE | {"value": 150.5}, "value", "is not an integer"),
        ("rule", {"name": PROFILE, "value": "strict"}, "value", "is not standard or reference"),
        ("rule", {"name": FEATURE_TAGS, "value": 1}, "value", "is not open or registered"),
        ("rule", {"name": "consecutive_days", "value": 0}, "value", "is not between 1 and 366"),
        ("rule", {"name": "alone_pct", "value": 50}, "value", "(nor 0: never)"),
    ],
)
def test_what_is_out_of_bounds_is_named_with_a_reason(
    kind: Kind, members: dict[str, Any], field: str, reason: str
) -> None:
    told = refused(kind, members)
    assert told.startswith(f"B.jsonl, line 2: {field}: ")
    assert reason in told


@pytest.mark.parametrize("value", [b"{broken", b"[1]", b"null", b'{"a": "\xff"}', b"\xef\xbb\xbf{}", b"{}" * 2])
def test_what_is_no_object_is_named_by_its_line(value: bytes) -> None:
    with pytest.raises(SettingsError, match=r"^T\.jsonl, line 3: the value is "):
        read_lines("tag", written(TAG) + b"\n  \n" + value, "T.jsonl")


def test_blank_lines_are_ignored_and_of_duplicate_members_the_last_counts() -> None:
    data = b'\n \t\r\n{"tenant_id":"a","tag":1,"tag":"x"}\r\n\n{"tenant_id":"b","tag":"y"}'
    assert [(line.tenant_id, line.effective_us) for line in read_lines("tag", data, "f")] == [("a", None), ("b", None)]
    assert read_lines("tag", b"", "f") == []


def test_a_row_of_a_later_version_is_nobodys_line() -> None:
    row = SettingRow(1, "rule", "*", None, b'{"name":"spike_pct","value":150}')
    assert line_of(row) is not None
    for unknown in (
        row._replace(kind="zone"),
        row._replace(body=b'{"name":"new_rule","value":1}'),
        row._replace(body=b"{"),
    ):
        assert line_of(unknown) is None


def test_every_number_of_both_profiles_is_a_rule_that_takes_its_own_value() -> None:
    assert set(RULES) == {PROFILE, FEATURE_TAGS, *NUMBERS}
    for profile in PROFILES.values():
        for name in NUMBERS:
            rule = RULES[name]
            assert isinstance(rule, Numbers)
            assert rule.problem(getattr(profile, name)) is None
