"""Anomaly lines and the facts made of them: ids, revisions, percentages (CONTRACT §5).

Every value is a function of the tenant's records in the window and its baseline, so a line has one content per
(id, revision), whatever the order, batching or duplication that led to it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

import msgspec

from engines.core.model import Outgoing, TableRow
from engines.core.tables import ANOMALIES
from engines.core.time import US_PER_DAY, format_day, format_instant, parse_instant
from engines.cost.rules import RULES_VERSION, AnomalyType, DerivedCause, Profile

FACTS_TOPIC: Final = "cost-anomaly-facts"
FACT_TYPE: Final = "cost-anomaly-fact"
SOURCE: Final = "outlay/cost"
NANOUSD_PER_CENT: Final = 10_000_000

PROVISIONAL: Final = "provisional"
FINAL: Final = "final"
WITHDRAWN: Final = "withdrawn"

_encode = msgspec.json.Encoder(order="sorted").encode


def _hash_id(prefix: str, *parts: str | None) -> str:
    return prefix + hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:16]


def anomaly_id(
    tenant_id: str, kind: str, entity_type: str, entity_id: str, window_start: str, period: str | None
) -> str:
    """Return the id that names one anomaly for ever (CONTRACT §5); *window_start* as ``YYYY-MM-DDT00:00:00Z``."""
    return _hash_id("ca_", tenant_id, kind, entity_type, entity_id, window_start, period)


def episode_id(
    tenant_id: str, kind: str, entity_type: str, entity_id: str, streak_start: str, period: str | None
) -> str:
    """Return the id that the days of one unbroken streak share: one incident for a bridge (CONTRACT §6)."""
    return _hash_id("ep_", tenant_id, kind, entity_type, entity_id, streak_start, period)


def cut_pct(numerator: int, denominator: int) -> float:
    """Return ``numerator / denominator`` as a percentage, cut toward zero to two decimals.

    >>> cut_pct(1, 3), cut_pct(-1, 3), cut_pct(1, 2)
    (33.33, -33.33, 50.0)
    """
    hundredths = abs(numerator) * 10_000 // denominator
    return (-hundredths if numerator < 0 else hundredths) / 100


@dataclass(frozen=True, slots=True)
class Rules:
    """By which rules a line was judged: the profile, and what was changed from it."""

    profile: Profile

    def line(self) -> dict[str, object]:
        """Return the ``rules`` member of an anomaly line."""
        return {"profile": self.profile.name.value, "version": RULES_VERSION, "changed": {}}


@dataclass(frozen=True, slots=True)
class Spike:
    """An ABSOLUTE_SPIKE of one entity on one day, as it stands.

    Attributes:
        current: the day's total, nano-USD.
        base, base_days: sum over active baseline days, and how many.
        streak_start: first day of the run of breach days, *day* itself when it stands alone.
        threshold_pct: of the line it crossed, in the unit of the deviation.
        tenant_streak_start: of the tenant's own spike in the window, None when there is none.
        records: the tenant's distinct records in D-29 … D.
        newest_us: the tenant's greatest event time in the window.
        closed: the day is closed; part of the revision.
    """

    tenant_id: str
    entity_type: str
    entity_id: str
    day: int
    current: int
    base: int
    base_days: int
    streak_start: int
    threshold_pct: int
    tenant_streak_start: int | None
    unpriced_requests: int
    records: int
    newest_us: int
    severity: str
    cause: DerivedCause
    closed: bool


def spike_line(spike: Spike, status: str, rules: Rules) -> dict[str, object]:
    """Return the anomaly line of *spike* (CONTRACT §5)."""
    kind = AnomalyType.ABSOLUTE_SPIKE.value
    start, streak = format_day(spike.day), format_day(spike.streak_start)
    who = (spike.tenant_id, kind, spike.entity_type, spike.entity_id)
    tenant_episode = None
    if spike.entity_type != "tenant" and spike.tenant_streak_start is not None:
        tenant_start = format_day(spike.tenant_streak_start)
        tenant_episode = episode_id(spike.tenant_id, kind, "tenant", spike.tenant_id, tenant_start, None)
    excess = spike.current * spike.base_days - spike.base
    breaches = spike.day - spike.streak_start + 1
    return {
        "anomaly_id": anomaly_id(*who, start, None),
        "tenant_id": spike.tenant_id,
        "anomaly_type": kind,
        "severity": spike.severity,
        "entity_type": spike.entity_type,
        "entity_id": spike.entity_id,
        "window_start": start,
        "window_end": format_day(spike.day + 1),
        "period": None,
        "current_nanousd": spike.current,
        "expected_nanousd": spike.base // spike.base_days,
        "deviation_pct": cut_pct(excess, spike.base),
        "threshold_pct": spike.threshold_pct,
        "breach_count": breaches,
        "streak_start": streak,
        "episode_id": episode_id(*who, streak, None),
        "derived_cause": spike.cause.value,
        "cause_evidence": None,
        "unpriced_requests": spike.unpriced_requests,
        "restated": False,
        "tenant_episode_id": tenant_episode,
        "message": _message(spike, excess, breaches),
        "metadata": {},
        "rules": rules.line(),
        "budget": None,
        "status": status,
        "revision": 2 * spike.records + spike.closed,
    }


def _message(spike: Spike, excess: int, breaches: int) -> str:
    tenths = abs(excess) * 1000 // spike.base
    days = "1 day" if breaches == 1 else f"{breaches} consecutive days"
    return (
        f"ABSOLUTE_SPIKE: {spike.entity_type} {spike.entity_id} spent {tenths // 10}.{tenths % 10}% "
        f"above its daily baseline, {days}"
    )


def fact(line: dict[str, object], observed_us: int) -> dict[str, object]:
    """Return the CostAnomalyFact of *line* (CONTRACT §5)."""
    return {
        **line,
        "current_value_cents": _cents(line["current_nanousd"]),
        "expected_value_cents": _cents(line["expected_nanousd"]),
        "confidence": 1.0,
        "observed_at": format_instant(observed_us),
    }


def _cents(nanousd: object) -> int | None:
    return nanousd // NANOUSD_PER_CENT if isinstance(nanousd, int) else None


def observed_us(spike: Spike, status: str) -> int:
    """Return the fact's ``observed_at``: the window's end when final, else the newest event (CONTRACT §5)."""
    return (spike.day + 1) * US_PER_DAY if status == FINAL else spike.newest_us


def fact_message(told: dict[str, object]) -> Outgoing:
    """Return *told*, a fact, as the message that is published: partitioned by tenant, keyed by anomaly id."""
    identifier, when = str(told["anomaly_id"]), str(told["observed_at"])
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", f"{identifier}:{told['revision']}".encode()),
        ("ce_source", SOURCE.encode()),
        ("ce_type", FACT_TYPE.encode()),
        ("ce_time", when.encode()),
        ("content-type", b"application/json"),
    ]
    return Outgoing(FACTS_TOPIC, identifier.encode(), _encode(told), headers, str(told["tenant_id"]).encode())


def anomaly_row(line: dict[str, object]) -> TableRow:
    """Return the projection row of an anomaly line."""
    times = ("window_start", "window_end")
    return TableRow(
        ANOMALIES.name,
        tuple(
            _encode(line).decode()
            if column.name == "line"
            else parse_instant(str(line[column.name]))
            if column.name in times
            else line[column.name]
            for column in ANOMALIES.columns
        ),
    )
