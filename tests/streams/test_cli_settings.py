"""``outlay rules``, ``budgets`` and ``tags`` on a real PostgreSQL."""

from typing import Any

import pytest

from engines.core.time import US_PER_SECOND, parse_instant
from streams.cli.settings_shared import now_us
from tests.streams.commands import Outlay, Ran, listed, run


def rule(ran: Ran, name: str) -> dict[str, Any]:
    (found,) = (one for one in listed(ran) if one["name"] == name)
    return found


def test_a_budget_is_set_listed_changed_and_removed(outlay: Outlay) -> None:
    daily = outlay("budgets", "set", "--tenant", "acme", "--type", "tenant", "--daily-usd", "250")
    assert daily.code == 0
    assert daily.out.startswith("budget of acme: $250.00 a day, no limit a month, warns at 80 %\nin force from 2")
    of_feature = ("--tenant", "acme", "--type", "feature", "--entity", "triage")
    assert outlay("budgets", "set", *of_feature, "--monthly-cents", "9900", "--warn", "90").code == 0
    table = outlay("budgets", "list").out.splitlines()
    assert [line.split()[:3] for line in table] == [
        ["tenant", "type", "entity"],
        ["acme", "feature", "triage"],
        ["acme", "tenant", "acme"],
    ]
    feature, tenant = listed(outlay("budgets", "list", "--tenant", "acme", "--json"))
    assert (feature["monthly_limit_cents"], feature["daily_limit_cents"], feature["warn_threshold_pct"]) == (
        9900,
        None,
        90,
    )
    assert (tenant["daily_limit_cents"], tenant["entity_id"], tenant["in_force"]) == (25_000, "acme", True)
    removed = outlay("budgets", "remove", *of_feature)
    assert removed.out.startswith("budget of acme, feature triage: removed\nin force from 2")
    assert [one["budget_type"] for one in listed(outlay("budgets", "list", "--json"))] == ["tenant"]
    again = outlay("budgets", "remove", *of_feature)
    assert (again.code, "no budget of acme, feature triage" in again.err) == (2, True)


def test_a_budget_that_is_to_come_is_told_and_takes_over_from_one_written_later(outlay: Outlay) -> None:
    acme = ("--tenant", "acme", "--type", "tenant")
    future = outlay("budgets", "set", *acme, "--daily-usd", "7", "--effective-from", "2999-01-01T00:00:00Z")
    assert "in force from 2999-01-01T00:00:00Z" in future.out
    now = outlay("budgets", "set", *acme, "--daily-usd", "5")
    assert "from 2999-01-01T00:00:00Z another row takes over: budget of acme: $7.00 a day" in now.out
    shown = outlay("budgets", "list").out
    assert "$5.00" in shown.splitlines()[1]
    assert "from 2999-01-01T00:00:00Z: budget of acme: $7.00 a day" in shown
    told = [(one["daily_limit_cents"], one["in_force"]) for one in listed(outlay("budgets", "list", "--json"))]
    assert told == [(500, True), (700, False)]


@pytest.mark.parametrize(
    "arguments, told",
    [
        (("--type", "tenant"), "a budget needs a limit"),
        (("--type", "tenant", "--daily-usd", "0"), "a budget needs a limit"),
        (("--type", "feature", "--daily-usd", "1"), "--entity"),
        (("--type", "tenant", "--entity", "other", "--daily-usd", "1"), "entity_id of a tenant's budget is"),
        (("--type", "tenant", "--daily-usd", "0.001"), "finer than a cent"),
        (("--type", "tenant", "--daily-usd", "-1"), "not an amount"),
        (("--type", "tenant", "--daily-usd", "1e3"), "not an amount"),
        (("--type", "tenant", "--monthly-usd", "1", "--monthly-cents", "1"), "exclude each other"),
        (("--type", "tenant", "--daily-usd", "1", "--warn", "0"), "--warn"),
        (("--type", "team", "--daily-usd", "1"), "--type"),
        (("--type", "tenant", "--daily-usd", "1", "--effective-from", "tomorrow"), "--effective-from"),
    ],
)
def test_a_budget_that_makes_no_sense_is_refused(outlay: Outlay, arguments: tuple[str, ...], told: str) -> None:
    ran = outlay("budgets", "set", "--tenant", "acme", *arguments)
    assert ran.code == 2
    assert told in " ".join(ran.err.split())
    assert "Traceback" not in ran.err
    assert listed(outlay("budgets", "list", "--json")) == []


def test_dollars_are_read_exactly(outlay: Outlay) -> None:
    limits = ("--daily-usd", "0.290", "--monthly-usd", "1234567.8")
    assert outlay("budgets", "set", "--tenant", "acme", "--type", "user", "--entity", "ana", *limits).code == 0
    (found,) = listed(outlay("budgets", "list", "--json"))
    assert (found["daily_limit_cents"], found["monthly_limit_cents"]) == (29, 123_456_780)


def test_rules_come_from_the_profile_until_rows_say_otherwise(outlay: Outlay) -> None:
    everyone = outlay("rules", "list", "--json")
    assert rule(everyone, "profile") == {
        "name": "profile",
        "value": "standard",
        "row_of": None,
        "effective_from": None,
        "later": [],
    }
    assert rule(everyone, "excess_min_cents")["value"] == 500
    assert outlay("rules", "set", "profile", "reference").code == 0
    assert outlay("rules", "set", "spike_pct", "160").code == 0
    own = outlay("rules", "set", "spike_pct", "180", "--tenant", "acme")
    assert own.out.startswith("rule spike_pct of acme: 180\nin force from 2")
    everyone, acme = outlay("rules", "list", "--json"), outlay("rules", "list", "--tenant", "acme", "--json")
    assert (rule(everyone, "spike_pct")["value"], rule(everyone, "spike_pct")["row_of"]) == (160, "*")
    assert (rule(acme, "spike_pct")["value"], rule(acme, "spike_pct")["row_of"]) == (180, "acme")
    assert (rule(acme, "excess_min_cents")["value"], rule(acme, "profile")["row_of"]) == (0, "*")
    table = outlay("rules", "list", "--tenant", "acme").out
    lines = {line.split()[0]: " ".join(line.split()[1:5]) for line in table.splitlines()}
    assert lines["spike_pct"] == "180 row of acme"
    assert lines["profile"] == "reference every tenant's row"
    assert lines["drift_pct"] == "125 profile reference -"


@pytest.mark.parametrize(
    "arguments, told",
    [
        (("spike_pc", "150"), "name is no rule; spike_pct?"),
        (("spike_pct", "1.5"), "value is not an integer (it is '1.5')"),
        (("spike_pct", "40"), "value is not between 100 and 1000000 (it is 40)"),
        (("profile", "strict"), "value is not standard or reference"),
        (("feature_tags", "closed"), "value is not open or registered"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(outlay: Outlay, arguments: tuple[str, str], told: str) -> None:
    ran = outlay("rules", "set", *arguments)
    assert ran.code == 2
    assert told in ran.err
    assert ran.err.count("\n") == 1


def test_what_goes_by_the_time_of_records_is_in_force_a_little_later(outlay: Outlay) -> None:
    before = now_us()
    tag = outlay("tags", "set", "triage", "--tenant", "acme")
    mode = outlay("rules", "set", "feature_tags", "registered")
    for ran in (tag, mode):
        assert ran.code == 0
        since = parse_instant(ran.out.split("in force from ")[1].split(": ")[0])
        assert before + 30 * US_PER_SECOND <= since < before + 90 * US_PER_SECOND
        assert "records that occur then or later" in ran.out
    assert [one["in_force"] for one in listed(outlay("tags", "list", "--json"))] == [False]
    assert rule(outlay("rules", "list", "--json"), "feature_tags")["value"] == "open"
    assert "registered" in outlay("rules", "list").out.splitlines()[-1]


def test_a_tag_is_registered_renamed_deactivated_and_active_again(outlay: Outlay) -> None:
    def states() -> list[tuple[str, str, bool]]:
        found = listed(outlay("tags", "list", "--tenant", "acme", "--json"))
        return [(one["tag"], one["display_name"], one["is_active"]) for one in found]

    acme = ("--tenant", "acme", "--effective-from", "2026-01-01T00:00:00Z")
    assert outlay("tags", "set", "triage", *acme).code == 0
    assert states() == [("triage", "triage", True)]
    assert outlay("tags", "set", "triage", *acme, "--display-name", "Ticket triage").code == 0
    inactive = outlay("tags", "deactivate", "triage", *acme)
    assert "inactive, its records are unclassified" in inactive.out
    assert states() == [("triage", "Ticket triage", False)]
    assert "inactive" in outlay("tags", "list").out
    assert outlay("tags", "set", "triage", *acme).code == 0
    assert states() == [("triage", "Ticket triage", True)]
    unknown = outlay("tags", "deactivate", "drafting", *acme)
    assert (unknown.code, "outlay tags set drafting --tenant acme" in unknown.err) == (2, True)


def test_a_database_without_tables_says_what_to_do(
    database_url: str, bare: None, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    del bare
    monkeypatch.setenv("OUTLAY_DATABASE_URL", database_url)
    for command in (("rules", "list"), ("tags", "list"), ("budgets", "list"), ("rules", "set", "spike_pct", "150")):
        ran = run(capfd, *command)
        assert (ran.code, "run `outlay migrate`" in ran.err) == (2, True)


def test_nothing_set_is_said(outlay: Outlay) -> None:
    assert "outlay budgets set" in outlay("budgets", "list").out
    assert "outlay tags set" in outlay("tags", "list").out


@pytest.mark.parametrize(
    "family, commands", [("rules", "set list"), ("budgets", "set list remove"), ("tags", "set list deactivate")]
)
def test_every_command_shows_examples(capfd: pytest.CaptureFixture[str], family: str, commands: str) -> None:
    for command in commands.split():
        shown = run(capfd, family, command, "--help").out
        assert f"\n    outlay {family} {command}" in shown


def test_what_was_written_can_be_had_as_json(outlay: Outlay) -> None:
    since = ("--effective-from", "2999-01-01T00:00:00Z")
    told = [
        outlay("budgets", "set", "--tenant", "acme", "--type", "tenant", "--daily-usd", "5", *since, "--json").summary,
        outlay("rules", "set", "spike_pct", "150", *since, "--json").summary,
        outlay("tags", "set", "triage", "--tenant", "acme", *since, "--json").summary,
        outlay("tags", "deactivate", "triage", "--tenant", "acme", *since, "--json").summary,
    ]
    assert {one["effective_from"] for one in told} == {"2999-01-01T00:00:00Z"}
    assert (told[0]["daily_limit_cents"], told[1]["value"], told[2]["is_active"], told[3]["is_active"]) == (
        500,
        150,
        True,
        False,
    )
    outlay("budgets", "set", "--tenant", "acme", "--type", "tenant", "--daily-usd", "5")
    assert outlay("budgets", "remove", "--tenant", "acme", "--type", "tenant", "--json").summary["is_active"] is False
