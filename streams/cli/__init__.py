"""The command line: ``outlay COMMAND``; each module here is one command or a family of them.

One invariant: what goes wrong on purpose (``OutlayError``) is one line on stderr, never a traceback. Exit codes are
the same everywhere: 0 done, 1 failed or found something wrong, 2 wrong usage or settings, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from engines.core.errors import OutlayError, SettingsError, Transient
from streams.cli import (
    backtest,
    config,
    contracts,
    dead_letters,
    demo,
    doctor,
    feedback,
    operate,
    positions,
    predictions,
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

EPILOG = """\b
Examples:
  outlay demo
  outlay migrate && outlay topics apply && outlay worker
  outlay publish calls.jsonl && outlay status
  outlay COMMAND --help

\b
Exit codes: 0 done; 1 failed, or found something wrong; 2 wrong usage or settings; 130 interrupted.
"""


class _Outlay(TyperGroup):
    """The command ``outlay``: no command of it runs in an environment that misspells a setting."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - of the click that typer brings
        """Run a command, even one that reads no setting, only when all names are known; help is always given."""
        from drivers.settings import refuse_unknown

        if "--help" not in ctx.args:
            refuse_unknown(os.environ)
        return super().invoke(ctx)


app = typer.Typer(
    name="outlay",
    cls=_Outlay,
    help="Cost records of LLM calls in; exact totals, snapshots and spend anomalies out.\n\n"
    "Settings are environment variables OUTLAY_…: `outlay config` shows them.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"outlay {version('outlay')}, genai-prices {version('genai-prices')}")
        raise typer.Exit


@app.callback()
def _every_command(
    *,
    _version_wanted: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    """The options that stand before a command."""


app.command(epilog=demo.EXAMPLES)(demo.demo)
app.command(epilog=operate.MIGRATE_EXAMPLES)(operate.migrate)
app.add_typer(operate.topics, name="topics")
app.command(epilog=operate.WORKER_EXAMPLES)(operate.worker)
app.command(epilog=status.EXAMPLES)(status.status)
app.command(epilog=doctor.EXAMPLES)(doctor.doctor)
app.command(epilog=top.EXAMPLES)(top.top)
app.command(epilog=snapshots.EXAMPLES)(snapshots.snapshots)
app.add_typer(positions.positions, name="positions")
app.add_typer(dead_letters.dead_letters, name="dead-letters")
app.add_typer(feedback.feedback, name="feedback")
app.add_typer(predictions.predictions, name="predictions")
app.add_typer(settings_rules.rules, name="rules")
app.add_typer(settings_budgets.budgets, name="budgets")
app.add_typer(settings_tags.tags, name="tags")
app.command(epilog=publish.EXAMPLES)(publish.publish)
app.command(epilog=replay.EXAMPLES)(replay.replay)
app.command(epilog=backtest.EXAMPLES)(backtest.backtest)
app.command(epilog=retention.EXAMPLES)(retention.retention)
app.command(epilog=config.EXAMPLES)(config.config)
app.command(epilog=contracts.SCHEMAS_EXAMPLES)(contracts.schemas)
app.command(epilog=contracts.ASYNCAPI_EXAMPLES)(contracts.asyncapi)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command in *arguments* (default: those of this process) and end with its exit code."""
    try:
        app(arguments, prog_name="outlay")
    except OutlayError as error:
        print(f"outlay: {' '.join(str(error).split())}{_next_step(error)}", file=sys.stderr)
        sys.exit(USAGE if isinstance(error, SettingsError) else FAILED)
    finally:
        _finish_output()


def _finish_output() -> None:
    """Write what is left; whose reader has gone, as that of ``| head`` does, is no failure and not told of."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _next_step(error: OutlayError) -> str:
    """Return what to look at when something is away; other errors say it themselves."""
    if not isinstance(error, Transient):
        return ""
    where = "OUTLAY_KAFKA_BOOTSTRAP_SERVERS" if str(error).startswith("Kafka") else "OUTLAY_DATABASE_URL"
    return f"; is it running, is {where} right? `outlay doctor` looks closer"
