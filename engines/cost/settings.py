"""What is not in the log, as it is in force for one tenant and one window: rules, budgets, feature tags.

A window is judged with the row of the greatest ``effective_from`` before the window's end, of equal ones the one
appended last (CONTRACT §4); a tenant's own rule wins over one of every tenant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final, TypeVar

import msgspec

from engines.core.model import SettingRow
from engines.core.time import US_PER_DAY
from engines.cost.rules import NUMBERS, PROFILES, Profile, ProfileName, Rules

BUDGET: Final = "budget"
TAG: Final = "tag"
RULE: Final = "rule"
EVERY_TENANT: Final = "*"
PROFILE: Final = "profile"
FEATURE_TAGS: Final = "feature_tags"
OPEN: Final = "open"
REGISTERED: Final = "registered"
UNCLASSIFIED: Final = "unclassified"
"""What a tag becomes that is inactive, or not registered where it must be."""

_ALWAYS_US: Final = -1


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
    """The settings rows of a partition's database, looked up by tenant and window; never changed once made."""

    def __init__(self, rows: Sequence[SettingRow], start: Profile) -> None:
        self._start = Rules(start)
        self._books: dict[str, _Book] = {}
        for row in rows:
            _enter(self._books.setdefault(row.tenant_id, _Book()), row)
        self._every = self._books.get(EVERY_TENANT, _NOTHING)
        self.rules = lru_cache(maxsize=4096)(self._rules)
        self.budgets = lru_cache(maxsize=4096)(self._budgets)

    def count(self, tenant_id: str, end_day: int) -> int:
        """Return the rows, inactive ones too, of the tenant and of ``*`` in effect before *end_day* (CONTRACT §5)."""
        end_us = end_day * US_PER_DAY
        books = {EVERY_TENANT: self._every, tenant_id: self._books.get(tenant_id, _NOTHING)}
        return sum(effective < end_us for book in books.values() for effective in book.effective)

    def _budgets(self, tenant_id: str, period: str, end_day: int) -> Mapping[tuple[str, str], Budget]:
        """Return the budgets of a window of *period* that ends before *end_day*, with a limit, by (type, entity)."""
        book = self._books.get(tenant_id)
        if book is None:
            return {}
        rows = {key: _in_force(rows, end_day * US_PER_DAY - 1) for key, rows in book.budgets.items()}
        return {key: budget for key, budget in rows.items() if budget is not None and budget.limit_cents(period)}

    def has_budgets(self, tenant_id: str) -> bool:
        """Whether the tenant ever had a budget."""
        book = self._books.get(tenant_id)
        return book is not None and bool(book.budgets)

    def feature_tags(self, tenant_id: str) -> FeatureTags | None:
        """Return how the tenant's tags are taken, None when all are taken as written."""
        book = self._books.get(tenant_id, _NOTHING)
        modes = [of.rules[FEATURE_TAGS] for of in (book, self._every) if FEATURE_TAGS in of.rules]
        return FeatureTags(book.tags, modes) if book.tags or modes else None

    def _rules(self, tenant_id: str, end_day: int) -> Rules:
        """Return the rules by which a window of the tenant that ends before *end_day* is judged."""
        books = [book for book in (self._every, self._books.get(tenant_id, _NOTHING)) if book.rules]
        if not books:
            return self._start
        values: dict[str, int | str] = {}
        for book in books:  # the tenant's own come last and win
            for name, rows in book.rules.items():
                row = _in_force(rows, end_day * US_PER_DAY - 1)
                if row is not None:
                    values[name] = row.value
        named = values.get(PROFILE)
        profile = self._start.profile if named is None else PROFILES[ProfileName(str(named))]
        numbers: dict[str, Any] = {name: int(values[name]) for name in NUMBERS if name in values}
        return Rules(replace(profile, **numbers))


def concerned(rows: Sequence[SettingRow]) -> frozenset[str] | None:
    """Return the tenants whose windows *rows* may judge differently, None when that may be any tenant's."""
    tenants = frozenset(row.tenant_id for row in rows)
    return None if EVERY_TENANT in tenants else tenants


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
