"""The views an analyst reads, on rows that the store and the writer of settings wrote."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from alembic import command
from sqlalchemy import Connection

from drivers.postgres.connections import Connections, PostgresLimits, Raw
from drivers.postgres.migrate import alembic_config, migrate
from drivers.postgres.settings_writer import SettingsTable
from drivers.postgres.store import PostgresStore
from engines.core.model import NewSetting, TopicPartition
from tests.drivers.postgres.viewed import DAY, DAY_US, USD, budget, is_set, read, spent, written
from tests.drivers.rows import anomaly, snapshot
from tests.drivers.store_subject import LOG, batch

TODAY = "SELECT entity_type, entity_id, cost_usd, baseline_usd, deviation_pct, baseline_days, status FROM spend_today"


async def test_today_is_the_latest_day_with_data_and_is_held_against_the_active_days_of_the_week_before(
    observer: Raw, postgres_store: PostgresStore
) -> None:
    rows = [
        spent(DAY, 3 * USD, entity_id="acme"),
        spent(DAY - 1, 1 * USD),
        spent(DAY - 4, None),  # no price, so no active day
        spent(DAY - 7, 1 * USD + 1),
        spent(DAY - 8, 100 * USD),  # too long ago
        spent(DAY, None, entity_type="user", entity_id="ana"),
        spent(DAY, 5, entity_type="model", entity_id="new"),
        spent(DAY - 1, 5, entity_type="feature", entity_id="silent"),
        snapshot(start_at=DAY * DAY_US + DAY_US // 24, window_kind="hour"),
    ]
    await written(postgres_store, *rows, closed_through=DAY - 1)
    assert await read(observer, "SELECT latest_day()") == [(date(2026, 1, 15),)]
    assert await read(observer, TODAY + " ORDER BY 1") == [
        ("model", "new", Decimal("0.000000005"), None, None, 0, "provisional"),
        ("tenant", "acme", Decimal(3), Decimal(1), Decimal("200.00"), 2, "provisional"),
        ("user", "ana", None, None, None, 0, "provisional"),
    ]


async def test_the_baseline_of_a_closed_day_is_the_one_fixed_at_its_close(
    observer: Raw, postgres_store: PostgresStore
) -> None:
    rows = [spent(DAY, 3 * USD, baseline_nanousd=2 * USD), spent(DAY - 1, USD)]
    await written(postgres_store, *rows, closed_through=DAY)
    assert await read(observer, TODAY) == [("tenant", "acme", Decimal(3), Decimal(2), Decimal("50.00"), 1, "complete")]
    other_day = await read(observer, TODAY.replace("spend_today", "spend_on('2026-01-14')"))
    assert other_day == [("tenant", "acme", Decimal(1), None, None, 0, "complete")]


async def test_today_says_the_same_in_any_zone_and_before_any_data(
    observer: Raw, postgres_store: PostgresStore
) -> None:
    for view in ("spend_today", "baselines", "budget_usage", "budgets_current", "anomaly_history"):
        assert await read(observer, f"SELECT * FROM {view}") == []
    await written(postgres_store, spent(DAY, USD), spent(DAY - 1, USD))
    for zone in ("Pacific/Kiritimati", "America/Los_Angeles"):
        await observer.execute(f"SET TIME ZONE '{zone}'")
        assert await read(observer, "SELECT day, baseline_days FROM spend_today") == [(date(2026, 1, 15), 1)]


async def test_baselines_are_the_means_that_the_rules_use(observer: Raw, postgres_store: PostgresStore) -> None:
    days = {1: 1, 2: 3, 7: 5, 8: 100, 14: 200, 15: 1_000, 28: 3_000, 29: 10**6}
    await written(postgres_store, spent(DAY, 7), *(spent(DAY - back, cost) for back, cost in days.items()))
    found = await read(
        observer,
        "SELECT day, mean_usd * 1e9, active_days, min_usd * 1e9, max_usd * 1e9, spike_mean_usd * 1e9,"
        " spike_active_days, drift_mean_usd * 1e9, drift_active_days FROM baselines",
    )
    assert found == [(date(2026, 1, 15), 3, 3, 1, 5, (3 + 5 + 100 + 200) // 4, 4, 4_300 // 4, 4)]


async def test_of_budget_rows_the_one_in_force_last_counts(observer: Raw) -> None:
    now_us = int(datetime.now(UTC).timestamp()) * 10**6
    rows = [
        budget(1, daily_limit_cents=1),
        budget(2, now_us - DAY_US, daily_limit_cents=2),
        budget(3, now_us - DAY_US, daily_limit_cents=3),
        budget(4, now_us - 2 * DAY_US, daily_limit_cents=4),  # appended last, in force earlier
        budget(5, now_us + DAY_US, daily_limit_cents=5),  # not yet
        budget(6, budget_type="user", entity_id="ana", daily_limit_cents=None, is_active=False),
    ]
    await is_set(observer, *rows)
    found = await read(
        observer,
        "SELECT budget_type, entity_id, daily_limit_usd, monthly_limit_usd, is_active, seq FROM budgets_current"
        " ORDER BY 1",
    )
    assert found == [
        ("tenant", "acme", Decimal("0.03"), Decimal(100), True, 3),
        ("user", "ana", None, Decimal(100), False, 6),
    ]


USAGE = (
    "SELECT budget_type, entity_id, period, used_usd, limit_usd, usage_pct, level FROM budget_usage{} ORDER BY 1, 2, 3"
)


async def test_usage_is_that_of_the_day_and_of_its_month_up_to_it(observer: Raw, postgres_store: PostgresStore) -> None:
    rows = [
        spent(DAY, 10 * USD - 1),
        spent(DAY - 1, 50 * USD),
        spent(DAY - 14, 40 * USD + 1),  # the 1st
        spent(DAY - 15, 1_000 * USD),  # the month before
        spent(DAY, 8 * USD, entity_type="user", entity_id="ana"),
        spent(DAY, 7_999_999_999, entity_type="feature", entity_id="chat"),
    ]
    await written(postgres_store, *rows)
    await is_set(
        observer,
        budget(1),
        budget(2, budget_type="user", entity_id="ana", monthly_limit_cents=None),
        budget(3, budget_type="feature", entity_id="chat", monthly_limit_cents=0),
        budget(4, budget_type="feature", entity_id="unused", monthly_limit_cents=None),
        budget(5, budget_type="user", entity_id="gone", is_active=False),
        budget(6, (DAY + 1) * DAY_US, daily_limit_cents=1),  # in force when the day ends: counts for the month
    )
    assert await read(observer, USAGE.format("")) == [
        ("feature", "chat", "daily", Decimal("7.999999999"), 10, Decimal("79.99"), "ok"),
        ("feature", "unused", "daily", 0, 10, 0, "ok"),
        ("tenant", "acme", "daily", Decimal("9.999999999"), 10, Decimal("99.99"), "warning"),
        ("tenant", "acme", "monthly", 100, 100, 100, "exceeded"),
        ("user", "ana", "daily", 8, 10, 80, "warning"),
    ]
    day_before = await read(observer, USAGE.format("_on('2026-01-14')"))
    assert [row[2:4] for row in day_before if row[0] == "tenant"] == [
        ("daily", 50),
        ("monthly", Decimal("90.000000001")),
    ]


async def test_budgets_as_the_writer_writes_them_are_read(
    tables: str, observer: Raw, postgres_store: PostgresStore
) -> None:
    await written(postgres_store, spent(DAY, 9 * USD))
    settings = SettingsTable(tables, PostgresLimits())
    body = json.dumps(budget(0)[4]).encode()
    assert await settings.append([NewSetting("budget", "acme", DAY * DAY_US, body)], now_us=DAY * DAY_US) == [1]
    await settings.close()
    assert await read(observer, "SELECT period, usage_pct, level FROM budget_usage ORDER BY 1") == [
        ("daily", 90, "warning"),
        ("monthly", 9, "ok"),
    ]


async def test_the_history_of_an_anomaly_is_every_revision_of_it(observer: Raw, postgres_store: PostgresStore) -> None:
    rows = [
        anomaly(anomaly_id="ca_1", revision=9),
        anomaly(anomaly_id="ca_1", revision=11, status="withdrawn"),
        anomaly(anomaly_id="ca_2", revision=4, current_nanousd=None, expected_nanousd=None),
    ]
    await written(postgres_store, *rows)
    found = await read(
        observer, "SELECT anomaly_id, revision, status, current_usd, is_last FROM anomaly_history ORDER BY 1, 2"
    )
    assert found == [
        ("ca_1", 9, "provisional", 30, False),
        ("ca_1", 11, "withdrawn", 30, True),
        ("ca_2", 4, "provisional", None, True),
    ]
    assert await read(observer, "SELECT anomaly_id FROM anomalies_current") == [("ca_2",)]


async def test_functions_and_columns_that_need_it_are_described(observer: Raw) -> None:
    undescribed = await read(
        observer,
        "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND obj_description(oid) IS NULL"
        " AND proname IN ('latest_day', 'start_of', 'spend_on', 'budgets_before', 'budget_usage_on')",
    )
    assert undescribed == []
    hints = await read(
        observer, "SELECT count(*) FROM pg_description WHERE objoid = 'budget_usage'::regclass AND objsubid > 0"
    )
    assert hints[0][0] >= 5


async def test_progress_tells_what_is_closed_of_each_topic_in_its_own_windows(
    postgres_store: PostgresStore, observer: Raw
) -> None:
    midnight = datetime.fromtimestamp((DAY + 1) * DAY_US / 10**6, UTC)
    for topic, closed_through in (("costs", DAY), ("runs", DAY * 24 + 23), ("runs", DAY * 24 + 22)):
        tp = TopicPartition(topic, closed_through % 5)
        claimed = await postgres_store.claim(tp, LOG)
        changes = {"closed_through": closed_through, "closing_day": closed_through + 1}
        assert await postgres_store.commit(batch(claimed, changes))
    columns = (
        "SELECT topic, closed_through, closing_day, closed_before FROM progress ORDER BY topic, closed_before DESC"
    )
    day = midnight.date() - timedelta(days=1)
    assert await read(observer, columns) == [
        ("costs", day, midnight.date(), midnight),
        ("runs", day, midnight.date(), midnight),
        ("runs", day - timedelta(days=1), day, midnight - timedelta(hours=1)),
    ]


@pytest.mark.parametrize("revision", ["0004", "0002"])
async def test_views_go_back_to_those_of_the_revision_before_and_forth(database_url: str, revision: str) -> None:
    def back(connection: Connection) -> None:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.downgrade(config, revision)

    await migrate(database_url)
    connections = Connections(database_url, PostgresLimits(), pool_size=1, application_name="going-back")
    async with connections.session("going back") as session, session.begin():
        await session.run_sync(back)
    await connections.close()
    await migrate(database_url)
