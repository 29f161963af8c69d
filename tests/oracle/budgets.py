"""Budgets: what a scope spent in a day or a calendar month against its limit (CONTRACT §6, spec §3)."""

from fractions import Fraction

from tests.oracle.findings import BUDGET, Finding, Key, Window
from tests.oracle.settings import CENT, Budget
from tests.oracle.totals import Book, Entity, spend

WARNING = "BUDGET_WARNING"
EXCEEDED = "BUDGET_EXCEEDED"


def scopes(book: Book, window: Window) -> list[Entity]:
    """Return the entities with a budget in force for the window."""
    return [budget.entity for budget in book.known.budgets(book.tenant_id, window.last)]


def judge(book: Book, entity: Entity, window: Window, told: Finding | None) -> Finding | None:
    """Return what stands for the id, or None when it does not hold and was not *told* either.

    Args:
        told: what was last told of the id, None when nothing or when it was withdrawn since.
    """
    days = book.of(entity)
    seen = [days[day] for day in range(window.first, window.last + 1) if day in days]
    if not seen or window.period is None:
        return None
    spent = spend(days, window.first, window.last)
    budget = next((one for one in book.known.budgets(book.tenant_id, window.last) if one.entity == entity), None)
    limit = budget.limits[window.period] if budget else None
    usage = Fraction(100 * spent, limit * CENT) if limit else Fraction(0)
    kind = _type(usage, budget) if budget and limit else None
    if kind is None and told is None:
        return None
    before = (told.anomaly_type, told.severity) if told else ("", "")
    anomaly_type, severity = (kind, _severity(book, window, kind, usage)) if kind else before
    warn = budget.warn_threshold_pct if budget and limit else None
    return Finding(
        key=Key(BUDGET, entity, window),
        holds=kind is not None,
        anomaly_type=anomaly_type,
        severity=severity,
        current_nanousd=spent,
        expected_nanousd=limit * CENT if limit else None,
        deviation_pct=usage,
        threshold_pct=0 if warn is None else 100 if anomaly_type == EXCEEDED else warn,
        unpriced_requests=sum(totals.unpriced_requests for totals in seen),
        streak_start=window.first,
        budget={"limit_cents": limit, "warn_threshold_pct": warn, "usage_pct": usage} if warn is not None else None,
    )


def _type(usage: Fraction, budget: Budget) -> str | None:
    if usage >= 100:
        return EXCEEDED
    return WARNING if usage >= budget.warn_threshold_pct else None


def _severity(book: Book, window: Window, anomaly_type: str, usage: Fraction) -> str:
    high = anomaly_type == EXCEEDED or usage >= book.rules(window.last)["budget_high_pct"]
    return "HIGH" if high else "MEDIUM"
