"""Lines as CONTRACT §5 writes them, and what of two lines must be equal.

`message` is the engine's own wording and is not made here.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from tests.oracle.findings import Finding, Key, Window
from tests.oracle.records import DAY_US, HOUR_US, NANOUSD_PER_CENT, parse_time
from tests.oracle.totals import Book, Entity, Totals
from tests.oracle.walk import Judged

Line = dict[str, Any]
KIND = "ABSOLUTE_SPIKE"
RULES_VERSION = 1
RECORD_DAYS = 30  # the days whose records make a revision: D-29 … D
_OF_BUDGETS = ("BUDGET_WARNING", "BUDGET_EXCEEDED")
_PERCENTAGES = ("deviation_pct", "threshold_pct", "confidence")
_INSTANTS = ("observed_at", "occurred_at")


def instant(at_us: int) -> str:
    """Return the time as text; a fraction, of six digits, only when there is one."""
    whole, micros = divmod(at_us, 1_000_000)
    text = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=whole)).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{micros:06d}Z" if micros else f"{text}Z"


def day_text(day: int) -> str:
    """Return the start of a UTC day as text."""
    return instant(day * DAY_US)


def cut(percent: Fraction) -> Decimal:
    """Return a percentage cut toward zero to two decimals."""
    return Decimal(int(percent * 100)).scaleb(-2)


def anomaly_id(tenant_id: str, entity: Entity, day: int, kind: str = KIND, period: str | None = None) -> str:
    """Return the id of an anomaly (CONTRACT §5)."""
    return "ca_" + _digest([tenant_id, kind, *entity, day_text(day), period])


def episode_id(tenant_id: str, entity: Entity, streak_start: int, kind: str = KIND, period: str | None = None) -> str:
    """Return the id of the episode that began on the day *streak_start*."""
    return "ep_" + _digest([tenant_id, kind, *entity, day_text(streak_start), period])


def _digest(parts: list[str | None]) -> str:
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def anomaly_line(book: Book, finding: Finding, beside: Sequence[Finding], **how: Any) -> Line:
    """Return the anomaly line of a finding.

    Args:
        beside: what was found for the tenant in the same judgement, for the tenant's episode.
        how: `status`, and `restated` when the window was closed before this judgement.
    """
    kind, entity, window = finding.key
    closed = book.closed(window.last)
    rules = book.rules(window.last)
    return {
        "anomaly_id": anomaly_id(book.tenant_id, entity, window.first, kind, window.period),
        "tenant_id": book.tenant_id,
        "anomaly_type": finding.anomaly_type,
        "severity": finding.severity,
        "entity_type": entity[0],
        "entity_id": entity[1],
        "window_start": day_text(window.first),
        "window_end": day_text(window.last + 1),
        "period": window.period,
        "current_nanousd": finding.current_nanousd,
        "expected_nanousd": finding.expected_nanousd,
        "deviation_pct": cut(finding.deviation_pct),
        "threshold_pct": finding.threshold_pct,
        "breach_count": finding.streak,
        "streak_start": day_text(finding.streak_start),
        "episode_id": _episode_of(book, finding),
        "derived_cause": finding.cause,
        "cause_evidence": finding.evidence,
        "unpriced_requests": finding.unpriced_requests,
        "restated": how["restated"],
        "tenant_episode_id": _tenant_episode(book, finding, beside),
        "metadata": {},
        "rules": {"profile": rules.profile, "version": RULES_VERSION, "changed": rules.changed},
        "budget": _budget(finding),
        "status": how["status"],
        "revision": 2 * (_records(book, window) + book.known.count(book.tenant_id, window.last)) + closed,
    }


def _records(book: Book, window: Window) -> int:
    """Return n of the revision: the tenant's records in the month, or in D-29 … D."""
    first = window.first if window.period == "monthly" else window.last - RECORD_DAYS + 1
    days = book.of(book.tenant)
    return sum(days[day].requests for day in range(first, window.last + 1) if day in days)


def _episode_of(book: Book, finding: Finding) -> str:
    kind, entity, window = finding.key
    return episode_id(book.tenant_id, entity, finding.streak_start, kind, window.period)


def _tenant_episode(book: Book, finding: Finding, beside: Sequence[Finding]) -> str | None:
    kind, entity, window = finding.key
    if entity == book.tenant:
        return None
    wanted = Key("tenant_spike" if kind == f"{entity[0]}_spike" else kind, book.tenant, window)
    found = [other for other in beside if other.key == wanted and other.holds]
    return _episode_of(book, found[0]) if found else None


def _budget(finding: Finding) -> Line | None:
    return None if finding.budget is None else {**finding.budget, "usage_pct": cut(finding.budget["usage_pct"])}


def fact_line(book: Book, anomaly: Line, window: Window) -> Line:
    """Return the fact of an anomaly; a final one is observed at the window's end."""
    final = anomaly["status"] == "final"
    return anomaly | {
        "current_value_cents": _cents(anomaly["current_nanousd"]),
        "expected_value_cents": _cents(anomaly["expected_nanousd"]),
        "confidence": 1,
        "observed_at": anomaly["window_end"] if final else instant(book.latest_in(window.first, window.last)),
    }


def _cents(nanousd: int | None) -> int | None:
    return None if nanousd is None else nanousd // NANOUSD_PER_CENT


def hour_line(tenant_id: str, entity: Entity, hour: int, totals: Totals, *, complete: bool) -> Line:
    """Return the snapshot line of an hour; hours have no baseline."""
    return _snapshot(tenant_id, entity, totals, complete=complete) | {
        "window": "hour",
        "start": instant(hour * HOUR_US),
    }


def day_line(book: Book, entity: Entity, day: int) -> Line:
    """Return the snapshot line of a day, with its baseline once it is complete."""
    complete = book.closed(day)
    line = _snapshot(book.tenant_id, entity, book.of(entity)[day], complete=complete)
    line |= {"window": "day", "start": day_text(day)}
    baseline = book.baselines.get((entity, day))
    line["baseline_nanousd"] = baseline
    if baseline and line["cost_nanousd"]:
        line["deviation_pct"] = cut(Fraction(line["cost_nanousd"] - baseline, baseline) * 100)
    return line


def _snapshot(tenant_id: str, entity: Entity, totals: Totals, *, complete: bool) -> Line:
    return {
        "tenant_id": tenant_id,
        "entity_type": entity[0],
        "entity_id": entity[1],
        "requests": totals.requests,
        "unpriced_requests": totals.unpriced_requests,
        "retry_requests": totals.retry_requests,
        "input_tokens": totals.input_tokens,
        "cached_input_tokens": totals.cached_input_tokens,
        "output_tokens": totals.output_tokens,
        "cost_nanousd": totals.cost_nanousd,
        "baseline_nanousd": None,
        "deviation_pct": None,
        "status": "complete" if complete else "provisional",
        "restated": totals.restated,
        "version": 2 * totals.requests + (1 if complete else 0),
    }


def dead_line(judged: Judged) -> Line:
    """Return the dead-letter line of a refused record."""
    assert judged.bad is not None
    key, value = judged.entry.key, judged.entry.value
    return {
        "topic": "costs",
        "partition": judged.partition,
        "offset": judged.offset,
        "key": None if key is None else base64.b64encode(key).decode(),
        "headers": [[name, base64.b64encode(content).decode()] for name, content in judged.entry.headers],
        "field": judged.bad.field,
        "reason": judged.bad.reason,
        "value_base64": None if value is None else base64.b64encode(value).decode(),
    }


def late_line(judged: Judged) -> Line:
    """Return the line of a record that came too late, to be counted or for its day's close."""
    record = judged.record
    assert record is not None
    return {
        "tenant_id": record.tenant_id,
        "source": record.source,
        "id": record.id,
        "occurred_at": instant(record.occurred_us),
        "partition": judged.partition,
        "offset": judged.offset,
        "reason": judged.late_reason,
        "cost_nanousd": judged.cost_nanousd,
    }


def order(line: Line) -> tuple[Any, ...]:
    """Return the place of an anomaly, fact or snapshot line among its like (CONTRACT §5)."""
    start = line.get("window_start") or line["start"]
    kind = line.get("anomaly_type") or line["window"]
    kind = "BUDGET" if line.get("anomaly_type") in _OF_BUDGETS else kind
    return (line["tenant_id"], start, line["entity_type"], line["entity_id"], kind, line.get("period") or "")


def comparable(line: Line) -> Line:
    """Return what two programs must agree on in a line of any kind.

    Dropped: `message` and the wording of a dead letter's reason other than `future`.
    Numbers are compared as numbers, event times as instants. Works on our lines and on parsed JSON.
    """
    result = {name: content for name, content in line.items() if name != "message"}
    if result.get("budget") is not None:
        result["budget"] = {**result["budget"], "usage_pct": float(str(result["budget"]["usage_pct"]))}
    for name in _PERCENTAGES:
        if result.get(name) is not None:
            result[name] = float(str(result[name]))
    for name in _INSTANTS:
        if result.get(name) is not None:
            result[name] = parse_time(result[name])
    if "value_base64" in result and result["reason"] != "future":
        result["reason"] = "refused"
    return result
