"""What the topics told: the facts as a reader of ``cost-anomaly-facts`` holds them, and the dead letters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import msgspec

from engines.cost.anomalies import FACTS_TOPIC
from streams.fates import DEAD_LETTERS

TOPICS: Final = (FACTS_TOPIC, DEAD_LETTERS)


class Evidence(msgspec.Struct, frozen=True):
    """The numbers a cause is derived from (CONTRACT §6); the ``baseline_*`` sum ``baseline_days`` days."""

    requests: int
    retry_requests: int
    input_tokens: int
    baseline_requests: int
    baseline_retry_requests: int
    baseline_input_tokens: int
    baseline_days: int
    feature_tag: str | None = None
    feature_nanousd: int | None = None
    tagged_nanousd: int | None = None
    baseline_feature_nanousd: int | None = None
    baseline_tagged_nanousd: int | None = None


class Limit(msgspec.Struct, frozen=True):
    """The budget a fact is about, and how much of it is used."""

    limit_cents: int
    usage_pct: float


class Fact(msgspec.Struct, frozen=True):
    """One anomaly as last told: what is shown of a fact (CONTRACT §5)."""

    anomaly_id: str
    revision: int
    anomaly_type: str
    tenant_id: str
    entity_type: str
    entity_id: str
    window_start: str
    period: str | None
    severity: str
    current_nanousd: int | None
    expected_nanousd: int | None
    deviation_pct: float
    breach_count: int
    derived_cause: str
    cause_evidence: Evidence | None
    budget: Limit | None
    restated: bool
    status: str

    @property
    def day(self) -> str:
        """The first day of its window, ``YYYY-MM-DD``."""
        return self.window_start[:10]


class DeadLetter(msgspec.Struct, frozen=True):
    """A record that was refused: where it lies, which field is to blame, and why."""

    topic: str
    partition: int
    offset: int
    field: str | None
    reason: str


_read_fact = msgspec.json.Decoder(Fact).decode
_read_dead = msgspec.json.Decoder(DeadLetter).decode


@dataclass(slots=True)
class Board:
    """Everything read so far; ``messages`` counts it by topic."""

    facts: dict[str, Fact] = field(default_factory=dict)
    dead: list[DeadLetter] = field(default_factory=list)
    messages: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TOPICS, 0))

    def take(self, topic: str, value: bytes | None) -> Fact | DeadLetter | None:
        """Take a message in; return what is new by it: of each id the highest revision counts."""
        self.messages[topic] += 1
        if topic == DEAD_LETTERS:
            letter = _read_dead(value or b"")
            self.dead.append(letter)
            return letter
        fact = _read_fact(value or b"")
        held = self.facts.get(fact.anomaly_id)
        if held is not None and held.revision >= fact.revision:
            return None
        self.facts.pop(fact.anomaly_id, None)  # so that the newest comes last
        self.facts[fact.anomaly_id] = fact
        return fact

    def in_order(self) -> list[Fact]:
        """Return the facts by day, tenant and entity, a tenant's own first."""
        return sorted(self.facts.values(), key=_order)


def _order(fact: Fact) -> tuple[object, ...]:
    return (fact.day, fact.tenant_id, fact.entity_type != "tenant", fact.entity_type, fact.entity_id)
