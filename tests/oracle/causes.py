"""Why spend rose: the days judged against the rule's own baseline days, per record (CONTRACT §6, "Causes")."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from tests.oracle.findings import UNKNOWN, Window
from tests.oracle.settings import Rules
from tests.oracle.totals import Book, Entity, active_days


@dataclass(frozen=True)
class _Side:
    """Sums over an entity's active days in a range."""

    days: int
    requests: int
    retry_requests: int
    input_tokens: int

    @property
    def retry_share(self) -> Fraction:
        return Fraction(self.retry_requests, self.requests)

    @property
    def mean_input(self) -> Fraction:
        return Fraction(self.input_tokens, self.requests)

    @property
    def per_day(self) -> Fraction:
        return Fraction(self.requests, self.days)


@dataclass(frozen=True)
class _Tagged:
    """The largest feature of the days judged, and what it and all tagged records cost on either side."""

    feature_tag: str | None
    now: int
    all_now: int
    before: int
    all_before: int


def derive(book: Book, entity: Entity, now: Window, before: Window, rules: Rules) -> tuple[str, dict[str, Any]]:
    """Return the cause and its evidence; both ranges have an active day of the entity."""
    sides = _side(book, entity, now), _side(book, entity, before)
    tagged = _tagged(book, now, before) if entity == book.tenant else None
    return _cause(*sides, tagged, rules), _evidence(*sides, tagged)


def _cause(now: _Side, before: _Side, tagged: _Tagged | None, rules: Rules) -> str:
    more_retries = now.retry_share > before.retry_share * Fraction(rules["cause_retry_ratio_pct"], 100)
    if more_retries and now.retry_share >= Fraction(rules["cause_retry_share_pct"], 100):
        return "RETRY_LOOP"
    if tagged is not None and _surges(tagged, rules):
        return "FEATURE_SURGE"
    least = Fraction(rules["cause_growth_pct"], 100)
    prompt = now.mean_input / before.mean_input if before.input_tokens else Fraction(0)
    traffic = now.per_day / before.per_day
    if prompt > least and prompt >= traffic:
        return "PROMPT_GROWTH"
    return "TRAFFIC_GROWTH" if traffic > least else UNKNOWN


def _surges(tagged: _Tagged, rules: Rules) -> bool:
    if tagged.all_now == 0:
        return False
    now = Fraction(tagged.now, tagged.all_now)
    before = Fraction(tagged.before, tagged.all_before) if tagged.all_before else Fraction(0)
    grown = now - before >= Fraction(rules["cause_feature_points"], 100)
    return grown and now > Fraction(rules["cause_feature_share_pct"], 100)


def _side(book: Book, entity: Entity, window: Window) -> _Side:
    days = active_days(book.of(entity), window.first, window.last)
    return _Side(
        len(days),
        sum(totals.requests for totals in days),
        sum(totals.retry_requests for totals in days),
        sum(totals.input_tokens for totals in days),
    )


def _tagged(book: Book, now: Window, before: Window) -> _Tagged:
    spent_now, spent_before = _by_feature(book, now), _by_feature(book, before)
    all_now, all_before = sum(spent_now.values()), sum(spent_before.values())
    if all_now == 0:
        return _Tagged(None, 0, 0, 0, all_before)
    largest = min(spent_now, key=lambda tag: (-spent_now[tag], tag))
    return _Tagged(largest, spent_now[largest], all_now, spent_before[largest], all_before)


def _by_feature(book: Book, window: Window) -> dict[str, int]:
    return {
        tag: sum(totals.priced_nanousd for totals in active_days(days, window.first, window.last))
        for (entity_type, tag), days in book.days.items()
        if entity_type == "feature"
    }


def _evidence(now: _Side, before: _Side, tagged: _Tagged | None) -> dict[str, Any]:
    named = tagged is not None and tagged.feature_tag is not None
    return {
        "requests": now.requests,
        "retry_requests": now.retry_requests,
        "input_tokens": now.input_tokens,
        "baseline_requests": before.requests,
        "baseline_retry_requests": before.retry_requests,
        "baseline_input_tokens": before.input_tokens,
        "baseline_days": before.days,
        "feature_tag": tagged.feature_tag if tagged else None,
        "feature_nanousd": tagged.now if tagged and named else None,
        "baseline_feature_nanousd": tagged.before if tagged and named else None,
        "tagged_nanousd": tagged.all_now if tagged else None,
        "baseline_tagged_nanousd": tagged.all_before if tagged else None,
    }
