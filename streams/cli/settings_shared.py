"""What the commands for rules, budgets and tags have in common: times, errors, and how a line is told."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import typer

if TYPE_CHECKING:
    from drivers.settings import Settings
    from engines.core.model import SettingRow
    from engines.cost.setting_lines import SettingLine
    from engines.cost.write import CostWriteService

T = TypeVar("T")

Tenant = Annotated[str, typer.Option("--tenant", metavar="T", help="Whose.")]
OfTenant = Annotated[str | None, typer.Option("--tenant", metavar="T", help="Show this tenant's only.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON array instead of a table.")]
JsonLine = Annotated[bool, typer.Option("--json", help="The row that was written as one JSON object.")]
Since = Annotated[
    str | None,
    typer.Option("--effective-from", metavar="TIME", help="From when on, e.g. 2026-12-01T00:00:00Z [default: now]."),
]
SinceSoon = Annotated[
    str | None,
    typer.Option(
        "--effective-from",
        metavar="TIME",
        help="From when on, e.g. 2026-12-01T00:00:00Z [default: in 30 s, so that every worker knows it in time].",
    ),
]

NOTICE_S: Final = 30
"""By then every worker knows a row that goes by the time of records, and so judges the same records by it."""
_WINDOWS: Final = "for every window that ends later"
_TODAY: Final = ", today's and this month's too; running workers know it within seconds"
_RECORDS: Final = "for records that occur then or later"


def now_us() -> int:
    """Return the time, in whole seconds, µs since the epoch."""
    import time

    return time.time_ns() // 1_000_000_000 * 1_000_000


def end_of_today_us() -> int:
    """Return the last instant of today's windows: what is in force then judges them."""
    from engines.core.time import US_PER_DAY, day_of, day_start_us

    return day_start_us(day_of(now_us())) + US_PER_DAY - 1


def effective(since: str | None, *, soon: bool = False) -> int:
    """Return the instant in *since*; now, or *soon*, when it says nothing."""
    from engines.core.time import parse_instant

    if since is None:
        return now_us() + (NOTICE_S * 1_000_000 if soon else 0)
    try:
        return parse_instant(since)
    except ValueError as error:
        raise typer.BadParameter(f"{since!r} {error}", param_hint="--effective-from") from error


def run(
    write: Callable[[CostWriteService, Sequence[SettingRow]], Awaitable[SettingLine]],
    tenant_id: str,
    look: str,
    *,
    as_json: bool = False,
) -> None:
    """Do *write*, given the rows of *tenant_id* as they are, and tell what is in force now.

    Args:
        write: appends one line and returns it.
        tenant_id: whose settings are written; ``*`` for those of all.
        look: the command that shows what is in force.
        as_json: tell it to a program.
    """
    from drivers import settings
    from streams.cli import once

    line, rows = once.run(_written(settings.load(), write, tenant_id, look))
    if as_json:
        print(json.dumps(line.model_dump(), ensure_ascii=False, separators=(",", ":"), sort_keys=True))
    else:
        _tell(line, rows)


async def _written(
    settings: Settings,
    write: Callable[[CostWriteService, Sequence[SettingRow]], Awaitable[T]],
    tenant_id: str,
    look: str,
) -> tuple[T, list[SettingRow]]:
    from engines.core.errors import OutlayError, Transient
    from engines.cost.write import CostWriteService
    from streams import app
    from streams.cli import once

    async with app.settings_home(settings) as home:
        rows = await once.with_tries(lambda: home.read(tenant_id))
        try:
            line = await write(CostWriteService(home), rows)
        except Transient as error:  # not tried again: a row that did get there would be appended twice
            raise OutlayError(f"{error}; whether it was written, `{look}` shows") from error
        return line, await once.with_tries(lambda: home.read(tenant_id))


def rows_of(tenant_id: str | None) -> list[SettingRow]:
    """Return the rows that concern *tenant_id*; None: all."""
    from drivers import settings
    from streams import app
    from streams.cli import once

    async def read() -> list[SettingRow]:
        async with app.settings_home(settings.load()) as home:
            return await once.with_tries(lambda: home.read(tenant_id))

    return once.run(read())


def _tell(line: SettingLine, rows: Iterable[SettingRow]) -> None:
    from engines.cost.setting_lines import BudgetLine, RuleLine, TagLine
    from engines.cost.setting_view import effective_us_of, entries, subject_of
    from engines.cost.settings import FEATURE_TAGS

    model: type[BudgetLine | TagLine | RuleLine] = type(line)
    by_record = isinstance(line, TagLine) or (isinstance(line, RuleLine) and line.name == FEATURE_TAGS)
    print(described(line))
    today = _TODAY if effective_us_of(line) <= end_of_today_us() else ""
    print(f"in force from {since_of(line)}: {_RECORDS if by_record else _WINDOWS + today}")
    for later in entries(model, rows, effective_us_of(line))[subject_of(line)].later:
        print(f"from {since_of(later)} another row takes over: {described(later)}")


def since_of(line: SettingLine) -> str:
    """Return from when on *line* is in force, for people."""
    return line.effective_from or "always"


def described(line: SettingLine) -> str:
    """Return what *line* says, for people."""
    from engines.cost.setting_lines import BudgetLine, TagLine
    from engines.cost.settings import EVERY_TENANT

    if isinstance(line, BudgetLine):
        whose = "" if line.budget_type == "tenant" else f", {line.budget_type} {line.entity_id}"
        limits = f"{usd(line.daily_limit_cents)} a day, {usd(line.monthly_limit_cents)} a month"
        says = f"{limits}, warns at {line.warn_threshold_pct} %" if line.is_active else "removed"
        return f"budget of {line.tenant_id}{whose}: {says}"
    if isinstance(line, TagLine):
        state = f"registered as {line.display_name!r}" if line.is_active else "inactive, its records are unclassified"
        return f"tag {line.tag} of {line.tenant_id}: {state}"
    return f"rule {line.name} of {'every tenant' if line.tenant_id == EVERY_TENANT else line.tenant_id}: {line.value}"


def usd(cents: int | None) -> str:
    """Return a limit in dollars; a limit of 0 is none."""
    return f"${cents // 100:,}.{cents % 100:02d}" if cents else "no limit"


def printed_as_json(lines: Iterable[object]) -> None:
    """Print one compact JSON array."""
    print(json.dumps(list(lines), ensure_ascii=False, separators=(",", ":"), sort_keys=True))
