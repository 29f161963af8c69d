from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from drivers.claims import TopicPin
from drivers.memory.store import MemoryStore
from drivers.postgres.connections import PostgresLimits
from drivers.postgres.operator import PositionTable
from drivers.postgres.store import PostgresStore
from engines.core.errors import PositionRefused, SettingsError, Transient
from engines.core.model import Attempt, IdBlock, PageKey, Position, TopicPartition
from engines.core.ports import Store
from tests.drivers.accepting import accept
from tests.drivers.store_subject import LOG, TP, batch, message, moved

RECREATED = replace(LOG, topic_id="new topic", start=0, end=40)


@pytest.fixture
async def table(tables: str) -> AsyncIterator[PositionTable]:
    table = PositionTable(tables, PostgresLimits())
    yield table
    await table.close()


async def committed(store: PostgresStore, changes: dict[str, Any], **contents: Any) -> Position:
    claimed = replace(await store.claim(TP, LOG), released=False)
    assert await store.commit(batch(claimed, changes, **contents))
    return moved(claimed, **changes)


async def test_positions_and_pins_are_listed(table: PositionTable, postgres_store: PostgresStore) -> None:
    for tp in (TopicPartition("runs", 0), TopicPartition("costs", 10), TopicPartition("costs", 9)):
        await postgres_store.claim(tp, LOG)
    held, pins = await table.read()
    assert [one.position.tp for one in held] == [("costs", 9), ("costs", 10), ("runs", 0)]
    assert pins == [TopicPin("costs", 12, "cluster", "topic"), TopicPin("runs", 12, "cluster", "topic")]


async def test_unpublished_messages_are_counted_by_topic(table: PositionTable, postgres_store: PostgresStore) -> None:
    rows = [message(1), message(2), message(3, topic="late-records"), message(4)]
    await committed(postgres_store, {"outbox_seq": 4, "published": 1}, outbox=rows)
    held, _ = await table.read()
    assert [one.unpublished for one in held] == [{"cost-anomaly-facts": 2, "late-records": 1}]


async def test_reading_needs_tables_a_login_and_a_server(database_url: str) -> None:
    address = database_url.rpartition("@")[2]
    for url, expected in (
        (database_url, SettingsError),
        (f"postgresql://no_such_user@{address}", SettingsError),
        ("postgresql://outlay@127.0.0.1:1/outlay", Transient),
    ):
        table = PositionTable(url, PostgresLimits())
        with pytest.raises(expected):
            await table.read()
        await table.close()


async def test_accepting_lets_a_refused_partition_go_on(table: PositionTable, postgres_store: PostgresStore) -> None:
    changes = {"next_offset": 90, "projected": 90, "counts": {"accepted": 9}, "attempt": Attempt(90, 1, 95, 2)}
    before = await committed(postgres_store, changes)
    with pytest.raises(PositionRefused):
        await postgres_store.claim(TP, RECREATED)
    accepted = await table.accept(TP, RECREATED, 10)
    assert accepted is not None
    assert accepted == await postgres_store.read_position(TP)
    assert (accepted.next_offset, accepted.topic_id, accepted.counts) == (10, "new topic", {"accepted": 9})
    assert accepted.attempt is None
    assert await postgres_store.commit(batch(before)) is False
    assert (await postgres_store.claim(TP, RECREATED)).version == before.version + 2


async def test_accepting_one_partition_accepts_no_other(table: PositionTable, postgres_store: PostgresStore) -> None:
    other = TopicPartition("costs", 4)
    await postgres_store.claim(other, LOG)
    await postgres_store.claim(TP, LOG)
    await table.accept(TP, RECREATED, 10)
    with pytest.raises(PositionRefused, match="topic id"):
        await postgres_store.claim(other, RECREATED)


async def test_a_partition_never_claimed_cannot_be_accepted(
    table: PositionTable, postgres_store: PostgresStore
) -> None:
    assert await table.accept(TP, RECREATED, 10) is None
    assert await table.read() == ([], [])
    assert (await postgres_store.claim(TP, LOG)).version == 1


@pytest.mark.parametrize("next_offset", [0, 1, 10, 20, 49, 50, 90])
@pytest.mark.parametrize("projected", [0, 9, 10, 19, 20, 49, 50])
async def test_wherever_it_goes_on_the_same_pages_lag_until_they_are_shown(
    table: PositionTable, postgres_store: PostgresStore, next_offset: int, projected: int
) -> None:
    await _three_commits(postgres_store, projected)
    lagged = {key for key, _ in await postgres_store.stale_pages(TP, projected)}
    accepted = await table.accept(TP, RECREATED, next_offset)
    assert accepted is not None
    assert {key for key, _ in await postgres_store.stale_pages(TP, accepted.projected)} == lagged
    twin = MemoryStore()
    await _three_commits(twin, projected)
    accept(twin, TP, RECREATED, next_offset)
    assert (twin.positions[TP].next_offset, twin.positions[TP].projected) == (next_offset, accepted.projected)
    assert await twin.stale_pages(TP, -9) == await postgres_store.stale_pages(TP, -9)
    assert await postgres_store.stale_pages(TP, next_offset) == [], "shown where it goes on, none is shown again"


async def _three_commits(store: Store, projected: int) -> None:
    """Write a page at each of the offsets 10, 20 and 50; those above *projected* lag."""
    position = replace(await store.claim(TP, LOG), released=False)
    for as_of in (10, 20, 50):
        changes = {"next_offset": as_of, "projected": min(projected, as_of)}
        page = (PageKey(f"of {as_of}", "cost.day", 0), b"1")
        assert await store.commit(batch(position, changes, pages=[page]))
        position = moved(position, **changes)


async def test_what_is_written_after_going_back_lags_and_what_was_shown_does_not(
    table: PositionTable, postgres_store: PostgresStore
) -> None:
    shown, lagging, new = (PageKey(name, "cost.day", 0) for name in ("shown", "lagging", "new"))
    before = await committed(postgres_store, {"next_offset": 40, "projected": 40}, pages=[(shown, b"1")])
    assert await postgres_store.commit(batch(before, {"next_offset": 50}, pages=[(lagging, b"2")]))
    await table.accept(TP, RECREATED, 10)
    claimed = await postgres_store.claim(TP, RECREATED)
    assert await postgres_store.commit(batch(claimed, {"next_offset": 20}, pages=[(new, b"3")]))
    assert await postgres_store.stale_pages(TP, claimed.projected) == [(lagging, 10), (new, 20)]


async def test_after_going_to_the_end_nothing_lags(table: PositionTable, postgres_store: PostgresStore) -> None:
    pages = [(PageKey("t", "cost.day", 0), b"1")]
    await committed(postgres_store, {"next_offset": 20, "projected": 20}, pages=pages)
    accepted = await table.accept(TP, LOG, 90)
    assert accepted is not None
    assert (accepted.next_offset, accepted.projected) == (90, 90)
    assert await postgres_store.read_position(TP) == accepted


async def test_after_going_back_no_identity_is_lost(table: PositionTable, postgres_store: PostgresStore) -> None:
    await committed(postgres_store, {"next_offset": 20}, id_blocks=[IdBlock(1, 20, b"a" * 20)])
    await table.accept(TP, RECREATED, 10)
    claimed = await postgres_store.claim(TP, RECREATED)
    assert await postgres_store.commit(batch(claimed, {"next_offset": 20}, id_blocks=[IdBlock(1, 20, b"b" * 20)]))
    assert await postgres_store.load_ids(TP, None) == [IdBlock(1, 20, b"a" * 20 + b"b" * 20)]
