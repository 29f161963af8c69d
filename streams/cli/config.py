"""``outlay config``: the settings in force, and where each comes from."""

from __future__ import annotations

import json
from typing import Annotated, Final

import typer

EXAMPLES: Final = """\b
Examples:
  outlay config
  OUTLAY_METRICS_PORT=9500 outlay config --changed
  outlay config --json
  outlay config --markdown > configuration.md
"""


def config(
    *,
    changed: Annotated[bool, typer.Option("--changed", help="Only those that the environment sets.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="The reference of all settings instead, with their meaning.")
    ] = False,
) -> None:
    """Show every setting in force and whether the environment or the default says so. Secrets are masked.

    Settings are environment variables OUTLAY_…, read once at start. An empty one counts as not set; an unknown or
    wrong one stops every command with exit code 2.
    """
    from drivers import settings, settings_shown

    if markdown:
        if changed or as_json:
            raise typer.BadParameter("goes alone", param_hint="--markdown")
        print(settings_shown.markdown(), end="")
        return
    found = settings_shown.in_force(settings.load())
    shown = [one for one in found if one.source == "environment" or not changed]
    if as_json:
        members = {one.name: {"value": one.value, "source": one.source} for one in shown}
        print(json.dumps(members, ensure_ascii=False, separators=(",", ":")))
        return
    if not shown:
        print("The environment sets nothing; every setting has its default: `outlay config` shows them.")
        return
    from rich.text import Text

    from streams.cli import wide

    table = wide.table("setting", "value", "from")
    for one in shown:
        value = settings_shown.text(one.value)
        style = "bold" if one.source == "environment" else ""
        table.add_row(Text(one.name), Text(value or "-"), Text(one.source), style=style)
    wide.console().print(table)
