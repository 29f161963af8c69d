"""``outlay migrate``, ``outlay topics apply``, ``outlay worker``."""

from __future__ import annotations

import json
from typing import Annotated, Final

import typer

topics = typer.Typer(help="The topics on the broker.", no_args_is_help=True, rich_markup_mode=None)

MIGRATE_EXAMPLES: Final = """\b
Examples:
  outlay migrate
  outlay migrate --rebuild
"""
WORKER_EXAMPLES: Final = """\b
Examples:
  outlay worker
  OUTLAY_METRICS_PORT=9465 OUTLAY_LOG_LEVEL=debug outlay worker
"""
_APPLY_EXAMPLES: Final = """\b
Examples:
  outlay topics apply
  outlay topics apply --replication 3
  outlay topics apply --json
"""


@topics.callback()
def _topics() -> None:
    """The topics on the broker."""


def migrate(
    *,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="First empty all state: workers read the log from its start again.")
    ] = False,
    contract: Annotated[
        bool,
        typer.Option(
            "--contract", help="Also take away what only older workers use: they end, and do not start again."
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array instead of text.")] = False,
) -> None:
    """Create or update the tables in every database of OUTLAY_DATABASE_URL(S).

    Harmless when there is nothing to do; may run while workers do, those of the version before, too: what they still
    use stays until --contract, from which there is no way back (docs/operations.md, Rolling deploy).

    Where state of an earlier version cannot be carried over it says so and changes nothing; --rebuild then empties
    positions, state, totals and all that was told (not budgets, tags, rules and acknowledgements), for which workers
    must be stopped. What the log no longer holds is not counted again.
    """
    from drivers import settings
    from drivers.postgres import migrate as migrations
    from streams.cli import once

    databases = settings.load().databases
    if rebuild and not yes:
        typer.confirm("Empty all state and read the log from its start again?", abort=True)
    told = []
    for number, url in enumerate(databases):
        done = once.run(migrations.migrate(url, rebuild=rebuild, contract=contract))
        told.append({"database": number, "revision": done.revision, "contracts_next": done.contracts_next})
        if as_json:
            continue
        name = "the database" if len(databases) == 1 else f"database {number}"
        print(f"{name} is at revision {done.revision}")
        if done.contracts_next is not None:
            print(
                f"  revision {done.contracts_next} waits for the last worker of an older version:"
                " then run `outlay migrate --contract`"
            )
    if as_json:
        print(json.dumps(told, separators=(",", ":"), sort_keys=True))


@topics.command(epilog=_APPLY_EXAMPLES)
def apply(
    replication: Annotated[
        int, typer.Option(min=-1, help="Copies of a new topic's partitions; -1: the cluster's default.")
    ] = -1,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array instead of text.")] = False,
) -> None:
    """Create the topics of topics.yaml that do not exist; refuse those that differ.

    A topic that exists is never changed: its settings are decisions about data that is already there.
    """
    from drivers import settings
    from drivers import topics as listed
    from drivers.kafka import admin
    from streams.cli import once

    kafka = settings.load().kafka
    wanted = listed.load().topics
    found = once.run(once.with_tries(lambda: admin.apply(wanted, kafka, replication=replication)))
    if as_json:
        told = [{"topic": one.topic, "created": one.created} for one in found]
        print(json.dumps(told, separators=(",", ":"), sort_keys=True))
        return
    for applied in found:
        print(f"{applied.topic}: {'created' if applied.created else 'is as it should be'}")


def worker() -> None:
    """Read cost records, keep totals, publish facts, until SIGTERM or SIGINT.

    Any number of workers share the partitions. Without a broker or database it waits and says so. /metrics answers
    at OUTLAY_METRICS_HOST:OUTLAY_METRICS_PORT (127.0.0.1:9464).
    """
    from drivers import settings
    from streams import app

    app.run_worker(settings.load())
