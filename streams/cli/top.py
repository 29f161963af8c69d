"""``outlay top``: what is spent today, by whom, against the days before; open anomalies; budgets."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from drivers.postgres.overview import Overview, OverviewReader, Question, Reach
    from drivers.settings import Settings

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
EXAMPLES: Final = """\b
Examples:
  outlay top
  outlay top --tenant acme --by feature --by user
  outlay top --once --day 2025-09-09
  outlay top --json | jq .totals
"""


class By(StrEnum):
    """What spend is told by."""

    tenant = "tenant"
    feature = "feature"
    user = "user"
    model = "model"


@dataclass(frozen=True, slots=True)
class Sight:
    """What ``top`` shows at one moment.

    Attributes:
        overview: None before the first record.
        tenant_id: whose it is; None: of all.
    """

    day: date | None
    now_ms: int
    overview: Overview | None
    tenant_id: str | None = None


def top(
    tenant: Annotated[str | None, typer.Option("--tenant", metavar="T", help="Show this tenant's only.")] = None,
    by: Annotated[list[By] | None, typer.Option("--by", help="Show spend by this only; may be repeated.")] = None,
    day: Annotated[
        str | None, typer.Option("--day", metavar="DAY", help="A UTC day, e.g. 2026-11-21 [default: latest with data].")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Lines of each kind.")] = 10,
    interval: Annotated[float, typer.Option(min=0.2, help="Seconds between two looks.")] = 2.0,
    *,
    once: Annotated[bool, typer.Option("--once", help="Look once and end, as without a terminal.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Look once; one JSON object instead of tables.")] = False,
) -> None:
    """Watch spend of the day by tenant, feature, user and model against its baseline, open anomalies, and budgets.

    A day so far is held against whole days before it. It all comes from the database: views spend_today,
    anomalies_current and budget_usage.
    """
    from drivers import settings
    from drivers.postgres.overview import ENTITY_TYPES, Question
    from streams.cli import once as single
    from streams.cli import top_screen

    question = Question(tuple(one.value for one in by or ()) or ENTITY_TYPES, tenant, limit)
    wanted = _day(day)
    if once or as_json or not sys.stdout.isatty():
        sight = single.run(_look_once(settings.load(), wanted, question))
        if as_json:
            print(json.dumps(as_object(sight), separators=(",", ":"), sort_keys=True))
        else:
            top_screen.show(sight)
        return
    try:
        single.run(_keep_looking(settings.load(), wanted, question, interval))
    except KeyboardInterrupt:
        return  # the way to end it


def _day(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no day such as 2026-11-21", param_hint="--day") from error


async def _look_once(settings: Settings, day: date | None, question: Question) -> Sight:
    from streams import app
    from streams.cli import once

    async with app.overview_readers(settings) as readers:
        return await once.with_tries(lambda: look(readers, day, question))


async def _keep_looking(settings: Settings, day: date | None, question: Question, interval_s: float) -> None:
    from streams import app
    from streams.cli import top_screen

    async with app.overview_readers(settings) as readers:
        with top_screen.Screen() as screen:
            await watch(
                lambda: look(readers, day, question), screen.show, screen.away, lambda: asyncio.sleep(interval_s)
            )


async def watch(
    see: Callable[[], Awaitable[Sight]],
    show: Callable[[Sight], None],
    away: Callable[[str], None],
    pause: Callable[[], Awaitable[object]],
) -> None:
    """Show what there is to *see*, again and again; while a database is *away*, say so and go on."""
    from engines.core.errors import Transient

    while True:
        try:
            show(await see())
        except Transient as error:
            away(" ".join(str(error).split()))
        await pause()


async def look(readers: list[OverviewReader], day: date | None, question: Question) -> Sight:
    """Return how things stand on *day* in all databases; the latest with data when it is None."""
    from drivers.postgres.overview import merged
    from streams.clock import SystemClock

    found = await asyncio.gather(*(reader.latest_day() for reader in readers))
    day = day or max((one for one in found if one is not None), default=None)
    now_ms = SystemClock().now_ms()
    if day is None:
        return Sight(None, now_ms, None)
    parts = await asyncio.gather(*(reader.read(day, question) for reader in readers))
    return Sight(day, now_ms, merged(parts, question), question.tenant_id)


def as_object(sight: Sight) -> dict[str, Any]:
    """Return *sight* as JSON has it: money in nano-USD, times as in the contract."""
    overview = sight.overview
    if overview is None:
        return {"day": None, "totals": None, "freshness": None, "spend": [], "anomalies": [], "budgets": []}
    totals = ("tenants", "requests", "unpriced_requests", "cost_nanousd")
    return {
        "day": str(sight.day),
        "totals": {name: getattr(overview, name) for name in totals},
        "freshness": freshness(overview.reach, sight.now_ms),
        "spend": [_plain(one) for one in overview.spend],
        "anomalies": [_plain(one) for one in overview.anomalies],
        "budgets": [_plain(one) for one in overview.budgets],
    }


def freshness(reach: tuple[Reach, ...], now_ms: int) -> dict[str, Any]:
    """Return how far event time has come, on the partition that is furthest and on the one that is slowest.

    ``behind_s`` is the clock less the furthest watermark, which stays 5 minutes behind the newest record by itself; a
    partition without new records is slow without being late, so ``outlay status`` and its lag say what is amiss.
    """
    marks = [one.watermark_us for one in reach if one.watermark_us is not None]
    appends = [one.last_append_ms for one in reach if one.last_append_ms is not None]
    if not marks:
        return {"watermark": None, "watermark_slowest": None, "behind_s": None, "last_append_s": None, "unshown": 0}
    return {
        "watermark": _instant(max(marks)),
        "watermark_slowest": _instant(min(marks)),
        "behind_s": max(now_ms // 1000 - max(marks) // 1_000_000, 0),
        "last_append_s": max((now_ms - max(appends)) // 1000, 0) if appends else None,
        "unshown": sum(one.unshown for one in reach),
    }


def _instant(us: int) -> str:
    return (_EPOCH + timedelta(microseconds=us)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _plain(one: object) -> dict[str, Any]:
    values = asdict(one)  # type: ignore[call-overload]
    return {name: _json(value) for name, value in values.items()}


def _json(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, date) else value
