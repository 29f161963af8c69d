"""What is judged at a day's close only: the day-level evaluation (spec §4) and UNPRICED_USAGE (CONTRACT §6)."""

from fractions import Fraction

from tests.oracle.findings import UNPRICED, Finding, Key, day_window
from tests.oracle.settings import CENT, Rules
from tests.oracle.totals import Book, Entity, sum_and_count


def kind_of(entity: Entity) -> str:
    """Return the kind of the day-level evaluation for an entity: user_spike …."""
    return f"{entity[0]}_spike"


def judge(book: Book, entity: Entity, day: int, *, told: bool) -> Finding | None:
    """Return what stands for the id, or None when it does not hold and was not *told* either."""
    days, rules = book.of(entity), book.rules(day)
    total, count = sum_and_count(days, day - 7, day - 1)
    if total == 0:
        return None
    totals, mean = days[day], Fraction(total, count)
    deviation = (totals.priced_nanousd / mean - 1) * 100
    excess = totals.priced_nanousd - mean
    holds = deviation >= rules["day_low_pct"] and _passes(deviation + 100, excess, count, rules)
    if not holds and not told:
        return None
    severity = _severity(deviation, rules)
    return Finding(
        key=Key(kind_of(entity), entity, day_window(day)),
        holds=holds,
        anomaly_type=kind_of(entity),
        severity=severity,
        current_nanousd=totals.priced_nanousd,
        expected_nanousd=total // count,
        deviation_pct=deviation,
        threshold_pct=rules[f"day_{severity}_pct"],
        unpriced_requests=totals.unpriced_requests,
        streak_start=day,
    )


def _passes(ratio_pct: Fraction, excess: Fraction, count: int, rules: Rules) -> bool:
    if excess < rules["excess_min_cents"] * CENT:
        return False
    if count >= rules["baseline_days_min"]:
        return True
    return ratio_pct >= rules["few_days_pct"] and excess >= rules["few_days_excess_cents"] * CENT


def _severity(deviation: Fraction, rules: Rules) -> str:
    for severity in ("critical", "high", "medium"):
        if deviation >= rules[f"day_{severity}_pct"]:
            return severity
    return "low"


def unpriced(book: Book, day: int, *, told: bool) -> Finding | None:
    """Return what stands for the day's UNPRICED_USAGE, or None when it does not hold and was not *told* either."""
    if day not in book.of(book.tenant):
        return None
    totals, rules = book.of(book.tenant)[day], book.rules(day)
    share = Fraction(100 * totals.unpriced_requests, totals.requests)
    holds = 0 < rules["unpriced_pct"] < share and totals.requests >= rules["unpriced_requests_min"]
    if not holds and not told:
        return None
    return Finding(
        key=Key(UNPRICED, book.tenant, day_window(day)),
        holds=holds,
        anomaly_type=UNPRICED,
        severity="MEDIUM",
        current_nanousd=None,
        expected_nanousd=None,
        deviation_pct=share,
        threshold_pct=rules["unpriced_pct"],
        unpriced_requests=totals.unpriced_requests,
        streak_start=day,
    )
