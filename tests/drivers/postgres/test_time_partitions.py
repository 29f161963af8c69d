"""Partitions of time: there before anything is written to them, made by one and waited for by none."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.postgres.connections import Raw
from drivers.postgres.store import PostgresStore
from drivers.postgres.time_partitions import PARTITIONED, Ensured, TimePartition, needed
from engines.core.errors import DataRefused, Transient
from engines.core.model import Batch, IdBlock, PageKey, Position, TableRow, TopicPartition
from tests.drivers.rows import anomaly, feedback, forecast, prediction, snapshot
from tests.drivers.store_subject import LOG, TP, batch, moved

DAY_US = 86_400_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_DAY = (date(9998, 12, 31) - EPOCH.date()).days
HOLDERS = "SELECT tableoid::regclass::text AS name FROM {} ORDER BY 1"
CHILDREN = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = ANY ('{pages,id_blocks}'::regclass[])"


def holding(day: int, rows: Sequence[TableRow] = ()) -> Batch:
    """A batch of something of each kind on *day*, a UTC day since the epoch."""
    pages = [(PageKey("t", "cost.hour", hour), b"") for hour in (24 * day, 24 * day + 23)]
    told = [snapshot(start_at=day * DAY_US), anomaly(window_start=(day + 1) * DAY_US - 1)]
    told += [feedback(as_of=day * DAY_US), prediction(as_of=(day + 1) * DAY_US - 1), forecast(as_of=day * DAY_US)]
    ids = [IdBlock(day, 1, b"i" * 20)]
    return Batch(0, 0, Position(*TP, "", "", 1), pages=pages, id_blocks=ids, rows=[*told, *rows])


def holds(partition: TimePartition, day: date) -> bool:
    return partition.first <= day < partition.end


@given(day=st.integers(min_value=1, max_value=LAST_DAY))
def test_a_batch_needs_one_partition_of_each_table_and_it_holds_the_day(day: int) -> None:
    partitions = needed(holding(day))
    assert sorted(partition.table for partition in partitions) == sorted(PARTITIONED)
    assert all(holds(partition, EPOCH.date() + timedelta(days=day)) for partition in partitions)


@given(first=st.integers(min_value=1, max_value=LAST_DAY), second=st.integers(min_value=1, max_value=LAST_DAY))
def test_partitions_of_a_table_never_overlap(first: int, second: int) -> None:
    for one in needed(holding(first)):
        for other in needed(holding(second)):
            assert one == other or one.table != other.table or one.end <= other.first or other.end <= one.first


def test_what_belongs_to_no_time_needs_no_partition() -> None:
    ledger = [(PageKey("t", "cost.tenant", 0, page), b"") for page in range(3)]
    assert needed(Batch(0, 0, Position(*TP, "", "", 1), pages=ledger)) == set()


@pytest.mark.parametrize(
    "bad",
    [snapshot(start_at=2**62), snapshot(start_at=None), anomaly(window_start="2026"), feedback(as_of=-(2**62))],
)
def test_a_time_that_is_none_is_refused(bad: TableRow) -> None:
    with pytest.raises(DataRefused):
        needed(holding(20_000, [bad]))


@pytest.mark.parametrize("day", [date(1970, 1, 2), date(2024, 2, 29), date(2025, 12, 31), date(9998, 12, 31)], ids=str)
async def test_rows_lie_where_their_time_says(postgres_store: PostgresStore, observer: Raw, day: date) -> None:
    claimed = await postgres_store.claim(TP, LOG)
    contents = holding((day - EPOCH.date()).days)
    ledger = (PageKey("t", "cost.tenant", 0), b"ledger")
    pages = [*contents.pages, ledger]
    assert await postgres_store.commit(batch(claimed, pages=pages, id_blocks=contents.id_blocks, rows=contents.rows))
    named = {partition.table: partition.name for partition in needed(contents)}
    assert await names(observer, "pages") == sorted([named["pages"], named["pages"], "pages_timeless"])
    for table in PARTITIONED.keys() - {"pages"}:
        assert await names(observer, table) == [named[table]]


async def names(observer: Raw, table: str) -> list[str]:
    return [row["name"] for row in await observer.fetch(HOLDERS.format(table))]


async def test_workers_that_need_the_same_new_partitions_at_once_all_get_them(
    tables: str, postgres_store: PostgresStore, observer: Raw
) -> None:
    tps = [TopicPartition("costs", partition) for partition in range(6)]
    stores = [PostgresStore(tables, pool_size=1) for _ in tps]
    claims = [await postgres_store.claim(tp, LOG) for tp in tps]
    for day in (10_000, 11_000, 12_000):
        contents = holding(day)
        done = await asyncio.gather(
            *(
                store.commit(batch(claimed, pages=contents.pages, id_blocks=contents.id_blocks, rows=contents.rows))
                for store, claimed in zip(stores, claims, strict=True)
            )
        )
        assert done == [True] * len(tps)
        claims = [moved(claimed) for claimed in claims]
    assert len(await observer.fetch("SELECT FROM pages")) == 2 * 3 * len(tps)
    for store in stores:
        await store.close()


async def test_a_new_partition_waits_for_no_use_of_the_others(postgres_store: PostgresStore, observer: Raw) -> None:
    claimed = await postgres_store.claim(TP, LOG)
    assert await postgres_store.commit(batch(claimed, pages=holding(13_000).pages))
    (partition,) = (one for one in needed(holding(13_000)) if one.table == "pages")
    async with observer.transaction():
        await observer.execute(f"LOCK TABLE {partition.name} IN SHARE UPDATE EXCLUSIVE MODE")  # as VACUUM does
        assert len(await observer.fetch("SELECT FROM pages FOR UPDATE")) == 2
        await observer.execute("UPDATE pages SET as_of = 1 WHERE bucket = $1", 24 * 13_000)
        async with asyncio.timeout(4):
            assert await postgres_store.commit(batch(moved(claimed), pages=holding(13_500).pages))


async def test_a_partition_that_is_known_costs_no_statement(observer: Raw) -> None:
    ensured, contents = Ensured(), holding(14_000)
    await ensured.make(observer, ensured.missing(contents))
    assert ensured.missing(contents) == []
    assert [partition.table for partition in ensured.missing(holding(14_007))] == ["id_blocks", "pages"]
    ensured.forget()
    assert len(ensured.missing(contents)) == len(PARTITIONED)


async def test_a_partition_dropped_behind_the_stores_back_is_made_again(
    postgres_store: PostgresStore, observer: Raw
) -> None:
    claimed = await postgres_store.claim(TP, LOG)
    contents = holding(15_000)
    assert await postgres_store.commit(batch(claimed, pages=contents.pages))
    (partition,) = (one for one in needed(contents) if one.table == "pages")
    await observer.execute(f"DROP TABLE {partition.name}")
    again = batch(moved(claimed), {"released": True}, pages=contents.pages)
    with pytest.raises(Transient, match="dropped"):
        await postgres_store.commit(again)
    assert await postgres_store.commit(again)
    assert len(await postgres_store.load_pages(TP, [key for key, _ in contents.pages])) == 2


@pytest.mark.parametrize(
    "parent, first",
    [("positions", "2026-01-01"), ("pages", "2026-01-02"), ("snapshots", "2026-01-02"), ("x; --", "2026-01-01")],
)
async def test_only_partitions_that_the_store_knows_are_made(observer: Raw, parent: str, first: str) -> None:
    with pytest.raises(asyncpg.InvalidParameterValueError):
        await observer.execute("SELECT ensure_partition($1, $2::text::date)", parent, first)


async def test_a_worker_need_not_own_the_tables(observer: Raw) -> None:
    role = "plain_worker"
    await observer.execute("BEGIN")
    await observer.execute(f"CREATE ROLE {role}")
    await observer.execute(f"SET LOCAL ROLE {role}")
    await observer.execute("SELECT ensure_partition('pages', date '1970-01-01' + 7 * 2500)")
    await observer.execute("ROLLBACK")
