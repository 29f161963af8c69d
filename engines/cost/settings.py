"""What is not in the log, as it is in force for one tenant and one window: rules, budgets, feature tags.

A window is judged with the row of the greatest ``effective_from`` before the window's end, of equal ones the one
appended last (CONTRACT §4); a tenant's own rule wins over one of every tenant.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final, TypeVar

import msgspec

from engines.core.model import SettingRow
from engines.core.time import US_PER_DAY
from engines.cost.rules import NUMBERS, PROFILES, Profile, ProfileName, Rules

BUDGET: Final = "budget"
TAG: Final = "tag"
RULE: Final = "rule"
KINDS: Final = frozenset({BUDGET, TAG, RULE})
"""What says something of costs; rows of other kinds are another domain's, and count for no revision here."""
EVERY_TENANT: Final = "*"
PROFILE: Final = "profile"
FEATURE_TAGS: Final = "feature_tags"
OPEN: Final = "open"
REGISTERED: Final = "registered"
UNCLASSIFIED: Final = "unclassified"
"""What a tag becomes that is inactive, or not registered where it must be."""

_ALWAYS_US: Final = -1
_BEFORE_ALL_US: Final = _ALWAYS_US - 1
_REMEMBERED_MAX: Final = 4_096


class Budget(msgspec.Struct, frozen=True):
    """One row of a budget: limits of an entity's spend per UTC day and month, in cents (reference, cost_budgets)."""

    budget_type: str
    entity_id: str
    daily_limit_cents: int | None = None
    monthly_limit_cents: int | None = None
    warn_threshold_pct: int = 80
    hard_limit_enabled: bool = False
    is_active: bool = True

    def limit_cents(self, period: str) -> int:
        """Return the limit of *period*, daily or monthly; 0 when there is none."""
        limit = self.daily_limit_cents if period == "daily" else self.monthly_limit_cents
        return limit or 0 if self.is_active else 0


class _Tag(msgspec.Struct, frozen=True):
    tag: str
    display_name: str | None = None
    is_active: bool = True


class _Rule(msgspec.Struct, frozen=True):
    name: str
    value: int | str


_Key = TypeVar("_Key")
_Content = TypeVar("_Content")
_Rows = list[tuple[int, _Content]]
"""(when it takes effect, content), in the order they were appended."""


@dataclass(slots=True)
class _Book:
    """All rows of one tenant."""

    budgets: dict[tuple[str, str], _Rows[Budget]] = field(default_factory=dict)
    tags: dict[str, _Rows[_Tag]] = field(default_factory=dict)
    rules: dict[str, _Rows[_Rule]] = field(default_factory=dict)
    effective: list[int] = field(default_factory=list)


_NOTHING: Final = _Book()
_NO_BUDGETS: Final[Mapping[tuple[str, str], Budget]] = MappingProxyType({})


class FeatureTags:
    """How one tenant's feature tags are taken (CONTRACT §4)."""

    def __init__(self, own: Mapping[str, _Rows[_Tag]], modes: Sequence[_Rows[_Rule]]) -> None:
        self._tags = own
        self._modes = modes

    def taken(self, tag: str, occurred_at: int) -> str:
        """Return *tag* of a record of *occurred_at* (µs) as it counts: itself or ``unclassified``."""
        row = _in_force(self._tags.get(tag, ()), occurred_at)
        if row is not None:
            return tag if row.is_active else UNCLASSIFIED
        mode = next((found for rows in self._modes if (found := _in_force(rows, occurred_at)) is not None), None)
        return UNCLASSIFIED if mode is not None and mode.value == REGISTERED else tag


class CostSettings:
    """The settings rows of a partition's database, looked up by tenant and window; never changed once made.

    What is in force changes when a row takes effect and at no other time. So answers are made and remembered once for
    each such turn, not for each window: what is remembered does not grow with the days that pass. Nothing here refers
    back to the whole, so that it goes at once when newer settings follow: cycles are hardly ever looked for.

    Attributes:
        mark: tells these settings from others; whoever keeps it does not keep them, once newer ones are known.
    """

    def __init__(self, rows: Sequence[SettingRow], start: Profile) -> None:
        self.mark: Final = object()
        self._start = Rules(start)
        self._books: dict[str, _Book] = {}
        for row in rows:
            if row.kind in KINDS:
                _enter(self._books.setdefault(row.tenant_id, _Book()), row)
        self._every = self._books.get(EVERY_TENANT, _NOTHING)
        self._rule_turns = {
            name: _turns([*book.rules.values(), *self._every.rules.values()])
            for name, book in self._books.items()
            if book.rules
        }
        self._budget_turns = {name: _turns(book.budgets.values()) for name, book in self._books.items() if book.budgets}
        self._rules_of: dict[tuple[str, int], Rules] = {}
        self._budgets_of: dict[tuple[str, str, int], Mapping[tuple[str, str], Budget]] = {}

    def rules(self, tenant_id: str, end_day: int) -> Rules:
        """Return the rules by which a window of the tenant that ends before *end_day* is judged."""
        named = tenant_id if tenant_id in self._rule_turns else EVERY_TENANT
        turns = self._rule_turns.get(named)
        if turns is None:
            return self._start
        key = (named, bisect_left(turns, end_day * US_PER_DAY))
        found = self._rules_of.get(key)
        return _remember(self._rules_of, key, self._rules_after(*key)) if found is None else found

    def budgets(self, tenant_id: str, period: str, end_day: int) -> Mapping[tuple[str, str], Budget]:
        """Return the budgets of a window of *period* that ends before *end_day*, with a limit, by (type, entity)."""
        turns = self._budget_turns.get(tenant_id)
        if turns is None:
            return _NO_BUDGETS
        key = (tenant_id, period, bisect_left(turns, end_day * US_PER_DAY))
        found = self._budgets_of.get(key)
        return _remember(self._budgets_of, key, self._budgets_after(*key)) if found is None else found

    def count(self, tenant_id: str, end_day: int) -> int:
        """Return the rows, inactive ones too, of the tenant and of ``*`` in effect before *end_day* (CONTRACT §5)."""
        end_us = end_day * US_PER_DAY
        books = {EVERY_TENANT: self._every, tenant_id: self._books.get(tenant_id, _NOTHING)}
        return sum(effective < end_us for book in books.values() for effective in book.effective)

    def has_budgets(self, tenant_id: str) -> bool:
        """Whether the tenant ever had a budget."""
        book = self._books.get(tenant_id)
        return book is not None and bool(book.budgets)

    def feature_tags(self, tenant_id: str) -> FeatureTags | None:
        """Return how the tenant's tags are taken, None when all are taken as written."""
        book = self._books.get(tenant_id, _NOTHING)
        modes = [of.rules[FEATURE_TAGS] for of in (book, self._every) if FEATURE_TAGS in of.rules]
        return FeatureTags(book.tags, modes) if book.tags or modes else None

    def _rules_after(self, named: str, turn: int) -> Rules:
        """Return the rules of the tenant *named* between its turns *turn* - 1 and *turn*."""
        at_us = _since(self._rule_turns[named], turn)
        values: dict[str, int | str] = {}
        for book in (self._every, self._books[named]):  # the tenant's own come last and win
            for name, rows in book.rules.items():
                row = _in_force(rows, at_us)
                if row is not None:
                    values[name] = row.value
        chosen = values.get(PROFILE)
        profile = self._start.profile if chosen is None else PROFILES[ProfileName(str(chosen))]
        numbers: dict[str, Any] = {name: int(values[name]) for name in NUMBERS if name in values}
        return Rules(replace(profile, **numbers))

    def _budgets_after(self, tenant_id: str, period: str, turn: int) -> Mapping[tuple[str, str], Budget]:
        """Return the budgets of the tenant, for *period*, between its turns *turn* - 1 and *turn*."""
        at_us = _since(self._budget_turns[tenant_id], turn)
        rows = {key: _in_force(rows, at_us) for key, rows in self._books[tenant_id].budgets.items()}
        return {key: budget for key, budget in rows.items() if budget is not None and budget.limit_cents(period)}


def concerned(rows: Sequence[SettingRow]) -> frozenset[str] | None:
    """Return the tenants whose windows *rows* may judge differently, None when that may be any tenant's."""
    tenants = frozenset(row.tenant_id for row in rows if row.kind in KINDS)
    return None if EVERY_TENANT in tenants else tenants


def _remember(answers: dict[_Key, _Content], key: _Key, answer: _Content) -> _Content:
    """Return *answer*, from now on remembered under *key*; all others are forgotten when they are very many."""
    if len(answers) >= _REMEMBERED_MAX:
        answers.clear()
    answers[key] = answer
    return answer


def _turns(each: Iterable[Sequence[tuple[int, object]]]) -> list[int]:
    """Return when any of the rows takes effect, µs, in order."""
    return sorted({effective for rows in each for effective, _ in rows})


def _since(turns: Sequence[int], turn: int) -> int:
    """Return the newest time, µs, among the first *turn* of *turns*."""
    return turns[turn - 1] if turn else _BEFORE_ALL_US


def _in_force(rows: Sequence[tuple[int, _Content]], at_us: int) -> _Content | None:
    """Return the row of the greatest effective time up to *at_us*, of equal ones the last."""
    newest: tuple[int, _Content] | None = None
    for row in rows:
        if row[0] <= at_us and (newest is None or row[0] >= newest[0]):
            newest = row
    return None if newest is None else newest[1]


def _enter(book: _Book, row: SettingRow) -> None:
    effective = _ALWAYS_US if row.effective_us is None else row.effective_us
    book.effective.append(effective)
    if row.kind == BUDGET:
        budget = _decode_budget(row.body)
        book.budgets.setdefault((budget.budget_type, budget.entity_id), []).append((effective, budget))
    elif row.kind == TAG:
        tag = _decode_tag(row.body)
        book.tags.setdefault(tag.tag, []).append((effective, tag))
    else:
        rule = _decode_rule(row.body)
        book.rules.setdefault(rule.name, []).append((effective, rule))


_decode_budget: Final[Callable[[bytes], Budget]] = msgspec.json.Decoder(Budget).decode
_decode_tag: Final[Callable[[bytes], _Tag]] = msgspec.json.Decoder(_Tag).decode
_decode_rule: Final[Callable[[bytes], _Rule]] = msgspec.json.Decoder(_Rule).decode
