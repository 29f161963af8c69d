"""What the topics told: facts, feedback and predictions as their readers hold them, and the dead letters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypeVar

import msgspec

from engines.cost.anomalies import FACTS_TOPIC
from engines.runs.lines import FEEDBACK_TOPIC, PREDICTIONS_TOPIC
from streams.demo import notices
from streams.demo.notices import Feedback, Notice, Prediction
from streams.fates import DEAD_LETTERS

TOPICS: Final = (FACTS_TOPIC, FEEDBACK_TOPIC, PREDICTIONS_TOPIC, DEAD_LETTERS)


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


News = Fact | Feedback | Prediction | DeadLetter
"""What a message tells."""

_Told = TypeVar("_Told", Fact, Notice)

_read_fact = msgspec.json.Decoder(Fact).decode
_read_dead = msgspec.json.Decoder(DeadLetter).decode
_read_feedback = msgspec.json.Decoder(Feedback).decode
_read_prediction = msgspec.json.Decoder(Prediction).decode


@dataclass(slots=True)
class Board:
    """Everything read so far; ``messages`` counts it by topic.

    Attributes:
        facts, notices: by id, each in its highest revision.
        lines: those of the notices, as they were told.
        statuses: every status a notice was told with, one after another.
    """

    facts: dict[str, Fact] = field(default_factory=dict)
    notices: dict[str, Notice] = field(default_factory=dict)
    lines: dict[str, bytes] = field(default_factory=dict)
    statuses: dict[str, list[str]] = field(default_factory=dict)
    dead: list[DeadLetter] = field(default_factory=list)
    messages: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TOPICS, 0))

    def take(self, topic: str, value: bytes | None) -> News | None:
        """Take a message in; return what is new by it: of each id the highest revision counts."""
        self.messages[topic] += 1
        value = value or b""
        if topic == DEAD_LETTERS:
            letter = _read_dead(value)
            self.dead.append(letter)
            return letter
        if topic == FACTS_TOPIC:
            fact = _read_fact(value)
            return fact if _is_news(self.facts, fact.anomaly_id, fact) else None
        notice = _read_feedback(value) if topic == FEEDBACK_TOPIC else _read_prediction(value)
        if not _is_news(self.notices, notice.identifier, notice):
            return None
        self.lines[notice.identifier] = value
        self.statuses.setdefault(notice.identifier, []).append(notice.status)
        return notice

    def in_order(self) -> list[Fact]:
        """Return the facts by day, tenant and entity, a tenant's own first."""
        return sorted(self.facts.values(), key=_order)

    def notices_in_order(self) -> list[Notice]:
        """Return what was told of runs by worker, kind and time."""
        return sorted(self.notices.values(), key=notices.order)


def _is_news(held: dict[str, _Told], identifier: str, told: _Told) -> bool:
    """Take *told* in if it is newer than what is *held* of it, as the last one."""
    before = held.get(identifier)
    if before is not None and before.revision >= told.revision:
        return False
    held.pop(identifier, None)  # so that the newest comes last
    held[identifier] = told
    return True


def _order(fact: Fact) -> tuple[object, ...]:
    return (fact.day, fact.tenant_id, fact.entity_type != "tenant", fact.entity_type, fact.entity_id)
