"""``outlay snapshots``: one tenant's day, or its hours, with the days before and the day-level evaluation."""

from __future__ import annotations

import asyncio
import json
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from drivers.settings import Settings
    from engines.cost.snapshots import AnomalyEvaluation, CostSnapshot, SnapshotAggregate

_EPOCH: Final = date(1970, 1, 1).toordinal()
EXAMPLES: Final = """\b
Examples:
  outlay snapshots --tenant acme
  outlay snapshots --tenant acme --day 2025-09-09 --by user
  outlay snapshots --tenant acme --hour --json
"""
_WIDTH_MIN: Final = 240
_HEAD: Final = ("kind", "who", "requests", "unpriced", "retries", "spent", "a request")
_DAY_HEAD: Final = ("mean", "days", "least", "most", "deviation", "says")
_NUMBERS: Final = frozenset((*_HEAD, *_DAY_HEAD)) - {"kind", "who", "says"}
_SEVERITIES: Final = {"critical": "bold red", "high": "bold red", "medium": "yellow", "low": ""}


class By(StrEnum):
    """Whose spend is shown."""

    tenant = "tenant"
    user = "user"
    feature = "feature"
    model = "model"


def snapshots(
    *,
    tenant: Annotated[str, typer.Option("--tenant", metavar="T", help="Whose.")],
    day: Annotated[
        str | None, typer.Option("--day", metavar="DAY", help="A UTC day, e.g. 2026-11-21 [default: its latest].")
    ] = None,
    hour: Annotated[
        bool, typer.Option("--hour", help="The hours of that day instead; these have no baseline.")
    ] = False,
    by: Annotated[list[By] | None, typer.Option("--by", help="Show this only; may be repeated.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Lines of each kind; JSON has them all.")] = 20,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON array instead of tables; money in nano-USD.")
    ] = False,
) -> None:
    """Show what a tenant, its users, features and models spent on a day, against the seven days before.

    "mean", "least" and "most" are those of their active days among the seven before, as these stand now; the deviation
    is against the mean as it was fixed when the day closed. What is said of a complete day is the day-level evaluation.
    """
    from drivers import settings
    from streams.cli import once

    types = tuple(one.value for one in by or By)
    found = once.run(_read(settings.load(), tenant, _day(day), types, hourly=hour))
    if as_json:
        print(json.dumps([one.line() for one in found], ensure_ascii=False, separators=(",", ":"), sort_keys=True))
    elif not found:
        when = f" on {day}" if day else ""
        print(f"No record of {tenant} has been counted{when}: `outlay top --once` shows whose there are.")
    else:
        _show(found, limit)


def _day(text: str | None) -> int | None:
    try:
        return None if text is None else date.fromisoformat(text).toordinal() - _EPOCH
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no day such as 2026-11-21", param_hint="--day") from error


async def _read(
    settings: Settings, tenant_id: str, day: int | None, types: tuple[str, ...], *, hourly: bool
) -> list[CostSnapshot]:
    """Return the snapshots of *day*, of the latest when it is None, from the database in which the tenant lives."""
    from streams import app
    from streams.cli import once

    async def read() -> list[CostSnapshot]:
        days = await asyncio.gather(*(reader.latest_day(tenant_id) for reader in readers))
        latest = max((one for one in days if one is not None), default=None)
        wanted = latest if day is None else day
        if wanted is None:
            return []
        if hourly:
            hours = await asyncio.gather(*(reader.hourly(tenant_id, wanted, types) for reader in readers))
            return [one for of_database in hours for one in of_database]
        found = await asyncio.gather(*(reader.daily(tenant_id, wanted, types) for reader in readers))
        return [one for one in found if one is not None]

    async with app.snapshot_readers(settings) as readers:
        return await once.with_tries(read)


def _show(found: Sequence[CostSnapshot], limit: int) -> None:
    from rich.text import Text

    from engines.core.time import format_instant
    from engines.cost.snapshots import EntityType, SnapshotType
    from streams.cli import wide

    first, records = found[0], sum(one.records_processed for one in found)
    is_day = first.snapshot_type is SnapshotType.DAILY
    day = f"{format_instant(first.period_start_us)[:10]} UTC{'' if is_day else ' by hour'}"
    told = f"{records:,} record{'' if records == 1 else 's'}, {first.status.value}"
    version = f", version {first.version}" if is_day else ""
    console = wide.console(_WIDTH_MIN)
    console.print(Text(f"{wide.clean(first.tenant_id)}, {day}: {told}{version}", "bold"))
    table = wide.table(*(() if is_day else ("hour",)), *_HEAD, *(_DAY_HEAD if is_day else ()), right=_NUMBERS)
    left = 0
    for snapshot in found:
        when = [] if is_day else [Text(format_instant(snapshot.period_start_us)[11:16])]
        for kind in EntityType:
            rows = [one for one in snapshot.aggregates if one.entity_type is kind]
            left += max(len(rows) - limit, 0)
            for row in rows[:limit]:
                table.add_row(*when, *_cells(row), *(_of_days(snapshot, row) if is_day else ()))
    console.print(table)
    if left:
        console.print(f"and {left:,} more; --limit or --json shows them")


def _cells(row: SnapshotAggregate) -> list[Text]:
    from rich.text import Text

    from streams.cli import wide

    numbers = (f"{row.request_count:,}", f"{row.unpriced_requests:,}", f"{row.retry_requests:,}")
    money = (wide.usd(row.total_cost_nanousd), wide.usd(row.avg_cost_per_request_nanousd))
    return [Text(cell) for cell in (row.entity_type.value, wide.clean(row.entity_id), *numbers, *money)]


def _of_days(snapshot: CostSnapshot, row: SnapshotAggregate) -> list[Text]:
    from rich.text import Text

    from streams.cli import wide

    before, said = snapshot.baseline_of(row), snapshot.evaluation_of(row)
    numbers = ["-"] * 4
    if before is not None:
        costs = (before.avg_daily_cost_nanousd, before.min_daily_cost_nanousd, before.max_daily_cost_nanousd)
        mean, least, most = map(wide.usd, costs)
        numbers = [mean, f"{before.samples_count}", least, most]
    deviation = row.deviation_from_7d_pct if said is None else said.deviation_pct
    cells = [Text(cell) for cell in (*numbers, "-" if deviation is None else f"{deviation:+,.2f} %")]
    return [*cells, _said(said)]


def _said(said: AnomalyEvaluation | None) -> Text:
    from rich.text import Text

    if said is None:
        return Text("-")
    if said.severity_computed is None:
        return Text(said.evaluation_reason)
    return Text(
        f"{said.severity_computed}, from {said.threshold_pct} % on", _SEVERITIES.get(said.severity_computed, "")
    )
