"""BUDGET_WARNING and BUDGET_EXCEEDED: a day's or month's spend of one entity against what it may spend.

One id per budget, period and window, whose type and severity rise with the usage (CONTRACT §6).
"""

from __future__ import annotations

from dataclasses import replace

from engines.core.money import NANOUSD_PER_CENT
from engines.cost.finding import BUDGET, Finding
from engines.cost.pages import Published
from engines.cost.rules import NEVER, AnomalySeverity, AnomalyType, Rules
from engines.cost.settings import Budget
from engines.cost.totals import Total, cost, unpriced

_FULL_PCT = 100


def usage(budget: Budget, period: str, total: Total, window: tuple[int, int], rules: Rules) -> Finding:
    """Return what a *budget* with a limit says of its entity's *total* in *window* (first day, end day)."""
    current, cents = cost(total), budget.limit_cents(period)
    limit = cents * NANOUSD_PER_CENT
    exceeded = current >= limit
    warned = _FULL_PCT * current >= budget.warn_threshold_pct * limit
    high = exceeded or _FULL_PCT * current >= rules.profile.budget_high_pct * limit
    return Finding(
        kind=BUDGET,
        anomaly_type=(AnomalyType.BUDGET_EXCEEDED if exceeded else AnomalyType.BUDGET_WARNING).value,
        severity=(AnomalySeverity.HIGH if high else AnomalySeverity.MEDIUM).value,
        entity_type=budget.budget_type,
        entity_id=budget.entity_id,
        period=period,
        first_day=window[0],
        end_day=window[1],
        current=current,
        expected=limit,
        ratio=(current, limit),
        threshold_pct=_FULL_PCT if exceeded else budget.warn_threshold_pct,
        streak_start=window[0],
        rules=rules,
        holds=warned or exceeded,
        unpriced_requests=unpriced(total),
        budget=(budget, cents),
    )


def gone(entity: tuple[str, str], period: str, total: Total, window: tuple[int, int], rules: Rules) -> Finding:
    """Return what is left to say of an *entity* (type, id) whose budget is gone: what it spent, and that it may."""
    return Finding(
        kind=BUDGET,
        anomaly_type=AnomalyType.BUDGET_WARNING.value,
        severity=AnomalySeverity.MEDIUM.value,
        entity_type=entity[0],
        entity_id=entity[1],
        period=period,
        first_day=window[0],
        end_day=window[1],
        current=cost(total),
        expected=None,
        ratio=(0, 0),
        threshold_pct=0,
        streak_start=window[0],
        rules=rules,
        holds=False,
        unpriced_requests=unpriced(total),
    )


def next_line(budget: Budget, period: str, total: Total, rules: Rules) -> int:
    """Return the least cost at which *budget* tells something new of a window that holds *total*."""
    current, limit = cost(total), budget.limit_cents(period) * NANOUSD_PER_CENT
    warn, high = budget.warn_threshold_pct, rules.profile.budget_high_pct
    lines = [-(-pct * limit // _FULL_PCT) for pct in (warn, max(warn, high), _FULL_PCT)]
    return min((line for line in lines if line > current), default=NEVER)


def as_last(published: Published | None, finding: Finding) -> Finding:
    """Return *finding*; one of a budget that does not warn any more with the type and severity it last had."""
    if finding.holds or published is None or finding.kind != BUDGET:
        return finding
    threshold = finding.threshold_pct
    if finding.budget is not None and published.anomaly_type == AnomalyType.BUDGET_EXCEEDED.value:
        threshold = _FULL_PCT
    return replace(finding, anomaly_type=published.anomaly_type, severity=published.severity, threshold_pct=threshold)
