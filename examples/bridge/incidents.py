"""When facts are an incident, and what it says. Nothing here reads or writes anything.

An incident is one episode: the days of an unbroken run, or one window of a budget. It is a function of the highest
revision of each fact of its episode, so it is the same in whatever order and however often facts arrive.
"""

import json
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

GATE = {"HIGH", "CRITICAL"}
TRIGGERS = {
    "ABSOLUTE_SPIKE": "cost_spike",
    "SUSTAINED_DRIFT": "cost_drift",
    "BUDGET_WARNING": "budget_warning",
    "BUDGET_EXCEEDED": "budget_breach",
    "USER_SPIKE": "cost_spike",  # these three are named by the reference's bridge, and published by nobody yet
    "TENANT_SPIKE": "cost_spike",
    "DRIFT": "cost_drift",
}
ANY_OTHER = "cost_anomaly"
_NAMESPACE = uuid.UUID("9a5b3f0e-62d5-4b0e-8f0b-3a6c1f8f2b7d")
_CONDITION = re.compile(r"\bCOST_ANOMALY(?:_(\w+))?\b")

Change = Literal["opened", "updated", "resolved", "reopened"]


@dataclass(frozen=True, slots=True)
class Fact:
    """What the bridge needs of a fact; amounts are whole cents."""

    anomaly_id: str
    revision: int
    episode_id: str
    tenant_episode_id: str | None
    tenant_id: str
    anomaly_type: str
    severity: str
    status: str
    entity_type: str
    entity_id: str
    window_start: str
    current_cents: int
    expected_cents: int
    derived_cause: str
    message: str

    @classmethod
    def read(cls, value: bytes) -> Self:
        """Return the fact in the value of a record.

        Raises:
            ValueError: it is none.
        """
        try:
            line: dict[str, Any] = json.loads(value)
            return cls(
                **{name: line[name] for name in cls.__slots__ if name not in ("current_cents", "expected_cents")},
                current_cents=line["current_value_cents"] or 0,
                expected_cents=line["expected_value_cents"] or 0,  # null: a budget that is gone
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"no fact: {error!r}") from error


@dataclass(frozen=True, slots=True)
class Rule:
    """A policy rule of a tenant; ``COST_ANOMALY`` in its conditions silences all types, ``COST_ANOMALY_<type>`` one."""

    tenant_id: str
    conditions: str
    is_active: bool = True

    def silences(self, fact: Fact) -> bool:
        """Return whether *fact* opens no incident because of this."""
        types = {match.group(1) for match in _CONDITION.finditer(self.conditions)}
        return self.is_active and self.tenant_id == fact.tenant_id and not types.isdisjoint({None, fact.anomaly_type})


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident as an incident tool would keep it.

    Attributes:
        part_of: the incident of the tenant's own anomaly of that kind and time, if it has one: tell of that first.
        provisional: the day it ends on is still open, so that amounts grow.
        cost_delta_cents: spent beyond what was expected, over all its days.
        resolution: why it is resolved.
    """

    incident_id: str
    episode_id: str
    part_of: str | None
    tenant_id: str
    trigger: str
    severity: str
    impact_scope: str
    entity_id: str
    derived_cause: str
    message: str
    first_day: str
    last_day: str
    provisional: bool
    cost_delta_cents: int
    status: Literal["open", "resolved"] = "open"
    lifecycle: str = "ACTIVE"
    resolution: str | None = None
    source_type: str = "cost_anomaly"
    category: str = "COST_ANOMALY"
    cause_type: str = "SYSTEM"
    affected_count: int = 1


def incident_id(episode_id: str) -> str:
    """Return the id of the one incident of an episode."""
    return str(uuid.uuid5(_NAMESPACE, episode_id))


def incident_of(facts: Sequence[Fact], rules: Sequence[Rule]) -> Incident | None:
    """Return the incident that *facts*, all of one episode, each in its highest revision, amount to; None: none."""
    standing = [one for one in facts if _why_not(one, rules) is None]
    if not standing:
        return None
    days = sorted(standing, key=lambda fact: (fact.window_start, fact.anomaly_id))
    last = days[-1]
    return Incident(
        incident_id=incident_id(last.episode_id),
        episode_id=last.episode_id,
        part_of=incident_id(last.tenant_episode_id) if last.tenant_episode_id else None,
        tenant_id=last.tenant_id,
        trigger=TRIGGERS.get(last.anomaly_type, ANY_OTHER),
        severity=last.severity.lower(),
        impact_scope=last.entity_type or "tenant",
        entity_id=last.entity_id,
        derived_cause=last.derived_cause,
        message=last.message,
        first_day=days[0].window_start[:10],
        last_day=last.window_start[:10],
        provisional=last.status == "provisional",
        cost_delta_cents=sum(one.current_cents - one.expected_cents for one in days),
    )


def decide(known: Incident | None, facts: Sequence[Fact], rules: Sequence[Rule]) -> tuple[Change, Incident] | None:
    """Return what becomes of the incident of an episode, None when nothing does.

    Args:
        known: the incident as it was told last.
        facts: all facts of the episode, each in its highest revision.
    """
    now = incident_of(facts, rules)
    if now is None:
        if known is None or known.status == "resolved":
            return None
        reasons = sorted({_why_not(one, rules) or "" for one in facts}) or ["its days are part of another episode"]
        return "resolved", replace(
            known, status="resolved", lifecycle="RESOLVED", provisional=False, resolution=", ".join(reasons)
        )
    if known == now:
        return None
    if known is None:
        return "opened", now
    return ("reopened" if known.status == "resolved" else "updated"), now


def _why_not(fact: Fact, rules: Sequence[Rule]) -> str | None:
    if fact.status == "withdrawn":
        return "withdrawn"
    if fact.severity.upper() not in GATE:
        return f"severity is {fact.severity.lower()}"
    return "silenced by a policy rule" if any(rule.silences(fact) for rule in rules) else None
