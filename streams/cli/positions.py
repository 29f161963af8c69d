"""``outlay positions list`` and ``accept``: what an operator decides when a partition was stopped."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Final

import typer

from streams.cli import resharding

if TYPE_CHECKING:
    from drivers.postgres.operator import Held
    from drivers.settings import Settings
    from engines.core.model import LogBounds, Position, TopicPartition

positions = typer.Typer(help="The positions that workers go on from.", no_args_is_help=True, rich_markup_mode=None)

_REPARTITION_EXAMPLES: Final = """\b
Examples:
  outlay positions repartition
  outlay positions repartition --yes --json
"""
_SPREAD_EXAMPLES: Final = """\b
Examples:
  outlay positions spread
  outlay positions spread --yes --json
"""
positions.command(epilog=_REPARTITION_EXAMPLES)(resharding.repartition)
positions.command(epilog=_SPREAD_EXAMPLES)(resharding.spread)

_SHOWN = ("next_offset", "cluster_id", "topic_id", "epoch", "version", "released")
_LIST_EXAMPLES: Final = """\b
Examples:
  outlay positions list
  outlay positions list --json
"""
_ACCEPT_EXAMPLES: Final = """\b
Examples:
  outlay positions accept costs 3
  outlay positions accept costs 3 --earliest --yes
  outlay positions accept costs 3 --latest --yes --json
  outlay positions accept costs 3 --offset 1200
"""


@positions.command("list", epilog=_LIST_EXAMPLES)
def list_(*, as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False) -> None:
    """Show every position, and the cluster and topic it belongs to."""
    from drivers import settings
    from streams.cli import once

    held, partitions = once.run(_read(settings.load()))
    rows = [_row(one.position, partitions[one.position.topic]) for one in held]
    if as_json:
        print(json.dumps(rows, separators=(",", ":"), sort_keys=True))
        return
    from streams.cli import wide

    if not rows:
        print("No partition has been claimed yet: start `outlay worker`.")
        return
    table = wide.table("topic", "partition", "of", *_SHOWN)
    for row in rows:
        table.add_row(*(str(row[name]) for name in ("topic", "partition", "partitions", *_SHOWN)))
    wide.console().print(table)


@positions.command(epilog=_ACCEPT_EXAMPLES)
def accept(
    topic: Annotated[str, typer.Argument(help="The input topic, e.g. costs.")],
    partition: Annotated[int, typer.Argument(min=0, help="Its partition.")],
    offset: Annotated[int | None, typer.Option(min=0, help="Go on at this offset.")] = None,
    *,
    earliest: Annotated[bool, typer.Option("--earliest", help="Go on where the log begins.")] = False,
    latest: Annotated[
        bool, typer.Option("--latest", help="Go on at the end of the log: leaves out what is in it.")
    ] = False,
    yes: resharding.Yes = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of text.")] = False,
) -> None:
    """Let a stopped partition go on with the log that is on the broker now.

    Pins its cluster id, topic id and number of partitions to the broker's, and keeps the offset unless told otherwise.
    What was counted stays counted; records read again are duplicates by their ids. A stopped partition goes on within
    seconds, one that is being worked on within half a minute.
    """
    from drivers import settings
    from engines.core.model import TopicPartition
    from streams.cli import once

    if (offset is not None) + earliest + latest > 1:
        raise typer.BadParameter("--offset, --earliest and --latest exclude each other")
    tp = TopicPartition(topic, partition)
    before, after = once.run(_accept(settings.load(), tp, offset, earliest, latest, yes, as_json))
    if as_json:
        print(json.dumps({"before": before, "after": after}, separators=(",", ":"), sort_keys=True))
    else:
        print("accepted")


async def _accept(
    settings: Settings, tp: TopicPartition, offset: int | None, earliest: bool, latest: bool, yes: bool, as_json: bool
) -> tuple[dict[str, object], dict[str, object]]:
    """Return the position as it was and as it is set, both as ``positions list --json`` shows them."""
    from dataclasses import replace

    from engines.core.errors import PositionRefused
    from streams import app
    from streams.cli import once

    async with app.position_tables(settings) as tables, app.log_bounds(settings) as bounds:
        table = tables[tp.partition % len(tables)]
        held, pins = await once.with_tries(table.read)
        before = next((one.position for one in held if one.position.tp == tp), None)
        if before is None:
            raise PositionRefused(
                f"{tp.topic}/{tp.partition} has no position: `outlay positions list` shows those there are"
            )
        log = await once.with_tries(lambda: bounds.bounds(tp))
        next_offset = log.start if earliest else log.end if latest else before.next_offset if offset is None else offset
        _refuse_outside(next_offset, log)
        pinned = next((pin.partitions for pin in pins if pin.topic == tp.topic), 0)
        wanted = replace(before, next_offset=next_offset, cluster_id=log.cluster_id, topic_id=log.topic_id)
        resharding.tell(_shown("before", before, pinned), as_json)
        resharding.tell(_shown("after ", wanted, log.partitions), as_json)
        if not yes:
            typer.confirm("Set this position?", abort=True, err=as_json)
        after = await table.accept(tp, log, next_offset)
        if after is None:
            raise PositionRefused(f"{tp.topic}/{tp.partition} was removed meanwhile")
    return _row(before, pinned), _row(after, log.partitions)


def _refuse_outside(next_offset: int, log: LogBounds) -> None:
    from engines.core.errors import PositionRefused

    if not log.start <= next_offset <= log.end:
        raise PositionRefused(
            f"offset {next_offset} lies outside the log, {log.start} to {log.end}: say --offset, --earliest or --latest"
        )


def _shown(when: str, position: Position, partitions: int) -> str:
    return (
        f"{when}: {position.topic}/{position.partition} of {partitions}: next offset {position.next_offset},"
        f" cluster {position.cluster_id or '?'}, topic id {position.topic_id or '?'}"
    )


async def _read(settings: Settings) -> tuple[list[Held], dict[str, int]]:
    from streams import app
    from streams.cli import once

    held: list[Held] = []
    partitions: dict[str, int] = {}
    async with app.position_tables(settings) as tables:
        for table in tables:
            some, pins = await once.with_tries(table.read)
            held += some
            partitions |= {pin.topic: pin.partitions for pin in pins}
    return sorted(held, key=lambda one: one.position.tp), partitions


def _row(position: Position, partitions: int) -> dict[str, object]:
    return {
        "topic": position.topic,
        "partition": position.partition,
        "partitions": partitions,
        **{name: getattr(position, name) for name in _SHOWN},
    }
