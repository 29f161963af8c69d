"""Rows that the store and the writer of settings wrote, and views read."""

import json
from datetime import UTC, datetime
from typing import Any

from drivers.postgres.connections import Raw
from drivers.postgres.store import PostgresStore
from engines.core.model import TableRow
from engines.core.time import parse_instant
from tests.drivers.rows import snapshot
from tests.drivers.store_subject import LOG, TP, batch, moved

DAY = 20_468  # 2026-01-15
DAY_US = 86_400_000_000
USD = 10**9
SEEN = "2026-01-15T10:00:00Z"
SEEN_US = parse_instant(SEEN)


def spent(day: int, cost_nanousd: int | None, **changes: Any) -> TableRow:
    return snapshot(start_at=day * DAY_US, cost_nanousd=cost_nanousd, **changes)


async def written(store: PostgresStore, *rows: TableRow, **changes: Any) -> None:
    claimed = await store.claim(TP, LOG)
    assert await store.commit(batch(claimed, changes, rows=list(rows)))
    assert moved(claimed, **changes).version


def budget(seq: int, effective_us: int | None = None, **changes: Any) -> tuple[Any, ...]:
    body = {
        "budget_type": "tenant",
        "entity_id": "acme",
        "daily_limit_cents": 1_000,
        "monthly_limit_cents": 10_000,
        "warn_threshold_pct": 80,
        "hard_limit_enabled": False,
        "is_active": True,
    } | changes
    effective = None if effective_us is None else datetime.fromtimestamp(effective_us / 10**6, UTC)
    return seq, "budget", "acme", effective, body


async def is_set(observer: Raw, *rows: tuple[Any, ...]) -> None:
    for seq, kind, tenant_id, effective, body in rows:
        await observer.execute(
            "INSERT INTO settings (seq, kind, tenant_id, effective_at, body) VALUES ($1, $2, $3, $4, $5)",
            *(seq, kind, tenant_id, effective, json.dumps(body)),
        )


async def read(observer: Raw, query: str, *arguments: object) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await observer.fetch(query, *arguments)]
