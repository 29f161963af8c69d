"""UNPRICED_USAGE: most of a tenant's requests of a day have no known price, so its spend says little (CONTRACT §6)."""

from __future__ import annotations

from engines.cost.finding import UNPRICED, Finding
from engines.cost.rules import AnomalySeverity
from engines.cost.spikes import Day
from engines.cost.totals import requests, unpriced


def unpriced_usage(day: Day) -> Finding:
    """Return what the rule says of the tenant on *day*."""
    tenant_id, profile = day.book.tenant_id, day.rules.profile
    total = day.total("tenant", tenant_id)
    many, without = requests(total), unpriced(total)
    enough = profile.unpriced_pct > 0 and many >= profile.unpriced_requests_min
    return Finding(
        kind=UNPRICED,
        anomaly_type=UNPRICED,
        severity=AnomalySeverity.MEDIUM.value,
        entity_type="tenant",
        entity_id=tenant_id,
        period=None,
        first_day=day.day,
        end_day=day.day + 1,
        current=None,
        expected=None,
        ratio=(without, many),
        threshold_pct=profile.unpriced_pct,
        streak_start=day.day,
        rules=day.rules,
        holds=enough and 100 * without > profile.unpriced_pct * many,
        unpriced_requests=without,
    )
