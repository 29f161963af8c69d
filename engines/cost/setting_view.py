"""Settings rows as people look at them: what is in force, since when, and what is to come.

One invariant: the same row is shown that judges (``engines.cost.settings``), or nothing in a list could be trusted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

from engines.core.model import SettingRow
from engines.cost.rule_names import RULES
from engines.cost.rules import NUMBERS, PROFILES, ProfileName
from engines.cost.setting_lines import BudgetLine, RuleLine, SettingLine, TagLine, line_of
from engines.cost.settings import EVERY_TENANT, FEATURE_TAGS, OPEN, PROFILE

_Line = TypeVar("_Line", bound=SettingLine)
_ALWAYS_US = -1
Subject = tuple[str, ...]


class Entry(NamedTuple, Generic[_Line]):
    """All that is set for one budget, tag or rule: what is in force, None when nothing is yet, and what comes later."""

    now: _Line | None
    later: Sequence[_Line]


class RuleInForce(NamedTuple):
    """One rule as it is in force for a tenant; ``row`` is None when the profile, or a default, says so."""

    name: str
    value: int | str
    row: RuleLine | None
    later: Sequence[RuleLine]


def subject_of(line: SettingLine) -> Subject:
    """Return what *line* is about: of lines of one subject one is in force at a time."""
    if isinstance(line, BudgetLine):
        return line.tenant_id, line.budget_type, line.entity_id or ""
    return line.tenant_id, line.tag if isinstance(line, TagLine) else line.name


def entries(model: type[_Line], rows: Iterable[SettingRow], until_us: int) -> dict[Subject, Entry[_Line]]:
    """Return what *rows*, in order, say by subject, in the order of subjects.

    Args:
        model: which kind of line is looked for.
        rows: all rows of the tenants in question.
        until_us: lines of this instant or before are in force, later ones are to come.
    """
    found: dict[Subject, list[_Line]] = {}
    for line in map(line_of, rows):
        if isinstance(line, model):
            found.setdefault(subject_of(line), []).append(line)
    return {subject: _entry(lines, until_us) for subject, lines in sorted(found.items())}


def rules_in_force(
    rows: Sequence[SettingRow], tenant_id: str, start: str, *, window_us: int, record_us: int
) -> list[RuleInForce]:
    """Return every rule as it is in force for *tenant_id* (``*``: for whoever has none of their own).

    Args:
        rows: those of the tenant and of ``*``, in order.
        tenant_id: for whom.
        start: the profile that holds where no row names one.
        window_us: the last instant of the window in question.
        record_us: the time of a record, for ``feature_tags``, which goes by that.
    """
    whose = [EVERY_TENANT] if tenant_id == EVERY_TENANT else [tenant_id, EVERY_TENANT]
    found: dict[str, tuple[RuleLine | None, list[RuleLine]]] = {}
    by_window, by_record = entries(RuleLine, rows, window_us), entries(RuleLine, rows, record_us)
    for name in RULES:
        of_name = by_record if name == FEATURE_TAGS else by_window
        of_tenants = [of_name[tenant, name] for tenant in whose if (tenant, name) in of_name]
        row = next((entry.now for entry in of_tenants if entry.now is not None), None)
        found[name] = row, [line for entry in of_tenants for line in entry.later]
    profile = found[PROFILE][0]
    name_of_profile = start if profile is None else str(profile.value)
    numbers = PROFILES[ProfileName(name_of_profile)]
    defaults: dict[str, int | str] = {PROFILE: name_of_profile, FEATURE_TAGS: OPEN}
    defaults |= {name: getattr(numbers, name) for name in NUMBERS}
    return [
        RuleInForce(name, defaults[name] if row is None else row.value, row, later)
        for name, (row, later) in found.items()
    ]


def effective_us_of(line: SettingLine) -> int:
    """Return from when on *line* is in force, for comparison: always is before everything."""
    return _ALWAYS_US if line.effective_us is None else line.effective_us


def _entry(lines: Sequence[_Line], until_us: int) -> Entry[_Line]:
    now = [line for line in lines if effective_us_of(line) <= until_us]
    later = sorted((line for line in lines if effective_us_of(line) > until_us), key=effective_us_of)
    newest = max(map(effective_us_of, now), default=_ALWAYS_US)
    return Entry(next((line for line in reversed(now) if effective_us_of(line) == newest), None), later)
