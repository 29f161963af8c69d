"""What is not in the log: budgets, tags, rules; which row is in force when (CONTRACT §4, §6).

Rows are only ever appended. A partition knows the rows of the start and learns of the others between two records.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.oracle.records import DAY_US

Profile = Literal["standard", "reference"]
EVERYONE = "*"
UNCLASSIFIED = "unclassified"
USD = 10**9
CENT = 10**7

# By name: the number of `standard` and that of `reference` (percentages, days, US cents).
NUMBERS: Mapping[str, tuple[int, int]] = {
    "spike_pct": (140, 140),
    "consecutive_days": (2, 2),
    "baseline_days_min": (3, 1),
    "few_days_pct": (300, 300),
    "few_days_excess_cents": (2_500, 0),
    "excess_min_cents": (500, 0),
    "alone_pct": (300, 0),
    "alone_excess_pct": (200, 200),
    "alone_excess_cents": (2_500, 0),
    "drift_pct": (125, 125),
    "drift_days_required": (3, 3),
    "drift_days_min": (3, 0),
    "severity_medium_pct": (25, 25),
    "severity_high_pct": (40, 40),
    "budget_high_pct": (90, 90),
    "day_low_pct": (200, 200),
    "day_medium_pct": (300, 300),
    "day_high_pct": (400, 400),
    "day_critical_pct": (500, 500),
    "unpriced_pct": (50, 0),
    "unpriced_requests_min": (20, 20),
    "cause_retry_ratio_pct": (150, 150),
    "cause_retry_share_pct": (5, 5),
    "cause_feature_share_pct": (60, 60),
    "cause_feature_points": (10, 10),
    "cause_growth_pct": (130, 130),
}


@dataclass(frozen=True)
class Setting:
    """One row, and from where on it is known.

    Attributes:
        kind: `budget`, `tag` or `rule`; what its body holds is said by the kind.
        tenant_id: `*` for a rule of every tenant.
        effective_us: None: always.
        known_before: by partition, the offset of the first record that is read with the row known; a partition that
            is not named knows it from its start. An offset past the end: known after the last record.
    """

    kind: str
    tenant_id: str
    effective_us: int | None
    body: Mapping[str, Any]
    known_before: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Rules:
    """The numbers a window is judged with."""

    profile: Profile
    numbers: Mapping[str, int]

    def __getitem__(self, name: str) -> int:
        return self.numbers[name]

    @property
    def changed(self) -> dict[str, int]:
        """The numbers that are not those of the profile."""
        own = _numbers(self.profile)
        return {name: number for name, number in self.numbers.items() if number != own[name]}


@dataclass(frozen=True)
class Budget:
    """A budget in force; limits in US cents, None where there is none."""

    entity: tuple[str, str]
    limits: Mapping[str, int | None]  # by period, daily and monthly
    warn_threshold_pct: int


def _numbers(profile: Profile) -> dict[str, int]:
    return {name: numbers[profile == "reference"] for name, numbers in NUMBERS.items()}


def _newest(rows: Iterable[Setting]) -> Setting | None:
    """Return the row of the greatest time, of equal ones the last."""
    newest = None
    for row in rows:
        if newest is None or _since(row) >= _since(newest):
            newest = row
    return newest


def _since(row: Setting) -> int:
    return -1 if row.effective_us is None else row.effective_us


class Known:
    """The rows that a partition knows, in the order in which they were appended."""

    def __init__(self, start: Profile, partition: int, rows: Sequence[Setting]) -> None:
        """Know the rows that *partition* knows from its start; *start* is the profile without any row."""
        self._start = start
        self._partition = partition
        self._rows = list(rows)
        self._known: list[Setting] = []
        self._known_places: set[int] = set()
        self._rules: dict[tuple[str, int], Rules] = {}
        self._budgets: dict[tuple[str, int], list[Budget]] = {}
        self.learn(-1)

    def learn(self, offset: int | None) -> bool:
        """Know what is known before the record at *offset* (None: at the end), and return whether it is more."""
        known = {
            place
            for place, row in enumerate(self._rows)
            if offset is None or row.known_before.get(self._partition, -1) <= offset
        }
        more = not known <= self._known_places
        if more:
            self._known_places |= known
            self._known = [self._rows[place] for place in sorted(self._known_places)]
            self._rules.clear()
            self._budgets.clear()
        return more

    def count(self, tenant_id: str, last_day: int) -> int:
        """Return how many rows concern the windows of a tenant that end with *last_day*: `s` of a revision."""
        return len(self._before(tenant_id, (last_day + 1) * DAY_US))

    def _before(self, tenant_id: str, before_us: int) -> list[Setting]:
        return [row for row in self._known if row.tenant_id in (tenant_id, EVERYONE) and _since(row) < before_us]

    def rules(self, tenant_id: str, last_day: int) -> Rules:
        """Return the rules of a tenant's window that ends with *last_day*."""
        key = (tenant_id, last_day)
        if key not in self._rules:
            rows = [row for row in self._before(tenant_id, (last_day + 1) * DAY_US) if row.kind == "rule"]
            profile = _value(rows, tenant_id, "profile")
            name = self._start if profile is None else profile
            numbers = _numbers(name)
            for number in NUMBERS:
                changed = _value(rows, tenant_id, number)
                numbers[number] = numbers[number] if changed is None else changed
            self._rules[key] = Rules(name, numbers)
        return self._rules[key]

    def budgets(self, tenant_id: str, last_day: int) -> list[Budget]:
        """Return the tenant's active budgets for a window that ends with *last_day*."""
        key = (tenant_id, last_day)
        if key not in self._budgets:
            rows = [row for row in self._before(tenant_id, (last_day + 1) * DAY_US) if row.kind == "budget"]
            by_entity: dict[tuple[str, str], list[Setting]] = {}
            for row in rows:
                by_entity.setdefault((row.body["budget_type"], row.body["entity_id"]), []).append(row)
            newest = {entity: _newest(own) for entity, own in by_entity.items()}
            self._budgets[key] = [_budget(entity, row) for entity, row in newest.items() if row and _active(row)]
        return self._budgets[key]

    def feature_tag(self, tenant_id: str, tag: str | None, at_us: int) -> str | None:
        """Return the tag that a record of *at_us* counts for."""
        if tag is None:
            return None
        rows = self._before(tenant_id, at_us + 1)
        own = _newest(row for row in rows if row.kind == "tag" and row.body["tag"] == tag)
        if own is not None:
            return tag if _active(own) else UNCLASSIFIED
        rules = [row for row in rows if row.kind == "rule"]
        return UNCLASSIFIED if _value(rules, tenant_id, "feature_tags") == "registered" else tag


def _value(rows: Sequence[Setting], tenant_id: str, name: str) -> Any:
    """Return what a rule is set to, None when no row sets it; the tenant's own row wins over that of everyone."""
    named = [row for row in rows if row.body["name"] == name]
    row = _newest(row for row in named if row.tenant_id == tenant_id) or _newest(named)
    return None if row is None else row.body["value"]


def _active(row: Setting) -> bool:
    return bool(row.body.get("is_active", True))


def _budget(entity: tuple[str, str], row: Setting) -> Budget:
    limits = {"daily": row.body.get("daily_limit_cents"), "monthly": row.body.get("monthly_limit_cents")}
    return Budget(entity, limits, row.body.get("warn_threshold_pct", 80))
