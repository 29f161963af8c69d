"""``outlay tags set``, ``list`` and ``deactivate``: the feature tags that a tenant has registered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

from streams.cli.settings_shared import Json, JsonLine, OfTenant, SinceSoon, Tenant

if TYPE_CHECKING:
    from engines.core.model import SettingRow
    from engines.cost.setting_lines import TagLine
    from engines.cost.write import CostWriteService

tags = typer.Typer(help="The feature tags that a tenant has registered.", no_args_is_help=True, rich_markup_mode=None)

_LIST: Final = "outlay tags list"
_SET_EXAMPLES: Final = """\b
Examples:
  outlay tags set triage --tenant acme
  outlay tags set triage --tenant acme --display-name "Ticket triage"
"""
_LIST_EXAMPLES: Final = """\b
Examples:
  outlay tags list
  outlay tags list --tenant acme --json
"""
_DEACTIVATE_EXAMPLES: Final = """\b
Examples:
  outlay tags deactivate triage --tenant acme
  outlay tags deactivate triage --tenant acme --effective-from 2026-12-01T00:00:00Z
"""

Tag = Annotated[str, typer.Argument(help="The tag as records have it.")]


@tags.command("set", epilog=_SET_EXAMPLES)
def set_(
    tag: Tag,
    tenant: Tenant,
    display_name: Annotated[
        str | None, typer.Option(help="What people call it [default: as before, or the tag].")
    ] = None,
    effective_from: SinceSoon = None,
    *,
    as_json: JsonLine = False,
) -> None:
    """Register a tag, rename it, or make it active again.

    Registered or not, a tag is taken as written, unless the rule feature_tags is `registered`.
    """
    from streams.cli import settings_shared as shared

    effective_us = shared.effective(effective_from, soon=True)

    async def write(service: CostWriteService, rows: Sequence[SettingRow]) -> TagLine:
        before = _standing(rows, tenant, tag, effective_us)
        if before is None:
            return await service.create_feature_tag(tenant, tag, display_name, effective_us=effective_us)
        return await service.update_feature_tag(before, display_name, is_active=True, effective_us=effective_us)

    shared.run(write, tenant, _LIST, as_json=as_json)


@tags.command(epilog=_DEACTIVATE_EXAMPLES)
def deactivate(tag: Tag, tenant: Tenant, effective_from: SinceSoon = None, *, as_json: JsonLine = False) -> None:
    """Let records with a registered tag count as `unclassified`, from some time on; `outlay tags set` undoes it."""
    from engines.core.errors import SettingsError
    from streams.cli import settings_shared as shared

    effective_us = shared.effective(effective_from, soon=True)

    async def write(service: CostWriteService, rows: Sequence[SettingRow]) -> TagLine:
        before = _standing(rows, tenant, tag, effective_us)
        if before is None:
            raise SettingsError(
                f"{tenant} has not registered the tag {tag}: `outlay tags set {tag} --tenant {tenant}` does,"
                f" `{_LIST} --tenant {tenant}` shows what there is"
            )
        return await service.update_feature_tag(before, is_active=False, effective_us=effective_us)

    shared.run(write, tenant, _LIST, as_json=as_json)


@tags.command("list", epilog=_LIST_EXAMPLES)
def list_(*, tenant: OfTenant = None, as_json: Json = False) -> None:
    """Show the registered tags, inactive ones too, and what is to come."""
    from engines.cost.setting_lines import TagLine
    from engines.cost.setting_view import entries
    from streams.cli import settings_shared as shared
    from streams.cli import wide

    found = entries(TagLine, shared.rows_of(tenant), shared.now_us()).values()
    now = [entry.now for entry in found if entry.now is not None]
    later = [line for entry in found for line in entry.later]
    if as_json:
        lines = [(line, True) for line in now] + [(line, False) for line in later]
        shared.printed_as_json({**line.model_dump(), "in_force": in_force} for line, in_force in lines)
        return
    if not now:
        print("No tag is registered; `outlay tags set` registers one.")
    else:
        table = wide.table("tenant", "tag", "display name", "state", "in force from")
        for line in now:
            state = "active" if line.is_active else "inactive"
            table.add_row(line.tenant_id, line.tag, line.display_name, state, shared.since_of(line))
        wide.console().print(table)
    for line in later:
        print(f"from {shared.since_of(line)}: {shared.described(line)}")


def _standing(rows: Sequence[SettingRow], tenant: str, tag: str, at_us: int) -> TagLine | None:
    from engines.cost.setting_lines import TagLine
    from engines.cost.setting_view import entries

    entry = entries(TagLine, rows, at_us).get((tenant, tag))
    return None if entry is None else entry.now
