"""Retention drops what nothing needs any more, and nothing else."""

from collections.abc import Callable
from datetime import date, timedelta

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.postgres.connections import PostgresLimits, Raw
from drivers.postgres.retention import Retention, expired, parse
from drivers.postgres.store import PostgresStore
from drivers.postgres.time_partitions import EPOCH_DAY, PARTITIONED, TimePartition, needed
from engines.core.errors import SettingsError
from engines.core.model import Batch, IdBlock, PageKey, Position, TableRow, TopicPartition
from engines.core.tables import TABLES
from tests.drivers.rows import anomaly, feedback, forecast, prediction, snapshot
from tests.drivers.store_subject import LOG, TP, batch, moved

DAY_US = 86_400_000_000
HORIZON = 35
"""CONTRACT §2: a record of a day before the watermark's less this is too old to be counted."""
OTHER = TopicPartition("costs", 4)
TODAY = 20_500  # 2026-02-16
DAYS = st.integers(min_value=3000, max_value=30_000)
AGO = st.integers(min_value=20, max_value=80)
"""Around the ages at which something goes: drawn at random from all days, hardly any would be."""
ALL = (
    "SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r' AND relnamespace = 'public'::regnamespace"
    " ORDER BY 1"
)


class Stopped:
    """A clock that stands."""

    def now_ms(self) -> int:
        """Noon of TODAY."""
        return TODAY * 86_400_000 + 43_200_000


@pytest.fixture
def retention(tables: str) -> Callable[[int], Retention]:
    return lambda keep_days: Retention(tables, PostgresLimits(), Stopped(), keep_days)


def all_of(day: int) -> set[TimePartition]:
    return needed(contents(day))


def contents(*days: int) -> Batch:
    """A batch that holds something of each kind on each of *days*."""
    return Batch(
        0,
        0,
        Position(*TP, "", "", 1),
        pages=[(PageKey("t", "cost.day", 24 * day), b"") for day in days],
        id_blocks=[IdBlock(day, 1, b"i" * 20) for day in days],
        rows=[row for day in days for row in shown(day * DAY_US)],
    )


def shown(at_us: int) -> tuple[TableRow, ...]:
    """A row of each projection."""
    of_costs = snapshot(start_at=at_us), anomaly(window_start=at_us), forecast(as_of=at_us)
    return *of_costs, feedback(as_of=at_us), prediction(as_of=at_us)


async def filled(store: PostgresStore, *days: int, watermarks: tuple[int, ...] = ()) -> None:
    """Fill *days*, and a ledger, and let partitions have come to the *watermarks*, days, too."""
    claimed = await store.claim(TP, LOG)
    held = contents(*days)
    pages = [*held.pages, (PageKey("t", "cost.tenant", 0), b"ledger")]
    assert await store.commit(batch(claimed, pages=pages, id_blocks=held.id_blocks, rows=held.rows))
    await store.claim(TopicPartition("costs", 11), LOG)  # a partition without any record yet
    for partition, day in enumerate(watermarks):
        tp = TopicPartition("costs", partition)
        assert await store.commit(batch(await store.claim(tp, LOG), {"watermark_us": day * DAY_US + DAY_US - 1}))


@pytest.fixture
async def none(observer: Raw) -> None:
    """Let there be no partition of time at first."""
    for row in await observer.fetch(ALL):
        if parse(row["relname"].rpartition("_")[0], row["relname"]) is not None:
            await observer.execute(f"DROP TABLE {row['relname']}")


@given(oldest=DAYS, later=st.integers(min_value=0, max_value=40), ago=AGO, today=DAYS)
def test_of_a_day_whose_identities_go_every_record_is_too_old(oldest: int, later: int, ago: int, today: int) -> None:
    gone = expired(all_of(oldest - ago), at(oldest), at(today), 0)
    for partition in gone:
        if partition.table == "id_blocks":
            watermark_day = oldest + later
            assert all(other < watermark_day - HORIZON for other in days_of(partition))


@given(oldest=DAYS, ago=AGO, today=DAYS, keep_days=st.integers(min_value=1, max_value=500))
def test_what_may_be_needed_stays(oldest: int, ago: int, today: int, keep_days: int) -> None:
    day = oldest - ago
    shown_from = min(oldest, today) - max(keep_days, 50)
    needed_from = {"pages": oldest - 50, "id_blocks": oldest - 36} | dict.fromkeys(TABLES, shown_from)
    gone = expired(all_of(day), at(oldest), at(today), keep_days)
    for partition in all_of(day):
        assert (partition in gone) is (max(days_of(partition)) < needed_from[partition.table])


@given(oldest=DAYS, day=DAYS, today=DAYS)
def test_without_a_limit_projections_stay_for_ever(oldest: int, day: int, today: int) -> None:
    gone = expired(all_of(day), at(oldest), at(today), 0)
    assert {partition.table for partition in gone} <= {"pages", "id_blocks"}


def at(day: int) -> date:
    return EPOCH_DAY + timedelta(days=day)


def days_of(partition: TimePartition) -> range:
    return range((partition.first - EPOCH_DAY).days, (partition.end - EPOCH_DAY).days)


@pytest.mark.parametrize(
    "table, name",
    [("pages", "pages_timeless"), ("pages", "pages_20261301"), ("pages", "pages_2026010"), ("x", "other")],
)
def test_what_was_not_made_for_a_time_is_no_partition_of_time(table: str, name: str) -> None:
    assert parse(table, name) is None


@given(day=DAYS)
def test_names_are_read_back(day: int) -> None:
    assert all(parse(partition.table, partition.name) == partition for partition in all_of(day))


@pytest.mark.usefixtures("none")
async def test_exactly_what_is_needed_no_more_is_dropped(
    retention: Callable[[int], Retention], postgres_store: PostgresStore, observer: Raw
) -> None:
    behind = TODAY - 10
    old, near, ids_only, recent = behind - 500, behind - 80, behind - 44, behind
    await filled(postgres_store, old, near, ids_only, recent, watermarks=(TODAY, behind, TODAY))
    gone = {"id_blocks": (old, near, ids_only), "pages": (old, near)} | dict.fromkeys(TABLES, (old,))
    expected = sorted(
        partition.name
        for table, days in gone.items()
        for day in days
        for partition in all_of(day)
        if partition.table == table
    )
    before = await partitions(observer)
    found = await retention(400).look()
    assert await partitions(observer) == before
    done = await retention(400).sweep()
    assert sorted(one.partition.name for one in done.dropped) == expected
    assert (list(done.dropped), list(done.in_use)) == (found, [])
    assert await partitions(observer) == sorted(set(before) - set(expected))
    assert await retention(400).look() == []
    ledger = PageKey("t", "cost.tenant", 0)
    assert await postgres_store.load_pages(TP, [ledger]) == {ledger: b"ledger"}


async def partitions(observer: Raw) -> list[str]:
    return [row["relname"] for row in await observer.fetch(ALL)]


@pytest.mark.usefixtures("none")
async def test_projections_stay_when_they_are_to_stay_for_ever(
    retention: Callable[[int], Retention], postgres_store: PostgresStore
) -> None:
    await filled(postgres_store, 10_000, watermarks=(TODAY,))
    done = await retention(0).sweep()
    assert sorted(one.partition.table for one in done.dropped) == ["id_blocks", "pages"]


@pytest.mark.usefixtures("none")
async def test_before_the_first_record_nothing_is_dropped(
    retention: Callable[[int], Retention], postgres_store: PostgresStore
) -> None:
    await filled(postgres_store, 10_000)
    assert await retention(400).sweep() == ([], [])


@pytest.mark.usefixtures("none")
async def test_what_somebody_reads_is_left_for_the_next_time(
    retention: Callable[[int], Retention], postgres_store: PostgresStore, observer: Raw
) -> None:
    await filled(postgres_store, 10_000, watermarks=(TODAY,))
    async with observer.transaction():
        await observer.fetch("SELECT FROM pages")
        done = await retention(400).sweep()
        assert [one.partition.table for one in done.in_use] == ["pages"]
        assert len(done.dropped) == len(PARTITIONED) - 1
    assert [one.partition.table for one in (await retention(400).sweep()).dropped] == ["pages"]


@pytest.mark.usefixtures("none")
async def test_one_process_sweeps_at_a_time(
    retention: Callable[[int], Retention], postgres_store: PostgresStore, observer: Raw
) -> None:
    await filled(postgres_store, 10_000, watermarks=(TODAY,))
    await observer.execute("SELECT pg_advisory_lock(7241500302)")
    assert await retention(400).sweep() == ([], [])
    await observer.execute("SELECT pg_advisory_unlock(7241500302)")
    assert len((await retention(400).sweep()).dropped) == len(PARTITIONED)


@pytest.mark.usefixtures("none")
@pytest.mark.parametrize("table, margin", [("pages", 50), ("id_blocks", 36), *((table, 50) for table in TABLES)])
async def test_the_database_itself_refuses_to_drop_what_is_needed(
    postgres_store: PostgresStore, observer: Raw, table: str, margin: int
) -> None:
    await filled(postgres_store, 10_000)
    (partition,) = (one for one in all_of(10_000) if one.table == table)
    drop = ("SELECT drop_partition($1, $2::text::date)", table, partition.first.isoformat())
    with pytest.raises(asyncpg.ObjectInUseError):
        await observer.execute(*drop)
    end = (partition.end - EPOCH_DAY).days
    claimed = await postgres_store.claim(OTHER, LOG)
    assert await postgres_store.commit(batch(claimed, {"watermark_us": (end + margin) * DAY_US - 1}))
    with pytest.raises(asyncpg.ObjectInUseError):
        await observer.execute(*drop)
    assert await postgres_store.commit(batch(moved(claimed), {"watermark_us": (end + margin) * DAY_US}))
    await observer.execute(*drop)
    assert partition.name not in await partitions(observer)


async def test_retention_needs_the_tables(database_url: str) -> None:
    with pytest.raises(SettingsError, match="outlay migrate"):
        await Retention(database_url, PostgresLimits(), Stopped(), 400).look()
