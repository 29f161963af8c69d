from collections.abc import AsyncIterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from drivers.postgres.connections import Raw
from drivers.postgres.read import (
    Database,
    iterate_snapshots,
    opened,
    read_current_anomalies,
    totals_by_day,
)
from drivers.postgres.store import PostgresStore
from engines.core.errors import SettingsError
from engines.core.model import Position
from tests.drivers.rows import anomaly, snapshot
from tests.drivers.store_subject import LOG, TP, batch, message, moved

DAY = 20_454  # 2026-01-01
DAY_US = 86_400_000_000


@pytest.fixture
async def database(tables: str) -> AsyncIterator[Database]:
    async with opened(tables) as database:
        yield database


async def committed(store: PostgresStore, changes: dict[str, Any], **contents: Any) -> Position:
    claimed = await store.claim(TP, LOG)
    assert await store.commit(batch(claimed, changes, **contents))
    return moved(claimed, **changes)


async def test_reading_needs_the_tables(database_url: str) -> None:
    with pytest.raises(SettingsError, match="outlay migrate"):
        async with opened(database_url):
            pass


async def test_a_line_tells_status_version_and_deviation(database: Database, postgres_store: PostgresStore) -> None:
    us = DAY * DAY_US
    rows = [
        snapshot(start_at=us, requests=3, cost_nanousd=2_999_999_999, baseline_nanousd=1_000_000_000),
        snapshot(start_at=us, entity_type="user", entity_id="u", cost_nanousd=1, baseline_nanousd=3),
        snapshot(start_at=us, window_kind="hour", cost_nanousd=None),
        snapshot(start_at=us + 23 * DAY_US // 24, window_kind="hour"),
        snapshot(start_at=us + DAY_US, requests=5, cost_nanousd=2**70, baseline_nanousd=0),
    ]
    await committed(postgres_store, {"closed_through": DAY}, rows=rows)
    lines = {
        (line.start.isoformat(), line.window, line.entity_type): line async for line in iterate_snapshots(database)
    }
    assert len(lines) == 5
    closed = lines["2026-01-01T00:00:00+00:00", "day", "tenant"]
    assert (closed.status, closed.version, closed.deviation_pct) == ("complete", 7, Decimal("199.99"))
    user = lines["2026-01-01T00:00:00+00:00", "day", "user"]
    assert user.deviation_pct == Decimal("-66.66")
    unpriced = lines["2026-01-01T00:00:00+00:00", "hour", "tenant"]
    assert (unpriced.cost_nanousd, unpriced.deviation_pct, unpriced.status) == (None, None, "complete")
    assert lines["2026-01-01T23:00:00+00:00", "hour", "tenant"].status == "complete"
    open_day = lines["2026-01-02T00:00:00+00:00", "day", "tenant"]
    assert (open_day.status, open_day.version) == ("provisional", 10)
    assert (open_day.cost_nanousd, open_day.deviation_pct) == (2**70, None)


async def test_nothing_is_complete_before_the_first_close(database: Database, postgres_store: PostgresStore) -> None:
    await committed(postgres_store, {}, rows=[snapshot()])
    assert [line.status async for line in iterate_snapshots(database)] == ["provisional"]


async def test_a_line_is_complete_by_the_utc_day_whatever_the_zone_of_the_session(
    observer: Raw, postgres_store: PostgresStore
) -> None:
    rows = [snapshot(start_at=DAY * DAY_US + 23 * DAY_US // 24, window_kind="hour")]
    await committed(postgres_store, {"closed_through": DAY}, rows=rows)
    for zone in ("Pacific/Kiritimati", "America/Los_Angeles"):
        await observer.execute(f"SET TIME ZONE '{zone}'")
        assert await observer.fetchval("SELECT status FROM snapshot_lines") == "complete"


async def test_totals_are_one_per_tenant_and_day(
    database: Database, postgres_store: PostgresStore, observer: Raw
) -> None:
    us = DAY * DAY_US
    rows = [
        snapshot(tenant_id="b", entity_id="b", start_at=us, cost_nanousd=2_500_000_001),
        snapshot(tenant_id="a", entity_id="a", start_at=us, cost_nanousd=None, input_tokens=2**70),
        snapshot(tenant_id="a", entity_id="a", start_at=us + DAY_US),
        snapshot(tenant_id="a", entity_id="u", entity_type="user", start_at=us),
        snapshot(tenant_id="a", entity_id="a", window_kind="hour", start_at=us),
    ]
    await committed(postgres_store, {"closed_through": DAY}, rows=rows)
    totals = await totals_by_day(database)
    assert [(total.day, total.tenant_id, total.cost_nanousd, total.status) for total in totals] == [
        (date(2026, 1, 1), "a", None, "complete"),
        (date(2026, 1, 1), "b", 2_500_000_001, "complete"),
        (date(2026, 1, 2), "a", 1_500_000_000, "provisional"),
    ]
    assert totals[0].input_tokens == 2**70
    spent = await observer.fetch("SELECT day, tenant_id, cost_usd FROM spend_by_day WHERE cost_usd > 2")
    assert [tuple(row) for row in spent] == [(date(2026, 1, 1), "b", Decimal("2.500000001"))]


async def test_the_last_revision_of_each_anomaly_stands_unless_withdrawn(
    database: Database, postgres_store: PostgresStore
) -> None:
    rows = [
        anomaly(anomaly_id="ca_1", revision=9, status="final", line='{"revision":9}'),
        anomaly(anomaly_id="ca_1", revision=10, status="final", line='{"revision":10}'),
        anomaly(anomaly_id="ca_2", revision=2),
        anomaly(anomaly_id="ca_2", revision=3, status="withdrawn"),
        anomaly(anomaly_id="ca_3", revision=2, status="withdrawn"),
        anomaly(anomaly_id="ca_3", revision=4, line='{"cost":18446744073709551617}'),
    ]
    await committed(postgres_store, {}, rows=rows)
    current = await read_current_anomalies(database)
    assert [(item.anomaly_id, item.revision, item.status) for item in current] == [
        ("ca_1", 10, "final"),
        ("ca_3", 4, "provisional"),
    ]
    assert [item.line for item in current] == [{"revision": 10}, {"cost": 2**64 + 1}]


async def test_progress_reads_like_a_sentence(observer: Raw, postgres_store: PostgresStore) -> None:
    changes = {
        "next_offset": 7,
        "watermark_us": DAY * DAY_US + 1,
        "closed_through": DAY - 1,
        "outbox_seq": 3,
        "published": 1,
        "counts": {"accepted": 5},
    }
    await committed(postgres_store, changes, outbox=[message(2), message(3)])
    row = await observer.fetchrow("SELECT *, watermark AT TIME ZONE 'UTC' AS utc FROM progress")
    assert row is not None
    assert (row["topic"], row["partition"], row["next_offset"], row["unpublished_messages"]) == ("costs", 3, 7, 2)
    assert row["utc"] == datetime(2026, 1, 1, 0, 0, 0, 1)  # noqa: DTZ001 as the server says it, in UTC
    assert row["closed_through"] == date(2025, 12, 31)
