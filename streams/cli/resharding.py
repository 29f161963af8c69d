"""``outlay positions repartition`` and ``spread``: state moved to more partitions or databases; no worker may run."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from drivers.settings import Settings

Yes: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
_Json: TypeAlias = Annotated[bool, typer.Option("--json", help="One JSON array instead of text.")]


class Topic(StrEnum):
    """Where tenants have homes."""

    costs = "costs"
    runs = "runs"


def repartition(
    *,
    topic: Annotated[Topic, typer.Option("--topic", help="Whose state moves.")] = Topic.costs,
    yes: Yes = False,
    as_json: _Json = False,
) -> None:
    """Move tenants to the homes they have among the partitions that a topic has on the broker now.

    That must be a multiple of how many there were. Workers must be stopped; producers may go on. Runs as the
    owner of the tables; docs/operations.md, More partitions.
    """
    from drivers import settings
    from streams.cli import once

    once.run(_repartition(settings.load(), topic.value, yes, as_json))


def spread(*, yes: Yes = False, as_json: _Json = False) -> None:
    """Leave each database of OUTLAY_DATABASE_URLS with its own partitions, after the new ones were made as copies.

    Workers must be stopped. Deletes nothing that is not, as new or newer, where it lives from now on. Runs as
    the owner of the tables; docs/operations.md, More databases.
    """
    from drivers import settings
    from streams.cli import once

    once.run(_spread(settings.load(), yes, as_json))


async def _repartition(settings: Settings, topic: str, yes: bool, as_json: bool) -> None:
    from drivers.postgres import resharding
    from engines.core.model import TopicPartition
    from streams import app
    from streams.cli import once

    async with app.log_bounds(settings) as bounds:
        log = await once.with_tries(lambda: bounds.bounds(TopicPartition(topic, 0)))
    tell(f"{topic} has {log.partitions} partitions on the broker", as_json)
    if not yes:
        typer.confirm("Is every worker stopped, and shall state move?", abort=True, err=as_json)
    told = []
    for number, database in enumerate(resharding.of(settings.databases)):
        moved = await database.repartition(topic, log.partitions)
        told.append({"database": number, "partitions": log.partitions, "tenants_moved": moved})
        tell(f"database {number}: {moved} tenants moved", as_json)
    if as_json:
        print(json.dumps(told, separators=(",", ":"), sort_keys=True))


async def _spread(settings: Settings, yes: bool, as_json: bool) -> None:
    from drivers.postgres import resharding
    from engines.core.errors import PositionRefused

    databases = resharding.of(settings.databases)
    problem = resharding.misplaced([await database.positions() for database in databases])
    if problem is not None:
        raise PositionRefused(problem)
    if not yes:
        question = f"Is every worker stopped, and shall {len(databases)} databases share the state?"
        typer.confirm(question, abort=True, err=as_json)
    told = []
    for number, database in enumerate(databases):
        left = await database.keep_own()
        told.append({"database": number, "partitions_of_others": left})
        tell(f"database {number}: {left} partitions are another's now", as_json)
    if as_json:
        print(json.dumps(told, separators=(",", ":"), sort_keys=True))


def tell(line: str, as_json: bool) -> None:
    """Say *line* to people: beside JSON, on standard error."""
    print(line, file=sys.stderr if as_json else sys.stdout)
