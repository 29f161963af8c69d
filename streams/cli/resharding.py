"""``outlay positions repartition`` and ``spread``: state moved to more partitions or databases; no worker may run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from drivers.settings import Settings

_TOPIC = "costs"


def repartition(*, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False) -> None:
    """Move tenants to the homes they have among the partitions that topic costs has on the broker now.

    That must be a multiple of how many there were. Workers must be stopped; producers may go on. Runs as the
    owner of the tables; docs/operations.md, More partitions.
    """
    from drivers import settings
    from streams.cli import once

    once.run(_repartition(settings.load(), yes))


def spread(*, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False) -> None:
    """Leave each database of OUTLAY_DATABASE_URLS with its own partitions, after the new ones were made as copies.

    Workers must be stopped. Deletes nothing that is not, as new or newer, where it lives from now on. Runs as
    the owner of the tables; docs/operations.md, More databases.
    """
    from drivers import settings
    from streams.cli import once

    once.run(_spread(settings.load(), yes))


async def _repartition(settings: Settings, yes: bool) -> None:
    from drivers.postgres import resharding
    from engines.core.model import TopicPartition
    from streams import app
    from streams.cli import once

    async with app.log_bounds(settings) as bounds:
        log = await once.with_tries(lambda: bounds.bounds(TopicPartition(_TOPIC, 0)))
    print(f"{_TOPIC} has {log.partitions} partitions on the broker")
    if not yes:
        typer.confirm("Is every worker stopped, and shall state move?", abort=True)
    for number, database in enumerate(resharding.of(settings.databases)):
        print(f"database {number}: {await database.repartition(_TOPIC, log.partitions)} tenants moved")


async def _spread(settings: Settings, yes: bool) -> None:
    from drivers.postgres import resharding
    from engines.core.errors import PositionRefused

    databases = resharding.of(settings.databases)
    problem = resharding.misplaced([await database.positions() for database in databases])
    if problem is not None:
        raise PositionRefused(problem)
    if not yes:
        typer.confirm(f"Is every worker stopped, and shall {len(databases)} databases share the state?", abort=True)
    for number, database in enumerate(databases):
        print(f"database {number}: {await database.keep_own(_TOPIC)} partitions are another's now")
