"""The databases' side of a deployment: how far workers have come, and what people read.

A URL may be several, with commas between them: then what is read is that of all.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

import asyncpg

from drivers.postgres import read
from drivers.postgres.errors import CLIENT_ERRORS
from drivers.postgres.migrate import migrate
from engines.core.time import US_PER_SECOND, format_instant
from tests import oracle

Line = dict[str, Any]
T = TypeVar("T")
_AWAY = CLIENT_ERRORS
_PROGRESS = """
SELECT partition, next_offset, watermark_us, closed_through, epoch, counts,
       outbox_seq = published AND projected >= next_offset AS told
FROM positions WHERE topic = $1 ORDER BY partition
"""
_SETTINGS = """
SELECT kind, tenant_id, (extract(epoch FROM effective_at) * 1000000)::bigint, body FROM settings ORDER BY seq
"""
_TOLD_OF_RUNS = "SELECT line FROM pattern_feedback UNION ALL SELECT line FROM prediction_events"
_ORDER = ("tenant_id", "start", "entity_type", "entity_id", "window")


@dataclass(frozen=True, slots=True)
class Progress:
    """A row of `positions`; `told`: everything is published and in the projections."""

    next_offset: int
    watermark_us: int | None
    closed_through: int | None
    epoch: int
    counts: dict[str, int]
    told: bool

    @property
    def events(self) -> int:
        """Records taken in."""
        return self.counts.get("events", 0)


def prepare(url: str) -> None:
    """Make the tables."""
    for one in url.split(","):
        asyncio.run(migrate(one))


def ask(url: str, work: Callable[[asyncpg.Connection[asyncpg.Record]], Awaitable[T]]) -> T | None:
    """Return what *work* finds on a connection of its own, None while the database is away."""

    async def connected() -> T | None:
        try:
            connection = await asyncpg.connect(url.replace("+asyncpg", ""), timeout=5)
        except (*_AWAY, TimeoutError):
            return None
        try:
            return await work(connection)
        except _AWAY:
            return None
        finally:
            connection.terminate()

    return asyncio.run(connected())


def ask_each(url: str, work: Callable[[asyncpg.Connection[asyncpg.Record]], Awaitable[T]]) -> list[T]:
    """Return what *work* finds in each database that is not away."""
    return [found for one in url.split(",") if (found := ask(one, work)) is not None]


def run(url: str, *statements: str) -> None:
    """Execute *statements*, each in a transaction of its own, in each database."""

    async def execute(connection: asyncpg.Connection[asyncpg.Record]) -> bool:
        for statement in statements:
            await connection.execute(statement)
        return True

    assert len(ask_each(url, execute)) == len(url.split(",")), "a database is away"


def progress(url: str, topic: str = "costs") -> dict[int, Progress]:
    """Return how far each partition of *topic* is, without those whose database is away."""

    async def look(connection: asyncpg.Connection[asyncpg.Record]) -> dict[int, Progress]:
        rows = await connection.fetch(_PROGRESS, topic)
        return {row[0]: Progress(row[1], row[2], row[3], row[4], json.loads(row[5]), row[6]) for row in rows}

    found: dict[int, Progress] = {}
    for of_one in ask_each(url, look):
        found |= of_one
    return dict(sorted(found.items()))


def snapshots(url: str) -> list[Line]:
    """Return the snapshot lines as CONTRACT §5 writes them."""
    found = [line for one in url.split(",") for line in asyncio.run(_snapshots(one))]
    return sorted(found, key=lambda line: [line[name] for name in _ORDER])


async def _snapshots(url: str) -> list[Line]:
    async with read.opened(url) as database:
        return [_line(row) async for row in read.iterate_snapshots(database)]


def _line(row: read.SnapshotLine) -> Line:
    names = (name for name in row.__slots__ if name != "partition")
    line = {name: getattr(row, name) for name in names}
    line["start"] = format_instant(int(row.start.timestamp()) * US_PER_SECOND)
    deviation: Decimal | None = row.deviation_pct
    line["deviation_pct"] = None if deviation is None else float(deviation)
    return line


def anomalies(url: str) -> list[Line]:
    """Return the anomalies that stand."""
    return [line for one in url.split(",") for line in asyncio.run(_anomalies(one))]


async def _anomalies(url: str) -> list[Line]:
    async with read.opened(url) as database:
        return [one.line for one in await read.read_current_anomalies(database)]


def revisions(url: str) -> list[Line]:
    """Return every revision of every anomaly that is stored."""

    async def look(connection: asyncpg.Connection[asyncpg.Record]) -> list[Line]:
        return [json.loads(row[0]) for row in await connection.fetch("SELECT line FROM anomalies")]

    return [line for found in ask_each(url, look) for line in found]


def told_of_runs(url: str) -> list[Line]:
    """Return every revision of feedback and predictions that is stored."""

    async def look(connection: asyncpg.Connection[asyncpg.Record]) -> list[Line]:
        return [json.loads(row[0]) for row in await connection.fetch(_TOLD_OF_RUNS)]

    return [line for found in ask_each(url, look) for line in found]


def settings(url: str) -> list[oracle.Setting]:
    """Return the settings rows, as if each were known from the start."""

    async def look(connection: asyncpg.Connection[asyncpg.Record]) -> list[oracle.Setting]:
        rows = await connection.fetch(_SETTINGS)
        return [oracle.Setting(kind, tenant, since_us, json.loads(body)) for kind, tenant, since_us, body in rows]

    first, *others = url.split(",")
    own = [row for one in others for row in ask(one, look) or [] if row.tenant_id != "*"]  # rows for all are in each
    return [*(ask(first, look) or []), *own]
