"""SUSTAINED_DRIFT: a tenant's last seven days, silent ones too, against the three weeks before them."""

from __future__ import annotations

from dataclasses import dataclass

from engines.core.money import NANOUSD_PER_CENT
from engines.cost.book import DRIFT_BASELINE, DRIFT_WINDOW, Book
from engines.cost.causes import Features, Side, Sides, derive
from engines.cost.finding import DRIFT, Finding
from engines.cost.pages import DayPage
from engines.cost.rules import NEVER, AnomalySeverity, Profile, Rules
from engines.cost.totals import Total, cost, is_active, unpriced

_WEEK = len(DRIFT_WINDOW)


@dataclass(frozen=True, slots=True)
class Drift:
    """The numbers of one day; all costs in nano-USD.

    Attributes:
        week, before: the sums of the totals of the active days D-6 … D, D-28 … D-8, and how many those are.
        today: what D itself cost.
        risen_before: of D-6 … D-1, days that are at the drift percentage by themselves.
    """

    rules: Rules
    week: Side
    before: Side
    today: int
    risen_before: int

    @property
    def breaches(self) -> bool:
        """Whether the day drifts."""
        return cost(self.week.total) > 0 and self.today >= self.line

    @property
    def line(self) -> int:
        """The least cost of D at which it drifts, its other days as they stand; at most 0: at any."""
        profile, base, days = self.rules.profile, cost(self.before.total), self.before.days
        if not base or days < profile.baseline_days_min:
            return NEVER
        rest = cost(self.week.total) - self.today
        ratio = -(-profile.drift_pct * _WEEK * base // (100 * days)) - rest
        excess = -(-_WEEK * base // days) + _WEEK * profile.excess_min_cents * NANOUSD_PER_CENT - rest
        least = max(ratio, excess)
        if not profile.drift_days_min:
            return least
        if self.risen_before + 1 < profile.drift_days_min:
            return NEVER
        return max(least, -(-profile.drift_pct * base // (100 * days)))


def drift_of(book: Book, day: int) -> Drift:
    """Return the numbers of *day*."""
    rules = book.settings.rules(book.tenant_id, day + 1)
    week, last = _side(book, day, DRIFT_WINDOW), day - DRIFT_BASELINE[0]
    before = book.remembered(("before", day), last, lambda: _side(book, day, DRIFT_BASELINE))
    risen = 0
    if rules.profile.drift_days_min:
        risen = sum(_risen(book.total(day - back), before, rules.profile) for back in DRIFT_WINDOW if back)
    return Drift(rules, week, before, cost(book.total(day)), risen)


def run_start(book: Book, day: int) -> int | None:
    """Return the first day of the run of drifting days that ends with *day*, None when it does not drift.

    Of closed days the ledger knows; open ones are judged as they stand.
    """
    if day <= book.closed:
        return book.ledger.drift.get(day)
    if not drift_of(book, day).breaches:
        return None
    before = run_start(book, day - 1)
    return day if before is None else before


def next_line(book: Book, day: int) -> int:
    """Return the least cost of an open *day* at which its drift may tell something new; 0: at any record."""
    if not may_fire(book, day):
        return NEVER
    drift = drift_of(book, day)
    return 0 if drift.breaches else max(drift.line, 0)


def may_fire(book: Book, day: int) -> bool:
    """Whether enough days in a row drift before *day* that it fires should it drift, too."""
    required = book.settings.rules(book.tenant_id, day + 1).profile.drift_days_required
    return run_length(book, day - 1) + 1 >= required


def run_length(book: Book, day: int) -> int:
    """Return how many days in a row up to *day* drift."""
    start = run_start(book, day)
    return 0 if start is None else day - start + 1


def long_enough(book: Book, day: int, start: int | None) -> bool:
    """Whether a run of drifting days from *start* to *day* fires; without one (None) it does not."""
    required = book.settings.rules(book.tenant_id, day + 1).profile.drift_days_required
    return start is not None and day - start + 1 >= required


def drift(book: Book, day: int, start: int | None) -> Finding:
    """Return what the rule says of *day*, whose run of drifting days began at *start* (None: it does not drift).

    The pages of the days it reads must be known when it fires, for the features among its evidence.
    """
    found = drift_of(book, day)
    profile, week, before = found.rules.profile, cost(found.week.total), cost(found.before.total)
    bands = ((AnomalySeverity.HIGH, profile.severity_high_pct), (AnomalySeverity.MEDIUM, profile.severity_medium_pct))
    reached = [band for band, pct in bands if 100 * week * found.before.days >= (100 + pct) * _WEEK * before]
    first = day if start is None else start
    last = day - DRIFT_BASELINE[0]
    costs_before = book.remembered(("costs", day), last, lambda: _features(book, day, DRIFT_BASELINE))
    features = Features(_features(book, day, DRIFT_WINDOW), costs_before)
    page = book.day(day)
    return Finding(
        kind=DRIFT,
        anomaly_type=DRIFT,
        severity=(reached[0] if reached else AnomalySeverity.LOW).value,
        entity_type="tenant",
        entity_id=book.tenant_id,
        period=None,
        first_day=day,
        end_day=day + 1,
        current=week // _WEEK,
        expected=before // found.before.days if found.before.days else None,
        ratio=(week * found.before.days - _WEEK * before, _WEEK * before),
        threshold_pct=profile.drift_pct - 100,
        streak_start=first,
        rules=found.rules,
        holds=start is not None and day - start + 1 >= profile.drift_days_required,
        breach_count=0 if start is None else day - first + 1,
        cause=derive(Sides(found.week, found.before, features), profile),
        unpriced_requests=0 if page is None else unpriced(page.totals["tenant"].get(book.tenant_id, 0)),
    )


def _side(book: Book, day: int, window: range) -> Side:
    totals: list[Total] = [total for back in window if is_active(total := book.total(day - back))]
    return Side(sum(totals), len(totals))


def _risen(total: Total, before: Side, profile: Profile) -> bool:
    return cost(total) * before.days * 100 >= profile.drift_pct * cost(before.total) > 0


def _features(book: Book, day: int, window: range) -> dict[str, int]:
    costs: dict[str, int] = {}
    for back in window:
        page = book.day(day - back)
        for name, total in page.totals["feature"].items() if isinstance(page, DayPage) else ():
            costs[name] = costs.get(name, 0) + cost(total)
    return costs
