"""Budgets, feature tags and rules are written through here (reference, cost_write).

One invariant: a row is only ever appended, whole; what was in force before stays in force for its time (CONTRACT §4).
Records are not written: they come by Kafka, with a time and an id of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from engines.core.errors import SettingsError
from engines.core.model import Invalid, NewSetting
from engines.core.time import format_instant
from engines.cost.setting_lines import BudgetLine, Kind, RuleLine, SettingLine, TagLine, parse
from engines.cost.settings import EVERY_TENANT

_Line = TypeVar("_Line", bound=SettingLine)


class SettingsWriter(Protocol):
    """Where rows are appended: all of them, or none."""

    async def append(self, rows: Sequence[NewSetting]) -> None:
        """Append *rows* where the workers of their tenants look.

        Raises:
            SettingsError: one of them would change what is decided already.
            Transient: what it needs is away.
        """


class CostWriteService:
    """Writes settings. ``effective_us`` is when one takes effect, µs since the epoch; None: it always was in force.

    Every call returns the line as it stands now, and raises SettingsError that names the member and the reason when
    something is not valid or comes too late, and Transient when the database is away.
    """

    def __init__(self, writer: SettingsWriter) -> None:
        self._writer = writer

    async def create_feature_tag(
        self, tenant_id: str, tag: str, display_name: str | None = None, *, effective_us: int | None
    ) -> TagLine:
        """Register *tag*, active; without *display_name* it is called by itself."""
        return await self._append(TagLine, effective_us, tenant_id=tenant_id, tag=tag, display_name=display_name)

    async def update_feature_tag(
        self,
        feature_tag: TagLine,
        display_name: str | None = None,
        *,
        is_active: bool | None = None,
        effective_us: int | None,
    ) -> TagLine:
        """Change what is not None of *feature_tag*."""
        changes = {"display_name": display_name, "is_active": is_active}
        members = feature_tag.model_dump() | {name: value for name, value in changes.items() if value is not None}
        return await self._append(TagLine, effective_us, **members)

    async def create_or_update_budget(  # noqa: PLR0913 - the reference's arguments
        self,
        existing_budget: BudgetLine | None,
        tenant_id: str,
        budget_type: str,
        entity_id: str | None,
        daily_limit_cents: int | None,
        monthly_limit_cents: int | None,
        warn_threshold_pct: int = 80,
        *,
        hard_limit_enabled: bool = False,
        effective_us: int | None,
    ) -> BudgetLine:
        """Set all four settings of a budget; a limit of None is none. Whether it is active stays as it was."""
        return await self._append(
            BudgetLine,
            effective_us,
            tenant_id=tenant_id,
            budget_type=budget_type,
            entity_id=entity_id,
            daily_limit_cents=daily_limit_cents,
            monthly_limit_cents=monthly_limit_cents,
            warn_threshold_pct=warn_threshold_pct,
            hard_limit_enabled=hard_limit_enabled,
            is_active=existing_budget is None or existing_budget.is_active,
        )

    async def remove_budget(self, budget: BudgetLine, *, effective_us: int | None) -> BudgetLine:
        """Let *budget* no longer be checked; its limits stay on record."""
        return await self._append(BudgetLine, effective_us, **budget.model_dump() | {"is_active": False})

    async def set_rule(
        self, name: str, value: int | str, tenant_id: str = EVERY_TENANT, *, effective_us: int | None
    ) -> RuleLine:
        """Set one rule of a tenant, or of all."""
        return await self._append(RuleLine, effective_us, tenant_id=tenant_id, name=name, value=value)

    async def _append(self, model: type[_Line], effective_us: int | None, **members: object) -> _Line:
        members["effective_from"] = None if effective_us is None else format_instant(effective_us)
        line = valid(model, members)
        await self._writer.append([line.setting()])
        return line


def valid(model: type[_Line], members: dict[str, object]) -> _Line:
    """Return the line that *members* make. Raises SettingsError that names the member and the reason."""
    kind: Kind = model.kind
    line = parse(kind, members)
    if isinstance(line, Invalid):
        raise SettingsError(f"{kind}: {line.field or 'it'} {line.reason}")
    assert isinstance(line, model)  # noqa: S101 the kind decides
    return line
