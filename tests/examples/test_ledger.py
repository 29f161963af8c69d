"""The bridge's memory: in any order, with copies and restarts, the same incidents stand."""

import dataclasses
import random
from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from incidents import Change, Fact, Incident, Rule, incident_of
from ledger import Ledger

from tests.examples.facts import fact

RULES = [Rule("acme", "COST_ANOMALY_BUDGET_WARNING")]
FOLLOWS: dict[Change, set[Change]] = {
    "opened": {"updated", "resolved"},
    "updated": {"updated", "resolved"},
    "resolved": {"reopened"},
    "reopened": {"updated", "resolved"},
}


@st.composite
def contents(draw: st.DrawFn, anomaly: int, revision: int) -> Fact:
    """One revision of one anomaly; its episode may change, as when an earlier day turns out to be part of the run."""
    return fact(
        anomaly_id=f"ca_{anomaly}",
        revision=revision,
        episode_id=f"ep_{draw(st.integers(0, 2))}",
        anomaly_type=draw(st.sampled_from(["ABSOLUTE_SPIKE", "BUDGET_WARNING", "BUDGET_EXCEEDED"])),
        severity=draw(st.sampled_from(["HIGH", "HIGH", "MEDIUM"])),
        status=draw(st.sampled_from(["provisional", "final", "withdrawn"])),
        window_start=f"2025-09-0{1 + anomaly}T00:00:00Z",
        current_value_cents=draw(st.integers(0, 5)),
    )


@st.composite
def topics(draw: st.DrawFn) -> list[Fact]:
    """All revisions of a few anomalies: one content for each."""
    keys = draw(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 6)), unique=True, max_size=14))
    return [draw(contents(*key)) for key in keys]


def newest(facts: list[Fact]) -> list[Fact]:
    """Return each anomaly's highest revision."""
    found: dict[str, Fact] = {}
    for one in sorted(facts, key=lambda one: one.revision):
        found[one.anomaly_id] = one
    return list(found.values())


def standing(facts: list[Fact]) -> list[Incident]:
    """Return what must be open, by the rule alone."""
    episodes = {one.episode_id for one in newest(facts)}
    found = (incident_of([one for one in newest(facts) if one.episode_id == ep], RULES) for ep in episodes)
    return sorted((one for one in found if one), key=lambda one: one.incident_id)


def still_open(ledger: Ledger) -> list[Incident]:
    return [one for one in ledger.incidents() if one.status == "open"]


@given(topics(), st.randoms(use_true_random=False))
def test_the_same_incidents_stand_in_any_order_and_with_copies(facts: list[Fact], dice: random.Random) -> None:
    sent = facts + dice.choices(facts, k=5) if facts else []
    dice.shuffle(sent)
    ledger = Ledger(":memory:", RULES)
    for one in sent:
        ledger.take(one)
    assert still_open(ledger) == standing(facts)
    told = list(ledger.untold())
    for episode in {incident.episode_id for _, incident in told}:
        changes = [change for change, incident in told if incident.episode_id == episode]
        assert changes[0] == "opened"
        assert all(after in FOLLOWS[before] for before, after in pairwise(changes))
    last = {incident.incident_id: incident for _, incident in told}
    assert sorted(last.values(), key=lambda one: one.incident_id) == ledger.incidents()
    ledger.close()


@given(topics())
def test_what_is_read_again_changes_nothing(facts: list[Fact]) -> None:
    ledger = Ledger(":memory:", RULES)
    for one in facts:
        ledger.take(one)
    list(ledger.untold())
    for one in facts:
        ledger.take(one)
    assert list(ledger.untold()) == []
    ledger.close()


def test_a_restart_remembers_what_was_done_and_what_was_not_told(tmp_path: Path) -> None:
    first = Ledger(tmp_path / "file")
    first.take(fact())
    first.take(fact(anomaly_id="ca_2", episode_id="ep_2"))
    changes = first.untold()
    told = next(changes)
    next(changes)  # only now does the first one count as told; the second one never does
    first.close()
    second = Ledger(tmp_path / "file")
    again = list(second.untold())
    assert (told[0], told[1].episode_id) == ("opened", "ep_1")
    assert [(change, incident.episode_id) for change, incident in again] == [("opened", "ep_2")]
    second.take(fact())
    assert list(second.untold()) == []
    second.close()


def test_an_incident_without_days_says_where_they_went(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "file")
    ledger.take(fact())
    ledger.take(fact(revision=159, episode_id="ep_0"))
    told = [(change, incident.episode_id, incident.resolution) for change, incident in ledger.untold()]
    assert sorted(told[1:]) == [
        ("opened", "ep_0", None),
        ("resolved", "ep_1", "its days are part of another episode"),
    ]
    ledger.close()


def test_a_lower_revision_is_ignored() -> None:
    ledger = Ledger(":memory:")
    ledger.take(fact(status="withdrawn"))
    ledger.take(dataclasses.replace(fact(), revision=3))
    assert ledger.incidents() == []
    ledger.close()
