"""Anomaly lines and the facts made of them: ids, revisions, percentages (CONTRACT §5).

Every value is a function of the tenant's records in the window and its baseline, so a line has one content per
(id, revision), whatever the order, batching or duplication that led to it.
"""

from __future__ import annotations

from typing import Final

import msgspec

from engines.core.ids import hashed_id
from engines.core.model import Outgoing, TableRow
from engines.core.money import NANOUSD_PER_CENT
from engines.core.tables import ANOMALIES
from engines.core.time import format_day, format_instant, parse_instant
from engines.cost.finding import BUDGET, DAY_LEVEL, DRIFT, UNPRICED, Finding

FACTS_TOPIC: Final = "cost-anomaly-facts"
FACT_TYPE: Final = "cost-anomaly-fact"
SOURCE: Final = "outlay/cost"

PROVISIONAL: Final = "provisional"
FINAL: Final = "final"
WITHDRAWN: Final = "withdrawn"

_encode = msgspec.json.Encoder(order="sorted").encode


def anomaly_id(
    tenant_id: str, kind: str, entity_type: str, entity_id: str, window_start: str, period: str | None
) -> str:
    """Return the id that names one anomaly for ever (CONTRACT §5); *window_start* as ``YYYY-MM-DDT00:00:00Z``."""
    return hashed_id("ca_", tenant_id, kind, entity_type, entity_id, window_start, period)


def episode_id(
    tenant_id: str, kind: str, entity_type: str, entity_id: str, streak_start: str, period: str | None
) -> str:
    """Return the id that the days of one unbroken streak share: one incident for a bridge (CONTRACT §6)."""
    return hashed_id("ep_", tenant_id, kind, entity_type, entity_id, streak_start, period)


def cut_pct(numerator: int, denominator: int) -> float:
    """Return ``numerator / denominator`` as a percentage, cut toward zero to two decimals.

    >>> cut_pct(1, 3), cut_pct(-1, 3), cut_pct(1, 2)
    (33.33, -33.33, 50.0)
    """
    hundredths = abs(numerator) * 10_000 // denominator
    return (-hundredths if numerator < 0 else hundredths) / 100


def line(
    tenant_id: str, finding: Finding, status: str, revision: int, tenant_start: int | None, *, restated: bool
) -> dict[str, object]:
    """Return the anomaly line of *finding* (CONTRACT §5).

    Args:
        tenant_start: the day the tenant's own episode of this kind began; None when it has none in the window.
        restated: it was judged after its window's close.
    """
    start, streak = format_day(finding.first_day), format_day(finding.streak_start)
    who = (tenant_id, finding.kind, finding.entity_type, finding.entity_id)
    tenant_episode = None
    if finding.entity_type != "tenant" and tenant_start is not None:
        kind = DAY_LEVEL["tenant"] if finding.kind in DAY_LEVEL.values() else finding.kind
        tenant_episode = episode_id(tenant_id, kind, "tenant", tenant_id, format_day(tenant_start), finding.period)
    return {
        "anomaly_id": anomaly_id(*who, start, finding.period),
        "tenant_id": tenant_id,
        "anomaly_type": finding.anomaly_type,
        "severity": finding.severity,
        "entity_type": finding.entity_type,
        "entity_id": finding.entity_id,
        "window_start": start,
        "window_end": format_day(finding.end_day),
        "period": finding.period,
        "current_nanousd": finding.current,
        "expected_nanousd": finding.expected,
        "deviation_pct": cut_pct(*finding.ratio) if finding.ratio[1] else 0.0,
        "threshold_pct": finding.threshold_pct,
        "breach_count": finding.breach_count,
        "streak_start": streak,
        "episode_id": episode_id(*who, streak, finding.period),
        "derived_cause": finding.cause.cause.value,
        "cause_evidence": None if finding.cause.sides is None else finding.cause.sides.evidence,
        "unpriced_requests": finding.unpriced_requests,
        "restated": restated,
        "tenant_episode_id": tenant_episode,
        "message": message(finding),
        "metadata": {},
        "rules": finding.rules.line(),
        "budget": _budget(finding),
        "status": status,
        "revision": revision,
    }


def _budget(finding: Finding) -> dict[str, object] | None:
    if finding.budget is None:
        return None
    budget, cents = finding.budget
    return {
        "limit_cents": cents,
        "warn_threshold_pct": budget.warn_threshold_pct,
        "usage_pct": cut_pct(*finding.ratio),
    }


def message(finding: Finding) -> str:
    """Return what *finding* says, in a sentence."""
    who = f"{finding.anomaly_type}: {finding.entity_type} {finding.entity_id}"
    pct = _tenths(*finding.ratio)
    if finding.kind == BUDGET:
        return f"{who} spent {pct}% of its {finding.period} budget"
    if finding.kind == UNPRICED:
        return f"{who}: {pct}% of its requests have no known price"
    days = "1 day" if finding.breach_count == 1 else f"{finding.breach_count} consecutive days"
    if finding.kind == DRIFT:
        return f"{who} spent {pct}% above its baseline over 7 days, {days}"
    return f"{who} spent {pct}% above its daily baseline, {days}"


def _tenths(numerator: int, denominator: int) -> str:
    tenths = abs(numerator) * 1000 // denominator if denominator else 0
    return f"{'-' if numerator < 0 else ''}{tenths // 10}.{tenths % 10}"


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
