"""``outlay retention``: drop what time has passed, now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drivers.postgres.retention import Expired


def retention(
    *, dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be dropped; drop nothing.")] = False
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

    for one in app.retentions(settings.load()):
        if dry_run:
            _show("would be dropped", once.run(once.with_tries(one.look)))
            continue
        done = once.run(once.with_tries(one.sweep))
        _show("dropped", done.dropped)
        if done.in_use:
            _show("in use, left for the next time", done.in_use)


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
