"""When facts are an incident: the gate, the triggers, silence, days of one run, withdrawals."""

import dataclasses
import json
from pathlib import Path

import pytest
from incidents import Fact, Incident, Rule, decide, incident_id, incident_of

from engines.cost.rules import AnomalyType
from tests.docs.documents import blocks
from tests.examples.facts import fact, value

NO_RULES: list[Rule] = []


def opened(*facts: Fact) -> Incident:
    decided = decide(None, facts, NO_RULES)
    assert decided is not None
    assert decided[0] == "opened"
    return decided[1]


def test_a_high_fact_is_an_incident_that_says_what_the_reference_says() -> None:
    incident = opened(fact())
    assert incident == Incident(
        incident_id=incident_id("ep_1"),
        episode_id="ep_1",
        part_of=None,
        tenant_id="acme",
        trigger="cost_spike",
        severity="high",
        impact_scope="tenant",
        entity_id="acme",
        derived_cause="RETRY_LOOP",
        message="ABSOLUTE_SPIKE: tenant acme spent 280.4% above its daily baseline, 1 day",
        first_day="2025-09-09",
        last_day="2025-09-09",
        provisional=False,
        cost_delta_cents=5071 - 1333,
    )
    fixed = (incident.status, incident.lifecycle, incident.source_type, incident.category, incident.cause_type)
    assert fixed == ("open", "ACTIVE", "cost_anomaly", "COST_ANOMALY", "SYSTEM")
    assert incident.affected_count == 1


def test_the_fact_that_the_contract_shows_is_an_incident() -> None:
    shown = [json.loads(block.text) for block in blocks(Path("docs/contract.md"), "json")]
    (published,) = [one for one in shown if "observed_at" in one]
    assert opened(Fact.read(json.dumps(published).encode())).cost_delta_cents == 3738


@pytest.mark.parametrize("severity", ["MEDIUM", "LOW"])
def test_what_is_less_than_high_is_none(severity: str) -> None:
    assert decide(None, [fact(severity=severity)], NO_RULES) is None


def test_critical_passes_the_gate() -> None:
    assert opened(fact(severity="CRITICAL")).severity == "critical"


@pytest.mark.parametrize(
    "anomaly_type, trigger",
    [
        ("BUDGET_EXCEEDED", "budget_breach"),
        ("ABSOLUTE_SPIKE", "cost_spike"),
        ("SUSTAINED_DRIFT", "cost_drift"),
        ("BUDGET_WARNING", "budget_warning"),
        ("TENANT_SPIKE", "cost_spike"),
        ("DRIFT", "cost_drift"),
        ("A_TYPE_TO_COME", "cost_anomaly"),
    ],
)
def test_each_type_has_its_trigger(anomaly_type: str, trigger: str) -> None:
    assert opened(fact(anomaly_type=anomaly_type)).trigger == trigger


def test_every_type_that_is_published_as_a_fact_has_a_trigger_of_its_own() -> None:
    facts = [one.value for one in AnomalyType if one.value.isupper() and one.value != "UNPRICED_USAGE"]
    assert len({opened(fact(anomaly_type=one)).trigger for one in facts} - {"cost_anomaly"}) == len(facts) == 4


def test_a_rule_silences_one_type_or_all_of_its_tenant_alone() -> None:
    spike = [fact()]
    assert incident_of(spike, [Rule("acme", "severity >= HIGH and COST_ANOMALY_ABSOLUTE_SPIKE")]) is None
    assert incident_of(spike, [Rule("acme", "COST_ANOMALY")]) is None
    for other in (
        Rule("acme", "COST_ANOMALY_SUSTAINED_DRIFT"),
        Rule("acme", "COST_ANOMALY", is_active=False),
        Rule("globex", "COST_ANOMALY"),
        Rule("acme", "NO_COST_ANOMALY"),
    ):
        assert incident_of(spike, [other]) is not None


def test_days_of_one_run_are_one_incident_with_the_sum_of_what_they_cost_too_much() -> None:
    days = [
        fact(anomaly_id="ca_2", window_start="2025-09-10T00:00:00Z", current_value_cents=3000, status="provisional"),
        fact(),
    ]
    incident = opened(*days)
    assert (incident.first_day, incident.last_day, incident.provisional) == ("2025-09-09", "2025-09-10", True)
    assert incident.cost_delta_cents == (5071 - 1333) + (3000 - 1333)


def test_an_incident_of_a_user_names_that_of_the_tenant() -> None:
    assert opened(fact(entity_type="user", tenant_episode_id="ep_9", episode_id="ep_5")).part_of == incident_id("ep_9")


def test_a_withdrawal_resolves_and_a_later_revision_reopens_the_same_incident() -> None:
    first = opened(fact())
    gone = decide(first, [fact(status="withdrawn")], NO_RULES)
    assert gone is not None
    assert (gone[0], gone[1].status, gone[1].lifecycle) == ("resolved", "resolved", "RESOLVED")
    assert (gone[1].resolution, gone[1].incident_id) == ("withdrawn", first.incident_id)
    assert decide(gone[1], [fact(status="withdrawn")], NO_RULES) is None
    assert decide(gone[1], [fact()], NO_RULES) == ("reopened", first)


def test_one_withdrawn_day_of_two_leaves_the_other() -> None:
    both = [fact(), fact(anomaly_id="ca_2", window_start="2025-09-10T00:00:00Z")]
    decided = decide(opened(*both), [both[0], dataclasses.replace(both[1], status="withdrawn")], NO_RULES)
    assert decided == ("updated", opened(both[0]))


def test_a_fact_that_is_no_longer_high_resolves_and_the_reason_is_kept() -> None:
    decided = decide(opened(fact()), [fact(severity="MEDIUM")], NO_RULES)
    assert decided is not None
    assert (decided[0], decided[1].resolution) == ("resolved", "severity is medium")


def test_nothing_is_told_twice() -> None:
    assert decide(opened(fact()), [fact()], NO_RULES) is None


def test_the_withdrawal_of_a_removed_budget_has_no_expected_amount() -> None:
    assert fact(expected_value_cents=None, status="withdrawn").expected_cents == 0


@pytest.mark.parametrize("bad", [b"", b"{", b"[]", b"null", b"{}", value()[:-2], b"\xff"])
def test_what_is_no_fact_is_a_value_error(bad: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        Fact.read(bad)
