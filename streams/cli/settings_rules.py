"""``outlay rules set`` and ``list``: profile, thresholds and the reading of feature tags, for all or for one tenant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.settings_shared import Json, JsonLine

if TYPE_CHECKING:
    from engines.cost.setting_view import RuleInForce

rules = typer.Typer(
    help="Profile, thresholds and the reading of feature tags.", no_args_is_help=True, rich_markup_mode=None
)

_INTEGER = re.compile(r"-?[0-9]{1,30}")
_LIST = "outlay rules list"
_SET_EXAMPLES = """\b
Examples:
  outlay rules set profile reference
  outlay rules set spike_pct 160 --tenant acme
  outlay rules set excess_min_cents 1000 --effective-from 2026-12-01T00:00:00Z
  outlay rules set feature_tags registered --tenant acme
"""
_LIST_EXAMPLES = """\b
Examples:
  outlay rules list
  outlay rules list --tenant acme --json
"""


@rules.command("set", epilog=_SET_EXAMPLES)
def set_(
    name: Annotated[str, typer.Argument(help="The rule; `outlay rules list` names them all.")],
    value: Annotated[str, typer.Argument(help="A whole number; a word for profile and feature_tags.")],
    tenant: Annotated[str, typer.Option("--tenant", metavar="T", help="For this tenant only.")] = "*",
    effective_from: Annotated[
        str | None,
        typer.Option(
            "--effective-from",
            metavar="TIME",
            help="From when on, e.g. 2026-12-01T00:00:00Z [default: now; feature_tags: in 30 s, so that every worker "
            "knows it in time].",
        ),
    ] = None,
    *,
    as_json: JsonLine = False,
) -> None:
    """Set one rule, for every tenant or for one, from some time on.

    A window is judged by the rules in force at its end, so what is set now is in force for all of today and this month.
    A tenant's own rule wins over one for all, and a number that was set stays set when the profile changes. Nothing
    may take effect within days that are closed. feature_tags (open, registered) goes by the time of each record.
    """
    from engines.cost.rule_names import RULES, Numbers
    from engines.cost.settings import FEATURE_TAGS
    from streams.cli import settings_shared as shared

    effective_us = shared.effective(effective_from, soon=name == FEATURE_TAGS)
    number = isinstance(RULES.get(name), Numbers) and _INTEGER.fullmatch(value)
    shared.run(
        lambda service, _: service.set_rule(name, int(value) if number else value, tenant, effective_us=effective_us),
        tenant,
        _LIST,
        as_json=as_json,
    )


@rules.command("list", epilog=_LIST_EXAMPLES)
def list_(
    *,
    tenant: Annotated[
        str,
        typer.Option("--tenant", metavar="T", help="As in force for this tenant [default: without rows of its own]."),
    ] = "*",
    as_json: Json = False,
) -> None:
    """Show every rule as it is in force for today's windows, where it comes from, and what is to come."""
    from drivers import settings
    from engines.cost.setting_view import rules_in_force
    from streams.cli import settings_shared as shared
    from streams.cli import wide

    start, times = settings.load().rules, {"window_us": shared.end_of_today_us(), "record_us": shared.now_us()}
    found = rules_in_force(shared.rows_of(tenant), tenant, start, **times)
    if as_json:
        shared.printed_as_json(map(_members, found))
        return
    table = wide.table("rule", "value", "comes from", "in force from", right=("value",))
    profile = found[0].value
    for one in found:
        table.add_row(
            one.name, str(one.value), _origin(one, str(profile)), shared.since_of(one.row) if one.row else "-"
        )
    wide.console().print(table)
    for one in found:
        for line in one.later:
            print(f"from {shared.since_of(line)}: {shared.described(line)}")


def _origin(one: RuleInForce, profile: str) -> str:
    from engines.cost.settings import FEATURE_TAGS, PROFILE

    if one.row is not None:
        return "every tenant's row" if one.row.tenant_id == "*" else f"row of {one.row.tenant_id}"
    if one.name == PROFILE:
        return "OUTLAY_RULES"
    return "default" if one.name == FEATURE_TAGS else f"profile {profile}"


def _members(one: RuleInForce) -> dict[str, object]:
    later = [
        {"tenant_id": line.tenant_id, "value": line.value, "effective_from": line.effective_from} for line in one.later
    ]
    return {
        "name": one.name,
        "value": one.value,
        "row_of": one.row.tenant_id if one.row else None,
        "effective_from": one.row.effective_from if one.row else None,
        "later": later,
    }
