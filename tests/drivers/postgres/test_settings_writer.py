"""Settings rows never reach into what is closed, whoever comes first: the writer or the close."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from drivers.kafka.murmur2 import partition_of
from drivers.postgres.connections import PostgresLimits, Raw, libpq_url
from drivers.postgres.migrate import Migrated, migrate
from drivers.postgres.settings_writer import CHANNEL, Decided, SettingRefused, SettingsTable, refuse
from drivers.postgres.store import PostgresStore
from engines.core.errors import DataRefused, SettingsError, SettingsMoved, Transient
from engines.core.model import NewSetting, TopicPartition
from engines.runs.setting_lines import acknowledgement
from tests.drivers.store_subject import LOG, TP, batch

DAY = 86_400_000_000
NOW = 20_500 * DAY + 5
CLOSED = 20_000
OPEN_FROM = (CLOSED + 1) * DAY
HERE = next(f"tenant-{n}" for n in range(1000) if partition_of(f"tenant-{n}".encode(), LOG.partitions) == TP.partition)
ELSEWHERE = next(f"tenant-{n}" for n in range(1000) if partition_of(f"tenant-{n}".encode(), LOG.partitions) == 4)
SEEN = acknowledgement(HERE, "pf_1", "2024-01-01T00:00:00Z", at_us=NOW, by="ana").setting()
WAITING = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def budget(tenant_id: str = HERE, effective_us: int | None = OPEN_FROM) -> NewSetting:
    return NewSetting("budget", tenant_id, effective_us, b'{"budget_type":"tenant"}')


def tag(effective_us: int | None) -> NewSetting:
    return NewSetting("tag", HERE, effective_us, b'{"tag":"search"}')


def rule(name: str, effective_us: int | None, tenant_id: str = "*") -> NewSetting:
    return NewSetting("rule", tenant_id, effective_us, b'{"name":"%s","value":1}' % name.encode())


@pytest.fixture
async def table(tables: str) -> AsyncIterator[SettingsTable]:
    table = SettingsTable(tables, PostgresLimits(lock_s=20))
    yield table
    await table.close()


async def somebody_waits(observer: Raw) -> None:
    async with asyncio.timeout(10):
        while True:
            await observer.execute("SELECT pg_stat_clear_snapshot()")  # a transaction sees it as it was at first
            if await observer.fetch(WAITING):
                return
            await asyncio.sleep(0.01)


async def closed(store: PostgresStore, day: int = CLOSED, tp: TopicPartition = TP, **changes: Any) -> None:
    claimed = await store.claim(tp, LOG)
    changes = {"closed_through": day, "watermark_us": (day + 1) * DAY} | changes
    assert await store.commit(batch(claimed, changes))


@pytest.mark.parametrize(
    "row, decided, earliest_us",
    [
        (budget(), Decided(None, counting=False), None),
        (budget(effective_us=None), Decided(None, counting=True), None),
        (budget(effective_us=OPEN_FROM), Decided(CLOSED, counting=True), None),
        (budget(effective_us=OPEN_FROM - 1), Decided(CLOSED, counting=True), OPEN_FROM),
        (budget(effective_us=None), Decided(CLOSED, counting=True), OPEN_FROM),
        (rule("drift_pct_min", OPEN_FROM), Decided(CLOSED, counting=True), None),
        (rule("drift_pct_min", 0), Decided(CLOSED, counting=True), OPEN_FROM),
        (rule("feature_tags", OPEN_FROM), Decided(CLOSED, counting=True), NOW),
        (rule("feature_tags", NOW), Decided(CLOSED, counting=True), None),
        (rule("feature_tags", None), Decided(None, counting=False), None),
        (tag(NOW), Decided(CLOSED, counting=True), None),
        (tag(NOW - 1), Decided(CLOSED, counting=True), NOW),
        (tag(None), Decided(None, counting=True), NOW),
        (tag(None), Decided(None, counting=False), None),
        (tag(NOW), Decided(20_600, counting=True), 20_601 * DAY),
        (SEEN, Decided(CLOSED, counting=True), None),
    ],
)
def test_a_row_may_change_only_what_is_not_decided(row: NewSetting, decided: Decided, earliest_us: int | None) -> None:
    if earliest_us is None:
        refuse(row, decided, NOW)
        return
    with pytest.raises(SettingRefused) as refused:
        refuse(row, decided, NOW)
    assert refused.value.earliest_us == earliest_us
    refuse(row._replace(effective_us=earliest_us), decided, NOW)


def test_a_refusal_names_the_row_the_closed_day_and_the_earliest_time() -> None:
    with pytest.raises(SettingsError) as refused:
        refuse(budget("acme", OPEN_FROM - 1), Decided(CLOSED, counting=True), NOW)
    assert str(refused.value) == (
        "budget of tenant acme, in force from 2024-10-04T23:59:59.999999Z: the days through 2024-10-04 are closed;"
        " the earliest time is 2024-10-05T00:00:00Z"
    )


async def test_the_closes_of_a_tenants_home_partition_count(
    table: SettingsTable, postgres_store: PostgresStore
) -> None:
    await closed(postgres_store)
    await closed(postgres_store, CLOSED - 10, TopicPartition("costs", 4))
    with pytest.raises(SettingRefused):
        await table.append([budget(HERE, OPEN_FROM - 1)], now_us=NOW)
    assert await table.append([budget(ELSEWHERE, OPEN_FROM - 1)], now_us=NOW) == [1]
    with pytest.raises(SettingRefused):
        await table.append([rule("drift_pct_min", OPEN_FROM - 1)], now_us=NOW)
    assert await table.append([rule("drift_pct_min", OPEN_FROM)], now_us=NOW) == [2]


async def test_hours_of_runs_that_are_closed_are_no_closed_days_of_costs(
    table: SettingsTable, postgres_store: PostgresStore
) -> None:
    await closed(postgres_store, 24 * CLOSED, TopicPartition("runs", TP.partition), watermark_us=CLOSED * DAY)
    assert await table.append([budget(effective_us=None), tag(None)], now_us=NOW) == [1, 2]
    assert await table.append([rule("drift_pct_min", None), SEEN], now_us=NOW) == [3, 4]


async def test_what_old_workers_cannot_read_waits_for_the_last_of_them(
    table: SettingsTable, tables: str, observer: Raw
) -> None:
    await observer.execute("UPDATE schema_range SET oldest = 4")
    await observer.execute("UPDATE alembic_version SET version_num = '0005'")
    with pytest.raises(SettingsError, match=r"kind acknowledgement, may still run.*`outlay migrate --contract`"):
        await table.append([budget(), SEEN], now_us=NOW)
    assert await table.append([budget()], now_us=NOW) == [1]
    assert await migrate(tables) == Migrated("0005", "0006")
    assert await migrate(tables, contract=True) == Migrated("0006")
    assert await table.append([SEEN], now_us=NOW) == [2]


async def test_a_day_that_is_being_closed_counts_as_closed(table: SettingsTable, postgres_store: PostgresStore) -> None:
    await closed(postgres_store, closing_day=CLOSED + 1, closing_cursor="m")
    with pytest.raises(SettingRefused) as refused:
        await table.append([budget()], now_us=NOW)
    assert refused.value.closed_day == CLOSED + 1


async def test_one_refused_row_keeps_all_out_and_leaves_no_gap(
    table: SettingsTable, postgres_store: PostgresStore
) -> None:
    await closed(postgres_store)
    with pytest.raises(SettingRefused):
        await table.append([budget(), budget(effective_us=0)], now_us=NOW)
    with pytest.raises(DataRefused):
        await table.append([budget(), budget()._replace(body=b"{")], now_us=NOW)
    with pytest.raises(DataRefused):
        await table.append([budget(effective_us=2**62)], now_us=NOW)
    assert await table.read() == []
    assert await table.append([], now_us=NOW) == []
    assert await table.append([budget(), budget()], now_us=NOW) == [1, 2]
    assert [row.seq for row in await table.read(1)] == [2]


async def test_writers_at_the_same_time_get_numbers_in_a_row(tables: str, table: SettingsTable) -> None:
    others = [SettingsTable(tables, PostgresLimits()) for _ in range(3)]
    found = await asyncio.gather(*(other.append([budget(), budget()], now_us=NOW) for other in others))
    assert sorted(seq for seqs in found for seq in seqs) == [1, 2, 3, 4, 5, 6]
    assert all(second == first + 1 for first, second in found)
    assert len(await table.read()) == 6
    for other in others:
        await other.close()


async def test_each_append_is_announced_once_it_is_there(tables: str, table: SettingsTable) -> None:
    listener: Raw = await asyncpg.connect(libpq_url(tables))
    heard: asyncio.Queue[object] = asyncio.Queue()
    await listener.add_listener(CHANNEL, lambda *said: heard.put_nowait(said[-1]))
    await table.append([budget(), budget()], now_us=NOW)
    async with asyncio.timeout(10):
        assert await heard.get() == "2"
    listener.terminate()


async def test_a_close_waits_for_a_writer_and_then_knows_of_its_row(
    table: SettingsTable, postgres_store: PostgresStore, observer: Raw
) -> None:
    claimed = await postgres_store.claim(TP, LOG)
    async with observer.transaction():  # a writer that has not committed yet
        await observer.execute("SELECT seq FROM settings_head FOR UPDATE")
        close = asyncio.create_task(postgres_store.commit(batch(claimed, {"closed_through": 1}, settings_seq=0)))
        await somebody_waits(observer)
        await observer.execute("UPDATE settings_head SET seq = 1")
    with pytest.raises(SettingsMoved):
        await close
    assert (await postgres_store.claim(TP, LOG)).closed_through is None
    assert await table.append([budget(effective_us=0)], now_us=NOW) == [2]


async def test_a_writer_waits_for_a_close_and_is_refused_by_it(
    table: SettingsTable, postgres_store: PostgresStore, observer: Raw
) -> None:
    await closed(postgres_store, CLOSED - 1)
    async with observer.transaction():  # a close that has not committed yet
        await observer.execute("SELECT seq FROM settings_head FOR SHARE")
        await observer.execute("UPDATE positions SET closed_through = $1", CLOSED)
        append = asyncio.create_task(table.append([budget(effective_us=OPEN_FROM - 1)], now_us=NOW))
        await somebody_waits(observer)
    with pytest.raises(SettingRefused):
        await append
    assert await table.read() == []


async def test_closes_do_not_wait_for_each_other(postgres_store: PostgresStore, observer: Raw) -> None:
    claimed = await postgres_store.claim(TP, LOG)
    async with observer.transaction():
        await observer.execute("SELECT seq FROM settings_head FOR SHARE")
        async with asyncio.timeout(4):
            assert await postgres_store.commit(batch(claimed, {"closed_through": 1}, settings_seq=0))


async def test_a_writer_kept_waiting_for_long_is_told_to_try_again(tables: str, observer: Raw) -> None:
    table = SettingsTable(tables, PostgresLimits(lock_s=0.1))
    async with observer.transaction():
        await observer.execute("SELECT seq FROM settings_head FOR SHARE")
        with pytest.raises(Transient):
            await table.append([budget()], now_us=NOW)
    await table.close()


async def test_settings_need_the_tables(database_url: str) -> None:
    table = SettingsTable(database_url, PostgresLimits())
    with pytest.raises(SettingsError, match="outlay migrate"):
        await table.append([budget()], now_us=NOW)
    with pytest.raises(SettingsError, match="outlay migrate"):
        await table.read()
    await table.close()
