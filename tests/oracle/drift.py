"""SUSTAINED_DRIFT: a tenant's last seven days against D-28 … D-8; silent days are judged too (CONTRACT §6, spec §3)."""

from fractions import Fraction

from tests.oracle import causes
from tests.oracle.findings import DRIFT, Finding, Key, Window, day_window
from tests.oracle.settings import CENT, Rules
from tests.oracle.totals import Book, spend, sum_and_count


def drifting(book: Book, day: int) -> bool:
    """Return the flag of a day by the totals as they stand, gates included."""
    days, rules = book.of(book.tenant), book.rules(day)
    week = spend(days, day - 6, day)
    total, count = sum_and_count(days, day - 28, day - 8)
    if total == 0 or week == 0 or count < rules["baseline_days_min"]:
        return False
    mean = Fraction(total, count)
    least = mean * Fraction(rules["drift_pct"], 100)
    if Fraction(week, 7) < least or Fraction(week, 7) - mean < rules["excess_min_cents"] * CENT:
        return False
    return _days_enough(book, day, least, rules)


def _days_enough(book: Book, day: int, least: Fraction, rules: Rules) -> bool:
    if rules["drift_days_min"] == 0:
        return True
    days = book.of(book.tenant)
    high = [each for each in range(day - 6, day + 1) if each in days and days[each].priced_nanousd >= least]
    return day in high and len(high) >= rules["drift_days_min"]


def flagged(book: Book, day: int) -> bool:
    """Return the flag of a day: what its judgement gave it when closed, the totals when open."""
    return (DRIFT, book.tenant, day) in book.flags if book.closed(day) else drifting(book, day)


def judge(book: Book, day: int, *, told: bool) -> Finding | None:
    """Return what stands for the id, or None when it does not hold and was not *told* either."""
    streak, rules = 0, book.rules(day)
    while flagged(book, day - streak):
        streak += 1
    holds = streak >= rules["drift_days_required"]
    if not holds and not told:
        return None
    days = book.of(book.tenant)
    week = spend(days, day - 6, day)
    total, count = sum_and_count(days, day - 28, day - 8)
    deviation = (Fraction(week, 7) / Fraction(total, count) - 1) * 100
    cause, evidence = causes.derive(book, book.tenant, Window(day - 6, day), Window(day - 28, day - 8), rules)
    today = days.get(day)
    return Finding(
        key=Key(DRIFT, book.tenant, day_window(day)),
        holds=holds,
        anomaly_type=DRIFT,
        severity=classify(deviation, rules),
        current_nanousd=week // 7,
        expected_nanousd=total // count,
        deviation_pct=deviation,
        threshold_pct=rules["drift_pct"] - 100,
        unpriced_requests=today.unpriced_requests if today else 0,
        streak=streak,
        streak_start=day - max(streak - 1, 0),
        cause=cause,
        evidence=evidence,
    )


def classify(deviation: Fraction, rules: Rules) -> str:
    """Return the band of a deviation in percent."""
    if deviation >= rules["severity_high_pct"]:
        return "HIGH"
    return "MEDIUM" if deviation >= rules["severity_medium_pct"] else "LOW"
