"""Settings: which row is in force for a window, for a record; what changes when one becomes known (CONTRACT §4, §6)."""

from dataclasses import replace

import pytest

from engines.cost.rules import PROFILES, Profile
from tests.oracle import NUMBERS, LogRecord, Setting, evaluate, revisions
from tests.oracle.cases import MARCH_4, budget, record, rule, series, tag
from tests.oracle.settings import Known

SPIKE = series("2026-02-27", ["1000"] * 4 + ["3500"])  # 3.5 x on 3 March


def rules_of(*rows: Setting, tenant_id: str = "acme", day: int = MARCH_4) -> dict[str, object]:
    rules = Known("standard", 0, rows).rules(tenant_id, day)
    return {"profile": rules.profile, **rules.changed}


def test_the_numbers_are_those_of_the_two_profiles() -> None:
    for place, name in enumerate(("standard", "reference")):
        (own,) = [profile for profile in PROFILES.values() if profile.name == name]
        assert {number: getattr(own, number) for number in NUMBERS} == {
            number: both[place] for number, both in NUMBERS.items()
        }
    assert {*NUMBERS} == {*Profile.__dataclass_fields__} - {"name"}


def test_a_rule_of_the_tenant_wins_over_one_of_everyone_however_new() -> None:
    own = rule("spike_pct", 150, since="2026-01-01T00:00:00Z", tenant_id="acme")
    all_newer = rule("spike_pct", 160, since="2026-02-01T00:00:00Z")
    assert rules_of(own, all_newer) == {"profile": "standard", "spike_pct": 150}
    assert rules_of(own, all_newer, tenant_id="globex") == {"profile": "standard", "spike_pct": 160}


def test_the_newest_before_the_windows_end_counts_and_of_equals_the_last() -> None:
    always, early = rule("spike_pct", 150), rule("spike_pct", 160, since="2026-03-04T23:59:59.999999Z")
    late, again = rule("spike_pct", 170, since="2026-03-05T00:00:00Z"), rule("spike_pct", 180)
    assert rules_of(early, late, always)["spike_pct"] == 160
    assert rules_of(early, late, always, day=MARCH_4 + 1)["spike_pct"] == 170
    assert rules_of(always, again)["spike_pct"] == 180
    assert rules_of(again, always)["spike_pct"] == 150


def test_a_profile_resets_nothing_and_a_number_of_the_profile_is_no_change() -> None:
    rows = [rule("spike_pct", 150), rule("profile", "reference", since="2026-03-01T00:00:00Z"), rule("drift_pct", 125)]
    assert rules_of(*rows) == {"profile": "reference", "spike_pct": 150}
    assert rules_of(rows[1], rule("alone_pct", 300)) == {"profile": "reference", "alone_pct": 300}


@pytest.mark.parametrize(
    "name, value, fires",
    [
        ("alone_pct", 350, True),
        ("alone_pct", 351, True),  # still 2.0 x and $25
        ("alone_excess_cents", 2_501, True),  # still 3.0 x
        ("alone_pct", 0, False),  # never at once
        ("spike_pct", 350, True),
        ("spike_pct", 351, False),
        ("excess_min_cents", 2_501, False),
        ("excess_min_cents", 2_500, True),
        ("consecutive_days", 1, True),
    ],
)
def test_every_number_of_the_spikes_is_a_setting(name: str, value: int, fires: bool) -> None:
    assert bool(evaluate(SPIKE, settings=[rule(name, value)]).facts) is fires


def test_the_threshold_follows_the_numbers() -> None:
    def threshold(**numbers: int) -> int:
        (fact,) = evaluate(SPIKE, settings=[rule(name, value) for name, value in numbers.items()]).facts
        return int(fact["threshold_pct"])

    assert threshold() == 200
    assert threshold(alone_pct=320) == 220
    assert threshold(alone_pct=351, alone_excess_pct=210) == 110
    assert threshold(consecutive_days=1, spike_pct=160) == 60


def test_few_baseline_days_need_their_own_numbers() -> None:
    two = series("2026-02-28", ["1000"] * 2 + [None, "3500"])
    assert evaluate(two).facts
    for name, value in {"few_days_pct": 351, "few_days_excess_cents": 2_501, "baseline_days_min": 3}.items():
        assert bool(evaluate(two, settings=[rule(name, value)]).facts) is (name == "baseline_days_min")
    assert evaluate(two, settings=[rule("baseline_days_min", 2), rule("few_days_pct", 900)]).facts


def test_each_day_of_a_streak_is_flagged_by_the_rules_of_its_own_window() -> None:
    log = series("2026-02-25", ["1000"] * 5 + ["1700", "1700"])  # 2 and 3 March
    (both,) = evaluate(log).facts
    assert both["breach_count"] == 2
    strict = rule("spike_pct", 180)
    again = rule("spike_pct", 140, since="2026-03-03T00:00:00Z")
    assert evaluate(log, settings=[strict, again]).facts == []
    later = rule("spike_pct", 180, since="2026-03-04T00:00:00Z")
    assert len(evaluate(log, settings=[later]).facts) == 1


def features(log: list[LogRecord], *rows: Setting) -> list[str]:
    lines = evaluate(log, settings=rows).snapshots
    return [line["entity_id"] for line in lines if line["entity_type"] == "feature" and line["window"] == "day"]


def test_open_takes_tags_as_written_but_for_inactive_ones() -> None:
    log = series("2026-03-04", ["1"], feature_tag="a.b")
    assert features(log) == ["a.b"]
    assert features(log, tag("a.b")) == ["a.b"]
    assert features(log, tag("a.b", active=False)) == ["unclassified"]
    assert features(log, tag("a.b", active=False), tag("a.b")) == ["a.b"]
    assert features(series("2026-03-04", ["1"]), tag("a.b", active=False)) == []


def test_registered_takes_active_registered_tags_alone() -> None:
    log = series("2026-03-04", ["1"], feature_tag="a.b")
    registered = rule("feature_tags", "registered")
    assert features(log, registered) == ["unclassified"]
    assert features(log, registered, tag("other")) == ["unclassified"]
    assert features(log, registered, tag("a.b")) == ["a.b"]
    assert features(log, registered, rule("feature_tags", "open", tenant_id="acme")) == ["a.b"]
    assert features(series("2026-03-04", ["1"]), registered) == []


def test_tags_are_in_force_by_the_time_of_the_record() -> None:
    log = series("2026-03-04", ["1"], feature_tag="a")
    assert features(log, tag("a", active=False, since="2026-03-04T12:00:00Z")) == ["unclassified"]
    assert features(log, tag("a", active=False, since="2026-03-04T12:00:00.000001Z")) == ["a"]
    assert features(log, rule("feature_tags", "registered", since="2026-03-04T12:00:00Z")) == ["unclassified"]
    assert features(log, rule("feature_tags", "registered", since="2026-03-04T12:00:00.000001Z")) == ["a"]


def test_a_tag_known_too_late_changes_nothing_of_what_is_counted() -> None:
    log = [*series("2026-03-04", ["1"], feature_tag="a"), record("2026-03-04T13:00:00Z", "2", feature_tag="a")]
    row = tag("a", active=False, since="2026-03-04T00:00:00Z", known_before={0: 1})
    lines = evaluate(log, settings=[row]).snapshots
    costs = {line["entity_id"]: line["cost_nanousd"] for line in lines if line["entity_type"] == "feature"}
    assert costs == {"a": 10**7, "unclassified": 2 * 10**7}


def test_copies_are_compared_as_they_were_written() -> None:
    log = [record("2026-03-04T12:00:00Z", "1", feature_tag=name) for name in ("a", "b")]
    outcome = evaluate(log, settings=[tag("a", active=False), tag("b", active=False)])
    assert outcome.summary["conflicting"] == 1


def test_rows_of_every_kind_before_the_windows_end_count_in_its_revisions() -> None:
    rows = [
        tag("x", active=False),
        rule("day_low_pct", 900),
        rule("drift_pct", 900, tenant_id="acme"),
        rule("drift_pct", 900, tenant_id="globex"),
        budget(("user", "nobody"), is_active=False, since="2026-03-03T23:00:00Z"),
        budget(("user", "nobody"), since="2026-03-04T00:00:00Z"),
    ]
    (fact,) = evaluate(SPIKE, settings=rows).facts
    assert fact["revision"] == 2 * (5 + 4)


def test_a_rule_that_becomes_known_judges_the_open_windows_again() -> None:
    log = [*SPIKE, record("2026-03-03T13:00:00Z", "1")]
    row = rule("spike_pct", 400, since="2026-03-03T13:00:00Z", known_before={0: 5})
    told = revisions(log, settings=[row])
    assert [(one.at, one.line["status"]) for one in told] == [
        (("record", 4), "provisional"),
        (("settings", 5), "withdrawn"),
    ]
    assert (told[1].line["breach_count"], told[1].line["streak_start"][:10]) == (0, "2026-03-03")
    assert told[1].line["rules"]["changed"] == {"spike_pct": 400}


def test_a_partition_learns_of_a_row_at_its_own_offset() -> None:
    elsewhere = rule("spike_pct", 400, known_before={1: 0})
    assert evaluate(SPIKE, settings=[elsewhere]).facts == []  # partition 0 is not named: it knows it from its start
    assert evaluate(SPIKE, settings=[replace(elsewhere, known_before={0: 5})], close_all=True).facts[0]["status"] == (
        "withdrawn"
    )
