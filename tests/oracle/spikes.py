"""ABSOLUTE_SPIKE: a day against the mean of its active days D-14 … D-2 (CONTRACT §6, spec §3).

A day's flag depends on its own total and its baseline alone; a streak is read from the flags.
"""

from fractions import Fraction

from tests.oracle import causes
from tests.oracle.findings import SPIKE, Finding, Key, Window, day_window
from tests.oracle.settings import CENT
from tests.oracle.totals import Book, Entity, sum_and_count

ENTITY_TYPES = ("tenant", "user", "feature")


def _baseline(day: int) -> Window:
    return Window(day - 14, day - 2)


def breached(book: Book, entity: Entity, day: int) -> bool:
    """Return the flag of a day by its totals as they stand, gates included."""
    days = book.of(entity)
    if day not in days:
        return False
    total, count = sum_and_count(days, day - 14, day - 2)
    rules, today = book.rules(day), days[day].priced_nanousd
    if total == 0 or 100 * today * count < rules["spike_pct"] * total:
        return False
    excess = Fraction(today * count - total, count)
    if excess < rules["excess_min_cents"] * CENT:
        return False
    if count >= rules["baseline_days_min"]:
        return True
    large = 100 * today * count >= rules["few_days_pct"] * total
    return large and excess >= rules["few_days_excess_cents"] * CENT


def flagged(book: Book, entity: Entity, day: int) -> bool:
    """Return the flag of a day: what its judgement gave it when closed, its totals when open."""
    return (SPIKE, entity, day) in book.flags if book.closed(day) else breached(book, entity, day)


def judge(book: Book, entity: Entity, day: int, *, told: bool) -> Finding | None:
    """Return what stands for the id, or None when it does not hold and was not *told* either."""
    if day not in book.of(entity) or not (told or flagged(book, entity, day)):
        return None
    totals = book.of(entity)[day]
    total, count = sum_and_count(book.of(entity), day - 14, day - 2)
    rules, today = book.rules(day), totals.priced_nanousd
    mean = Fraction(total, count)
    streak = 0
    while flagged(book, entity, day - streak):
        streak += 1
    at_once = rules["alone_pct"] > 0
    by_ratio = 100 * today >= rules["alone_pct"] * mean
    by_excess = 100 * today >= rules["alone_excess_pct"] * mean and today - mean >= rules["alone_excess_cents"] * CENT
    alone = at_once and (by_ratio or by_excess)
    holds = streak > 0 and (streak >= rules["consecutive_days"] or alone)
    if not holds and not told:
        return None
    if streak >= rules["consecutive_days"] or not at_once:
        threshold = rules["spike_pct"]
    else:
        threshold = rules["alone_pct"] if by_ratio else rules["alone_excess_pct"]
    cause, evidence = causes.derive(book, entity, day_window(day), _baseline(day), rules)
    return Finding(
        key=Key(SPIKE, entity, day_window(day)),
        holds=holds,
        anomaly_type=SPIKE,
        severity="HIGH",
        current_nanousd=today,
        expected_nanousd=total // count,
        deviation_pct=(today / mean - 1) * 100,
        threshold_pct=threshold - 100,
        unpriced_requests=totals.unpriced_requests,
        streak=streak,
        streak_start=day - max(streak - 1, 0),
        cause=cause,
        evidence=evidence,
    )
