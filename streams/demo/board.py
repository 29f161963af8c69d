"""What the topics told: the facts as a reader of ``cost-anomaly-facts`` holds them, and the dead letters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import msgspec

from engines.core.money import NANOUSD_PER_USD
from engines.cost.anomalies import FACTS_TOPIC
from streams.fates import DEAD_LETTERS

TOPICS: Final = (FACTS_TOPIC, DEAD_LETTERS)


class Fact(msgspec.Struct, frozen=True):
    """One anomaly as last told: what is shown of a fact (CONTRACT §5)."""

    anomaly_id: str
    revision: int
    anomaly_type: str
    tenant_id: str
    entity_type: str
    entity_id: str
    window_start: str
    severity: str
    current_nanousd: int | None
    expected_nanousd: int | None
    deviation_pct: float
    breach_count: int
    status: str

    @property
    def day(self) -> str:
        """The day it is about, ``YYYY-MM-DD``."""
        return self.window_start[:10]

    @property
    def cells(self) -> tuple[str, ...]:
        """The fact as the columns of ``HEAD``."""
        return (
            self.day,
            self.tenant_id,
            f"{self.entity_type} {self.entity_id}",
            self.severity,
            usd(self.current_nanousd or 0),
            usd(self.expected_nanousd or 0),
            f"{self.deviation_pct:+.0f} %",
            "1 day" if self.breach_count == 1 else f"{self.breach_count} days",
            self.status,
        )


HEAD: Final = ("day", "tenant", "who", "severity", "spent", "expected", "deviation", "streak", "status")
NUMBERS: Final = ("spent", "expected", "deviation")


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
        """Return the facts by day, tenant and entity."""
        return sorted(
            self.facts.values(), key=lambda fact: (fact.day, fact.tenant_id, fact.entity_type, fact.entity_id)
        )


def usd(nanousd: int) -> str:
    """Return money for people, cut to cents."""
    return f"${nanousd // (NANOUSD_PER_USD // 100) / 100:,.2f}"
