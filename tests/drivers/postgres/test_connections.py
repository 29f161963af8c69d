"""What goes wrong on the way to the database, and that a worker gone quiet does not block its successor."""

import asyncio
import time
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from drivers.postgres import rows
from drivers.postgres.connections import Connections, PostgresLimits, Raw, libpq_url
from drivers.postgres.errors import translate
from drivers.postgres.store import PostgresStore
from engines.core.errors import DataRefused, SettingsError, Transient
from engines.core.model import PageKey, Position
from tests.drivers.rows import snapshot
from tests.drivers.store_subject import LOG, TP, batch

QUICK = PostgresLimits(idle_in_transaction_s=0.6, lock_s=0.2, statement_s=5, call_s=6, connect_s=5)
HOLD = "SELECT 1 FROM positions FOR UPDATE"
OTHERS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
WAITING = OTHERS + " AND wait_event_type = 'Lock'"
BUSY = OTHERS + " AND state <> 'idle'"


async def claim_patiently(store: PostgresStore) -> Position:
    while True:
        try:
            return await store.claim(TP, LOG)
        except Transient:
            await asyncio.sleep(0.05)


async def until(observer: Raw, query: str, *, found: bool) -> None:
    async with asyncio.timeout(10):
        while True:
            if bool(await observer.fetch(query)) is found:
                return
            await asyncio.sleep(0.02)


async def test_a_predecessor_silent_in_a_transaction_blocks_no_longer_than_the_limits(
    tables: str, postgres_store: PostgresStore
) -> None:
    await postgres_store.claim(TP, LOG)
    stopped = await asyncpg.connect(libpq_url(tables), server_settings=QUICK.server_settings())
    successor = PostgresStore(tables, QUICK)
    try:
        await stopped.execute("BEGIN")
        await stopped.execute(HOLD)
        began = time.monotonic()
        claimed = await claim_patiently(successor)
        waited = time.monotonic() - began
        assert claimed.version == 2
        assert waited < QUICK.idle_in_transaction_s + QUICK.lock_s + 2
    finally:
        stopped.terminate()
        await successor.close()


async def test_a_commit_stopped_while_it_copies_rows_holds_no_lock(tables: str, postgres_store: PostgresStore) -> None:
    await postgres_store.claim(TP, LOG)
    setup = rows.staging_tables()
    connections = Connections(tables, PostgresLimits(), pool_size=1, application_name="stopped", setup=setup)
    async with connections.raw("copying") as stopped:
        await stopped.execute("BEGIN")
        assert await rows.stage(stopped, [snapshot()]) == ["snapshots"]
        async with asyncio.timeout(1):
            assert (await postgres_store.claim(TP, LOG)).version == 2
        await stopped.execute("ROLLBACK")
    await connections.close()


async def test_a_lock_held_for_too_long_is_transient(tables: str, postgres_store: PostgresStore, observer: Raw) -> None:
    claimed = await postgres_store.claim(TP, LOG)
    store = PostgresStore(tables, QUICK)
    async with observer.transaction():
        await observer.execute(HOLD)
        with pytest.raises(Transient, match="lock timeout"):
            await store.commit(batch(claimed))
    assert await store.commit(batch(claimed)) is True
    await store.close()


async def test_the_clients_own_limit_ends_a_call_and_its_connection(
    tables: str, postgres_store: PostgresStore, observer: Raw
) -> None:
    claimed = await postgres_store.claim(TP, LOG)
    store = PostgresStore(tables, replace(QUICK, lock_s=30, statement_s=30, call_s=0.4), application_name="impatient")
    async with observer.transaction():
        await observer.execute(HOLD)
        began = time.monotonic()
        with pytest.raises(Transient, match="no answer within the time limit"):
            await store.commit(batch(claimed, pages=[(PageKey("t", "cost.day", 0), b"")]))
        assert time.monotonic() - began < 2
    await until(observer, OTHERS + " AND application_name = 'impatient'", found=False)
    assert await store.commit(batch(claimed)) is True
    await store.close()


async def test_a_cancelled_commit_leaves_nothing_behind(postgres_store: PostgresStore, observer: Raw) -> None:
    claimed = await postgres_store.claim(TP, LOG)
    key = PageKey("t", "cost.day", 0)
    async with observer.transaction():
        await observer.execute(HOLD)
        committing = asyncio.create_task(postgres_store.commit(batch(claimed, pages=[(key, b"")])))
        await until(observer, WAITING, found=True)
        committing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await committing
    await until(observer, BUSY, found=False)
    assert await postgres_store.read_position(TP) == replace(claimed, released=False)
    assert await postgres_store.load_pages(TP, [key]) == {}
    assert await postgres_store.commit(batch(claimed, pages=[(key, b"")])) is True


async def test_a_commit_cancelled_at_any_instant_happens_whole_or_not_at_all(
    postgres_store: PostgresStore, observer: Raw
) -> None:
    row = replace(await postgres_store.claim(TP, LOG), released=False)
    key = PageKey("t", "cost.day", 0)
    cancelled = 0
    for instant in range(40):
        following = batch(row, {"next_offset": row.next_offset + 1}, pages=[(key, b"%d" % (row.next_offset + 1))])
        committing = asyncio.create_task(postgres_store.commit(following))
        await asyncio.wait([committing], timeout=instant / 4000)
        committing.cancel()
        await asyncio.wait([committing])
        cancelled += committing.cancelled()
        await observer.execute(HOLD)  # waits for what may still be on its way
        found = await postgres_store.read_position(TP)
        assert found is not None
        assert found in (row, following.position)
        assert await postgres_store.load_pages(TP, [key]) == (
            {} if found.next_offset == LOG.start else {key: b"%d" % found.next_offset}
        )
        row = found
    assert cancelled
    await until(observer, BUSY, found=False)


async def test_a_connection_lost_in_a_call_is_transient(postgres_store: PostgresStore, observer: Raw) -> None:
    claimed = await postgres_store.claim(TP, LOG)
    async with observer.transaction():
        await observer.execute(HOLD)
        committing = asyncio.create_task(postgres_store.commit(batch(claimed, rows=[snapshot()])))
        await until(observer, WAITING, found=True)
        await observer.fetch(f"SELECT pg_terminate_backend(pid) FROM ({OTHERS}) AS others")
        with pytest.raises(Transient):
            await committing
    assert await postgres_store.commit(batch(claimed, rows=[snapshot()])) is True


async def test_connections_lost_between_calls_are_replaced(postgres_store: PostgresStore, observer: Raw) -> None:
    await asyncio.gather(*(postgres_store.claim(TP, LOG) for _ in range(6)))
    await observer.fetch(f"SELECT pg_terminate_backend(pid) FROM ({OTHERS}) AS others")
    await until(observer, OTHERS, found=False)
    claims = await asyncio.gather(*(claim_patiently(postgres_store) for _ in range(6)))
    assert sorted(claimed.version for claimed in claims) == list(range(7, 13))


async def test_more_calls_than_connections_wait_their_turn(tables: str) -> None:
    store = PostgresStore(tables, pool_size=1)
    claims = await asyncio.gather(*(store.claim(TP, LOG) for _ in range(5)))
    assert sorted(claimed.version for claimed in claims) == [1, 2, 3, 4, 5]
    await store.close()


async def test_limits_and_names_reach_the_server(tables: str) -> None:
    connections = Connections(
        tables, QUICK, pool_size=1, application_name="outlay-7", synchronous_commit="off", setup="SET work_mem = '9MB'"
    )
    async with connections.raw("looking") as connection:
        expected = {
            "idle_in_transaction_session_timeout": "600ms",
            "lock_timeout": "200ms",
            "statement_timeout": "5s",
            "tcp_keepalives_idle": "5",
            "tcp_user_timeout": "15000",
            "application_name": "outlay-7",
            "synchronous_commit": "off",
            "work_mem": "9MB",
        }
        assert {name: await connection.fetchval(f"SHOW {name}") for name in expected} == expected
    await connections.close()


async def test_no_server_is_transient() -> None:
    store = PostgresStore("postgresql://outlay@127.0.0.1:1/outlay", QUICK)
    with pytest.raises(Transient, match="claiming costs/3"):
        await store.claim(TP, LOG)
    with pytest.raises(Transient):
        await store.check_schema_version()
    await store.close()


@pytest.mark.parametrize("wrong", ["no_such_user@", "outlay:wrong@"])
async def test_a_refused_login_stops_the_start_and_is_waited_out_later(tables: str, wrong: str) -> None:
    _, _, address = tables.rpartition("@")
    store = PostgresStore(f"postgresql://{wrong}{address}")
    with pytest.raises(SettingsError, match=r"role|password|authentication"):
        await store.check_schema_version()
    with pytest.raises(Transient):
        await store.read_position(TP)
    await store.close()


async def test_an_absent_database_stops_the_start(tables: str) -> None:
    store = PostgresStore(tables.rpartition("/")[0] + "/absent")
    with pytest.raises(SettingsError, match="absent"):
        await store.check_schema_version()
    await store.close()


@pytest.mark.parametrize("url", ["", "localhost", "mysql://x@localhost/db", "postgresql+psycopg://localhost/db"])
def test_what_is_no_database_url_is_a_settings_error_that_repeats_no_password(url: str) -> None:
    with pytest.raises(SettingsError, match="is expected"):
        PostgresStore(url)


async def test_a_url_that_cannot_be_read_is_a_settings_error() -> None:
    store = PostgresStore("postgresql://u:secret@localhost:port/db?sslmode=perhaps")
    with pytest.raises(SettingsError) as raised:
        await store.read_position(TP)
    assert "secret" not in str(raised.value)
    await store.close()


@pytest.mark.parametrize(
    "sqlstate, expected",
    [
        ("08006", Transient),
        ("40001", Transient),
        ("40P01", Transient),
        ("53100", Transient),
        ("53300", Transient),
        ("55P03", Transient),
        ("57014", Transient),
        ("57P01", Transient),
        ("25P03", Transient),
        ("25006", Transient),
        ("22003", DataRefused),
        ("22021", DataRefused),
        ("23502", DataRefused),
        ("23505", DataRefused),
        ("54000", DataRefused),
        ("42P01", type(None)),
        ("42501", Transient),
        ("XX000", type(None)),
    ],
)
def test_a_server_error_is_transient_refused_or_a_bug(sqlstate: str, expected: type) -> None:
    error = asyncpg.PostgresError.new({"C": sqlstate, "M": "words"})
    assert type(translate(error, "testing")) is expected


@pytest.mark.parametrize(
    "error, expected",
    [
        (ConnectionResetError(), Transient),
        (TimeoutError(), Transient),
        (asyncpg.InterfaceError("connection is closed"), Transient),
        (asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress"), Transient),
        (asyncpg.ConnectionDoesNotExistError("gone"), Transient),
        (asyncpg.DataError("invalid input for query argument $1"), DataRefused),
        (asyncpg.InvalidCachedStatementError("the schema has changed"), Transient),
        (ValueError("a bug"), type(None)),
        (KeyError("a bug"), type(None)),
    ],
)
def test_a_client_error_is_transient_refused_or_a_bug(error: Any, expected: type) -> None:
    assert type(translate(error, "testing")) is expected
