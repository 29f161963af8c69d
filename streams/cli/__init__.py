"""The command line: ``outlay COMMAND``; each module here is one command or a family of them.

One invariant: what goes wrong on purpose (``OutlayError``) is one line on stderr, never a traceback. Exit codes: 0
done, 1 failed, 2 wrong usage or settings.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from engines.core.errors import OutlayError, SettingsError
from streams.cli import (
    contracts,
    dead_letters,
    demo,
    doctor,
    operate,
    positions,
    publish,
    replay,
    retention,
    settings_budgets,
    settings_rules,
    settings_tags,
    snapshots,
    status,
    top,
)

FAILED = 1
USAGE = 2

app = typer.Typer(
    name="outlay",
    help="Cost records of LLM calls in; exact totals, snapshots and spend anomalies out. "
    "Settings are environment variables OUTLAY_…; see the README.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(demo.demo)
app.command()(operate.migrate)
app.add_typer(operate.topics, name="topics")
app.command()(operate.worker)
app.command()(status.status)
app.command()(doctor.doctor)
app.command()(top.top)
app.command()(snapshots.snapshots)
app.add_typer(positions.positions, name="positions")
app.add_typer(dead_letters.dead_letters, name="dead-letters")
app.add_typer(settings_rules.rules, name="rules")
app.add_typer(settings_budgets.budgets, name="budgets")
app.add_typer(settings_tags.tags, name="tags")
app.command()(publish.publish)
app.command()(replay.replay)
app.command()(retention.retention)
app.command(epilog=contracts.SCHEMAS_EXAMPLES)(contracts.schemas)
app.command(epilog=contracts.ASYNCAPI_EXAMPLES)(contracts.asyncapi)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command in *arguments* (default: those of this process) and end with its exit code."""
    try:
        app(arguments, prog_name="outlay")
    except OutlayError as error:
        print(f"outlay: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(USAGE if isinstance(error, SettingsError) else FAILED)
