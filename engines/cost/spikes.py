"""ABSOLUTE_SPIKE and the day-level evaluation: a day's spend of one entity against its own days before.

Streaks are derived: a breach day carries the first day of its run, taken from the day before, so nothing is
incremented in place and a replay derives the same (CONTRACT §6).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from engines.cost import parts
from engines.cost.anomalies import PROVISIONAL
from engines.cost.book import Book
from engines.cost.causes import Cause, Features, Side, Sides, costs_before, costs_of, derive
from engines.cost.finding import DAY_LEVEL, NO_CAUSE, SPIKE, Finding
from engines.cost.pages import JUDGED_TYPES, DayPage, Published, Sums
from engines.cost.rules import NO_LINES, AnomalySeverity, Rules, SpikeLines, gated, spike_lines
from engines.cost.totals import Total, cost, unpriced

_NO_SUM: Final = (0, 0)


@dataclass(frozen=True, slots=True)
class Day:
    """A tenant's day under judgement.

    Attributes:
        base: spike baselines, as they stand; nothing changes them while the day is judged.
    """

    book: Book
    day: int
    page: DayPage
    base: Sums
    rules: Rules
    _lines: dict[tuple[str, str], SpikeLines] = field(default_factory=dict)

    def total(self, entity_type: str, entity_id: str) -> Total:
        """Return the entity's total, 0 when it has none."""
        return self.page.totals[entity_type].get(entity_id, 0)

    def lines(self, entity_type: str, entity_id: str) -> SpikeLines:
        """Return the spike lines of an entity on this day."""
        known = self._lines.get((entity_type, entity_id))
        if known is None:
            base = self.base.get(entity_type, {}).get(entity_id)
            known = NO_LINES if base is None else spike_lines(cost(base[0]), base[1], self.rules.profile)
            self._lines[entity_type, entity_id] = known
        return known

    def started(self, entity_type: str, entity_id: str) -> int:
        """Return the first day of the entity's run of breach days, this day when it does not breach."""
        return self.page.streaks[entity_type].get(entity_id, self.day)


def open_day(book: Book, day: int) -> Day | None:
    """Return an open *day* of the tenant, None when it holds no record."""
    page, base = book.day(day), book.base(day)
    if page is None or base is None:
        return None
    return Day(book, day, page, base.sums, book.settings.rules(book.tenant_id, day + 1))


def flag(day: Day, entity_type: str, entity_id: str) -> bool:
    """Set or clear the breach flag of an entity by its total; return whether the flag, or its run, changed."""
    streaks = day.page.streaks[entity_type]
    before = streaks.get(entity_id)
    start: int | None = None
    if cost(day.total(entity_type, entity_id)) >= day.lines(entity_type, entity_id).breach:
        previous = day.book.day(day.day - 1)
        start = day.day if previous is None else previous.streaks[entity_type].get(entity_id, day.day)
    if start == before:
        return False
    if start is None:
        del streaks[entity_id]
    else:
        streaks[entity_id] = start
    parts.mark(day.page, entity_type, entity_id)
    return True


def flag_all(day: Day) -> list[tuple[str, str]]:
    """Set the breach flags of every entity of *day*; return those that changed."""
    changed = []
    for kind in JUDGED_TYPES:
        names = day.page.streaks[kind].keys() | (day.page.totals[kind].keys() & day.base.get(kind, {}).keys())
        changed += [(kind, name) for name in sorted(names) if flag(day, kind, name)]
    return changed


def carry_on(book: Book, day: int, changed: Iterable[tuple[str, str]], last: int) -> None:
    """Give the runs that go on after *day* their first day, up to *last*: flags of *changed* were changed there."""
    entities = list(changed)
    while entities and day < last:
        day += 1
        page, before = book.day(day), book.day(day - 1)
        if page is None:
            return
        moved = []
        for kind, name in entities:
            held = page.streaks[kind].get(name)
            start = day if before is None else before.streaks[kind].get(name, day)
            if held is not None and held != start:
                page.streaks[kind][name] = start
                parts.mark(page, kind, name)
                moved.append((kind, name))
        if moved:
            book.touch_day(day)
        entities = moved


def fires(day: Day, entity_type: str, entity_id: str) -> bool:
    """Whether the entity's breach makes a spike: it is not the first in a row, or high enough alone."""
    start = day.page.streaks[entity_type].get(entity_id)
    if start is None:
        return False
    if day.day - start + 1 >= day.rules.profile.consecutive_days:
        return True
    return cost(day.total(entity_type, entity_id)) >= day.lines(entity_type, entity_id).alone


def spike(day: Day, entity_type: str, entity_id: str) -> Finding:
    """Return what the spike rule says of an entity."""
    total, profile = day.total(entity_type, entity_id), day.rules.profile
    base, days = day.base.get(entity_type, {}).get(entity_id, _NO_SUM)
    start, current, before = day.started(entity_type, entity_id), cost(total), cost(base)
    breaches = day.day - start + 1 if entity_id in day.page.streaks[entity_type] else 0
    if breaches >= profile.consecutive_days or not profile.alone_pct:
        threshold = profile.spike_pct
    else:
        at_once = current >= day.lines(entity_type, entity_id).triple
        threshold = profile.alone_pct if at_once else profile.alone_excess_pct
    return Finding(
        kind=SPIKE,
        anomaly_type=SPIKE,
        severity=AnomalySeverity.HIGH.value,
        entity_type=entity_type,
        entity_id=entity_id,
        period=None,
        first_day=day.day,
        end_day=day.day + 1,
        current=current,
        expected=before // days if days else None,
        ratio=(current * days - before, before),
        threshold_pct=threshold - 100,
        streak_start=start,
        rules=day.rules,
        holds=fires(day, entity_type, entity_id),
        breach_count=breaches,
        cause=cause(day, entity_type, entity_id),
        unpriced_requests=unpriced(total),
    )


def cause(day: Day, entity_type: str, entity_id: str) -> Cause:
    """Return why an entity spends more than on the days of its baseline."""
    base, days = day.base.get(entity_type, {}).get(entity_id, _NO_SUM)
    if not days:
        return NO_CAUSE
    features = None
    if entity_type == "tenant":
        page = day.page
        if page.costs_before is None:
            page.costs_before = costs_before(day.base.get("feature", {}))
        features = Features(costs_of(page.totals["feature"]), page.costs_before)
    return derive(Sides(Side(day.total(entity_type, entity_id), 1), Side(base, days), features), day.rules.profile)


def unchanged(day: Day, entity_type: str, entity_id: str, told: Published) -> bool:
    """Whether a spike that was told of an open day still says the same, its day having but grown since."""
    start = day.page.streaks[entity_type].get(entity_id)
    standing = told.status == PROVISIONAL and told.streak_start == start
    return standing and told.cause == cause(day, entity_type, entity_id).cause.value


def next_line(day: Day, entity_type: str, entity_id: str) -> int:
    """Return the least cost at which the spike rule may tell something new of an entity; 0: at any record."""
    lines = day.lines(entity_type, entity_id)
    if entity_id not in day.page.streaks[entity_type]:
        return lines.breach
    return 0 if fires(day, entity_type, entity_id) else lines.alone


def day_level(day: Day, before: Sums, entity_type: str, entity_id: str) -> Finding:
    """Return what the day-level evaluation says of an entity whose days D-7 … D-1 sum to *before*."""
    profile, total = day.rules.profile, day.total(entity_type, entity_id)
    current = cost(total)
    base, days = before.get(entity_type, {}).get(entity_id, _NO_SUM)
    expected = cost(base)
    bands = (
        ("critical", profile.day_critical_pct),
        ("high", profile.day_high_pct),
        ("medium", profile.day_medium_pct),
        ("low", profile.day_low_pct),
    )
    reached = [band for band in bands if current * days * 100 >= (100 + band[1]) * expected]
    severity, threshold = reached[0] if reached and expected else bands[-1]
    holds = expected > 0 and current >= gated(100 + profile.day_low_pct, expected, days, profile)
    return Finding(
        kind=DAY_LEVEL[entity_type],
        anomaly_type=DAY_LEVEL[entity_type],
        severity=severity,
        entity_type=entity_type,
        entity_id=entity_id,
        period=None,
        first_day=day.day,
        end_day=day.day + 1,
        current=current,
        expected=expected // days if days else None,
        ratio=(current * days - expected, expected),
        threshold_pct=threshold,
        streak_start=day.day,
        rules=day.rules,
        holds=holds,
        unpriced_requests=unpriced(total),
    )
