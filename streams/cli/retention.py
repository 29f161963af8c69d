"""``outlay retention``: drop what time has passed, now."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drivers.postgres.retention import Expired

EXAMPLES: Final = """\b
Examples:
  outlay retention --dry-run
  outlay retention
  outlay retention --json
"""


def retention(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be dropped; drop nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array instead of tables.")] = False,
) -> None:
    """Drop the time partitions that nothing needs any more; a running worker does so once an hour.

    Of state that is what lies too far before the watermark of the partition that is furthest behind for any record to
    reach it: 50 days of pages and 36 days of identities stay. Snapshots and anomalies stay for OUTLAY_RETENTION_DAYS
    (400; 0: for ever; never fewer than 50) before today, or before that watermark when it is earlier. Nothing else is
    ever deleted.
    """
    from drivers import settings
    from streams import app
    from streams.cli import once

    told: list[dict[str, object]] = []
    for number, one in enumerate(app.retentions(settings.load())):
        left: Sequence[Expired] = ()
        if dry_run:
            found: Sequence[Expired] = once.run(once.with_tries(one.look))
        else:
            done = once.run(once.with_tries(one.sweep))
            found, left = done.dropped, done.in_use
        if as_json:
            told += [_row(number, expired, dropped=not dry_run) for expired in found]
            told += [_row(number, expired, dropped=False) for expired in left]
            continue
        _show("would be dropped" if dry_run else "dropped", found)
        if left:
            _show("in use, left for the next time", left)
    if as_json:
        print(json.dumps(told, separators=(",", ":"), sort_keys=True))


def _row(database: int, one: Expired, *, dropped: bool) -> dict[str, object]:
    return {
        "database": database,
        "partition": one.partition.name,
        "from": f"{one.partition.first}",
        "to": f"{one.partition.end}",
        "bytes": one.size_bytes,
        "dropped": dropped,
    }


def _show(what: str, found: Sequence[Expired]) -> None:
    from streams.cli import wide

    if not found:
        print(f"{what}: nothing")
        return
    table = wide.table("partition", "from", "to", "KiB", right={"KiB"})
    for partition, size_bytes in found:
        table.add_row(partition.name, f"{partition.first}", f"{partition.end}", f"{size_bytes >> 10}")
    print(f"{what}:")
    wide.console().print(table)
