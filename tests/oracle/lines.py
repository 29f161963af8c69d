"""Lines as CONTRACT §5 writes them, and what of two lines must be equal.

`message` and `rules.version` are the engine's own wording and are not made here.
"""

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from tests.oracle.records import DAY_US, HOUR_US, NANOUSD_PER_CENT, parse_time
from tests.oracle.spikes import Days, Entity, Profile, Spike, Totals, active_costs
from tests.oracle.walk import Judged

Line = dict[str, Any]
KIND = "ABSOLUTE_SPIKE"
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


def anomaly_line(tenant_id: str, spike: Spike, tenant_spike: Spike | None, records: int, **how: Any) -> Line:
    """Return the anomaly line of a spike.

    Args:
        tenant_spike: the tenant's own spike of the same day, if there is one.
        records: the tenant's distinct records in D-29 … D.
        how: `final` (bool) and `profile`.
    """
    final: bool = how["final"]
    profile: Profile = how["profile"]
    start = spike.streak_start
    of_tenant = None
    if spike.entity[0] != "tenant" and tenant_spike is not None:
        of_tenant = episode_id(tenant_id, tenant_spike.entity, tenant_spike.streak_start)
    current = spike.totals.priced_nanousd
    return {
        "anomaly_id": anomaly_id(tenant_id, spike.entity, spike.day),
        "tenant_id": tenant_id,
        "anomaly_type": KIND,
        "severity": "HIGH",
        "entity_type": spike.entity[0],
        "entity_id": spike.entity[1],
        "window_start": day_text(spike.day),
        "window_end": day_text(spike.day + 1),
        "period": None,
        "current_nanousd": current,
        "expected_nanousd": spike.mean.numerator // spike.mean.denominator,
        "deviation_pct": cut((current / spike.mean - 1) * 100),
        "threshold_pct": spike.threshold_pct,
        "breach_count": spike.streak,
        "streak_start": day_text(start),
        "episode_id": episode_id(tenant_id, spike.entity, start),
        "derived_cause": "UNKNOWN",
        "cause_evidence": None,
        "unpriced_requests": spike.totals.unpriced_requests,
        "restated": False,
        "tenant_episode_id": of_tenant,
        "metadata": {},
        "rules": {"profile": profile, "changed": {}},
        "budget": None,
        "status": "final" if final else "provisional",
        "revision": 2 * records + (1 if final else 0),
    }


def fact_line(anomaly: Line, latest_us: int) -> Line:
    """Return the published fact of an anomaly; *latest_us* is the tenant's greatest event time in the window."""
    return anomaly | {
        "current_value_cents": anomaly["current_nanousd"] // NANOUSD_PER_CENT,
        "expected_value_cents": anomaly["expected_nanousd"] // NANOUSD_PER_CENT,
        "confidence": 1,
        "observed_at": anomaly["window_end"] if anomaly["status"] == "final" else instant(latest_us),
    }


def hour_line(tenant_id: str, entity: Entity, hour: int, totals: Totals, *, complete: bool) -> Line:
    """Return the snapshot line of an hour; hours have no baseline."""
    return _snapshot(tenant_id, entity, totals, complete=complete) | {
        "window": "hour",
        "start": instant(hour * HOUR_US),
    }


def day_line(tenant_id: str, entity: Entity, day: int, days: Days, *, complete: bool) -> Line:
    """Return the snapshot line of a day, with its baseline once it is complete."""
    line = _snapshot(tenant_id, entity, days[day], complete=complete) | {"window": "day", "start": day_text(day)}
    costs = active_costs(days, day - 7, day - 1)
    if complete and costs:
        baseline = sum(costs) // len(costs)
        line["baseline_nanousd"] = baseline
        cost = line["cost_nanousd"]
        if cost and baseline:
            line["deviation_pct"] = cut(Fraction(cost - baseline, baseline) * 100)
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
        "restated": False,
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
    """Return the line of a record that came too late to be counted."""
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
    return (line["tenant_id"], start, line["entity_type"], line["entity_id"], kind, line.get("period") or "")


def comparable(line: Line) -> Line:
    """Return what two programs must agree on in a line of any kind.

    Dropped: `message`, `rules.version`, and the wording of a dead letter's reason other than `future`.
    Numbers are compared as numbers, event times as instants. Works on our lines and on parsed JSON.
    """
    result = {name: content for name, content in line.items() if name != "message"}
    if isinstance(result.get("rules"), dict):
        result["rules"] = {name: content for name, content in result["rules"].items() if name != "version"}
    for name in _PERCENTAGES:
        if result.get(name) is not None:
            result[name] = float(str(result[name]))
    for name in _INSTANTS:
        if result.get(name) is not None:
            result[name] = parse_time(result[name])
    if "value_base64" in result and result["reason"] != "future":
        result["reason"] = "refused"
    return result
