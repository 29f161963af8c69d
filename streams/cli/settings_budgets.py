"""``outlay budgets set``, ``list`` and ``remove``: what a tenant, a feature or a user may spend."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer

from streams.cli.settings_shared import Json, JsonLine, OfTenant, Since, Tenant

if TYPE_CHECKING:
    from engines.core.model import SettingRow
    from engines.cost.setting_lines import BudgetLine
    from engines.cost.write import CostWriteService

budgets = typer.Typer(help="What a tenant, a feature or a user may spend.", no_args_is_help=True, rich_markup_mode=None)

_LIST: Final = "outlay budgets list"
_USD: Final = re.compile(r"([0-9]{1,12})(?:\.([0-9]+))?")
_SET_EXAMPLES: Final = """\b
Examples:
  outlay budgets set --tenant acme --type tenant --daily-usd 250 --monthly-usd 5000
  outlay budgets set --tenant acme --type feature --entity triage --daily-usd 12.50 --warn 90
  outlay budgets set --tenant acme --type user --entity ana --monthly-cents 9900 --effective-from 2026-12-01T00:00:00Z
"""
_LIST_EXAMPLES: Final = """\b
Examples:
  outlay budgets list
  outlay budgets list --tenant acme --json
"""
_REMOVE_EXAMPLES: Final = """\b
Examples:
  outlay budgets remove --tenant acme --type tenant
  outlay budgets remove --tenant acme --type feature --entity triage
"""


class BudgetType(StrEnum):
    """Whose spend a budget limits."""

    tenant = "tenant"
    feature = "feature"
    user = "user"


Type = Annotated[BudgetType, typer.Option("--type", help="Whose spend it limits.")]
Entity = Annotated[
    str | None, typer.Option("--entity", metavar="E", help="The feature or user; left out for a tenant.")
]


@budgets.command("set", epilog=_SET_EXAMPLES)
def set_(
    *,
    tenant: Tenant,
    type_: Type,
    entity: Entity = None,
    daily_usd: Annotated[str | None, typer.Option(metavar="USD", help="Limit per UTC day, e.g. 12.50.")] = None,
    daily_cents: Annotated[int | None, typer.Option(min=0, help="The same in cents.")] = None,
    monthly_usd: Annotated[str | None, typer.Option(metavar="USD", help="Limit per calendar month.")] = None,
    monthly_cents: Annotated[int | None, typer.Option(min=0, help="The same in cents.")] = None,
    warn: Annotated[int, typer.Option(min=1, max=100, metavar="PCT", help="Warn at this share of a limit.")] = 80,
    effective_from: Since = None,
    as_json: JsonLine = False,
) -> None:
    """Set a budget, whole: a limit that is not given is none.

    It holds for the windows that end after the time it takes effect, so for all of today and of this month when
    nothing else is said. Nothing may take effect within days that are closed.
    """
    from streams.cli import settings_shared as shared

    _refuse_nobody(type_, entity)
    daily = _cents(daily_usd, daily_cents, "daily")
    monthly = _cents(monthly_usd, monthly_cents, "monthly")
    if not daily and not monthly:
        raise typer.BadParameter(
            "a budget needs a limit: say --daily-usd or --monthly-usd; `outlay budgets remove` takes a budget away"
        )
    effective_us = shared.effective(effective_from)
    shared.run(
        lambda service, _: service.create_or_update_budget(
            None, tenant, type_.value, entity, daily, monthly, warn, effective_us=effective_us
        ),
        tenant,
        _LIST,
        as_json=as_json,
    )


@budgets.command("remove", epilog=_REMOVE_EXAMPLES)
def remove(
    *, tenant: Tenant, type_: Type, entity: Entity = None, effective_from: Since = None, as_json: JsonLine = False
) -> None:
    """Take a budget away, from some time on; what it warned of in open windows is withdrawn."""
    from streams.cli import settings_shared as shared

    _refuse_nobody(type_, entity)
    effective_us = shared.effective(effective_from)

    async def write(service: CostWriteService, rows: Sequence[SettingRow]) -> BudgetLine:
        budget = _standing(rows, (tenant, type_.value, tenant if entity is None else entity), effective_us)
        return await service.remove_budget(budget, effective_us=effective_us)

    shared.run(write, tenant, _LIST, as_json=as_json)


@budgets.command("list", epilog=_LIST_EXAMPLES)
def list_(*, tenant: OfTenant = None, as_json: Json = False) -> None:
    """Show the budgets in force for today's windows, and what is to come."""
    from engines.cost.setting_lines import BudgetLine
    from engines.cost.setting_view import entries
    from streams.cli import settings_shared as shared
    from streams.cli import wide

    found = entries(BudgetLine, shared.rows_of(tenant), shared.end_of_today_us()).values()
    now = [entry.now for entry in found if entry.now is not None and entry.now.is_active]
    later = [line for entry in found for line in entry.later]
    if as_json:
        lines = [(line, True) for line in now] + [(line, False) for line in later]
        shared.printed_as_json({**line.model_dump(), "in_force": in_force} for line, in_force in lines)
        return
    if not now:
        print("No budget is in force; `outlay budgets set` sets one.")
    else:
        table = wide.table("tenant", "type", "entity", "a day", "a month", "warns at", "in force from")
        for line in now:
            limits = (shared.usd(line.daily_limit_cents), shared.usd(line.monthly_limit_cents))
            warns = f"{line.warn_threshold_pct} %"
            whose = (line.tenant_id, line.budget_type, line.entity_id or "")
            table.add_row(*whose, *limits, warns, shared.since_of(line))
        wide.console().print(table)
    for line in later:
        print(f"from {shared.since_of(line)}: {shared.described(line)}")


def _standing(rows: Sequence[SettingRow], subject: tuple[str, ...], at_us: int) -> BudgetLine:
    from engines.core.errors import SettingsError
    from engines.cost.setting_lines import BudgetLine
    from engines.cost.setting_view import entries

    entry = entries(BudgetLine, rows, at_us).get(subject)
    if entry is None or entry.now is None or not entry.now.is_active:
        tenant, budget_type, entity = subject
        whose = tenant if budget_type == "tenant" else f"{tenant}, {budget_type} {entity}"
        raise SettingsError(f"there is no budget of {whose} to remove: `{_LIST} --tenant {tenant}` shows what there is")
    return entry.now


def _refuse_nobody(type_: BudgetType, entity: str | None) -> None:
    if type_ is not BudgetType.tenant and entity is None:
        raise typer.BadParameter(f"whose? say which {type_.value} with --entity", param_hint="--entity")


def _cents(usd: str | None, cents: int | None, period: str) -> int | None:
    """Return a limit in cents, exactly; None when it is not given."""
    if usd is None:
        return cents
    if cents is not None:
        raise typer.BadParameter(f"--{period}-usd and --{period}-cents exclude each other")
    read = _USD.fullmatch(usd)
    if read is None:
        raise typer.BadParameter(f"{usd!r} is not an amount such as 12.50", param_hint=f"--{period}-usd")
    fraction = (read[2] or "").rstrip("0")
    if len(fraction) > len("00"):
        raise typer.BadParameter(f"{usd!r} is finer than a cent", param_hint=f"--{period}-usd")
    return int(read[1]) * 100 + int(fraction.ljust(2, "0"))
