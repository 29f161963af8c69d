import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from drivers.postgres import schema_version
from drivers.postgres.connections import Connections, PostgresLimits, Raw, libpq_url
from drivers.postgres.migrate import ONE_AT_A_TIME, STATE, Migrated, alembic_config, migrate
from drivers.postgres.schema import metadata, projections
from drivers.postgres.settings_writer import SettingsTable
from drivers.postgres.store import PostgresStore
from engines.core.errors import SettingsError, Transient
from engines.core.model import NewSetting, PageKey
from engines.core.tables import TABLES
from tests.drivers.rows import anomaly, snapshot
from tests.drivers.store_subject import LOG, TP, batch, message, moved

RELATIONS = """
SELECT c.relname, c.relkind::text, c.reloptions, a.attname, a.atttypid, a.attnotnull, a.attstorage::text
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 ORDER BY 1, 4
"""
FIRST_STATE = """
INSERT INTO topics VALUES ('costs', 12, 'c', 't');
INSERT INTO positions (partition, topic, cluster_id, topic_id, next_offset, outbox_seq, published, projected, epoch,
                       version, released, counts)
VALUES (3, 'costs', 'c', 't', 10, 0, 0, 0, 1, 1, true, '{}');
INSERT INTO pages VALUES (3, 'costs', 'cost.day', 490896, 'acme', 0, '\\x00', 10);
INSERT INTO id_blocks VALUES (3, 'costs', 20454, 10, '\\x00');
"""
IMPATIENT = PostgresLimits(lock_s=0.1)


@pytest.fixture
async def beside(database_url: str) -> AsyncIterator[Any]:
    connection: Raw = await asyncpg.connect(libpq_url(database_url))
    yield connection
    connection.terminate()


async def test_migrating_twice_or_twice_at_once_is_harmless(database_url: str, beside: Raw) -> None:
    await asyncio.gather(migrate(database_url), migrate(database_url))
    before = await beside.fetch(RELATIONS)
    await migrate(database_url)
    assert await beside.fetch(RELATIONS) == before
    assert {row["relname"] for row in before} >= {*metadata.tables, "progress", "spend_by_day"}


async def test_the_migrated_tables_are_those_the_code_knows(tables: str) -> None:
    def differences(connection: Connection) -> list[Any]:
        partitions = set(connection.scalars(text("SELECT relname FROM pg_class WHERE relispartition")))

        def is_table(thing: object, name: str | None, *_: object) -> bool:
            return name not in partitions and getattr(getattr(thing, "table", None), "name", None) not in partitions

        options = {"compare_type": True, "include_object": is_table}
        found = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
        return [difference for difference in found if "comment" not in str(difference[0])]

    connections = Connections(tables, PostgresLimits(), pool_size=1, application_name="comparing")
    async with connections.session("comparing") as session:
        assert await session.run_sync(differences) == []
    await connections.close()


async def test_every_key_begins_with_the_partition_and_text_is_in_code_point_order(observer: Raw) -> None:
    keys = await observer.fetch(
        "SELECT c.relname, a.attname FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid"
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]"
        " WHERE i.indisprimary AND c.relnamespace = 'public'::regnamespace AND NOT c.relispartition"
    )
    others = {"topics": "topic", "settings": "seq", "alembic_version": "version_num"}
    expected = dict.fromkeys(set(metadata.tables) - {*others, "settings_head", "schema_range"}, "partition")
    assert {row[0]: row[1] for row in keys} == expected | others
    other = await observer.fetch(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'"
        "   AND table_name = ANY ($1)",
        list(metadata.tables),
    )
    assert other == []


def test_the_projections_have_the_columns_and_keys_of_the_list() -> None:
    assert set(projections) == set(TABLES)
    for name, table in TABLES.items():
        columns = projections[name].columns.keys()
        assert columns == ["partition", *(column.name for column in table.columns)]
        assert projections[name].primary_key.columns.keys() == columns[: table.key_columns + 1]


async def test_everything_people_read_is_described(observer: Raw) -> None:
    undescribed = await observer.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v')"
        " AND NOT relispartition AND relname <> 'alembic_version' AND obj_description(oid) IS NULL"
    )
    assert undescribed == []


def test_the_newest_revision_is_the_one_the_code_expects() -> None:
    head = ScriptDirectory.from_config(alembic_config()).get_current_head()
    assert head == f"{schema_version.NEWEST:04d}"
    assert 4 <= schema_version.OLDEST <= schema_version.NEWEST


async def test_state_of_the_first_version_is_emptied_only_when_asked(database_url: str, beside: Raw) -> None:
    await migrate(database_url, revision="0001")
    await beside.execute(FIRST_STATE)
    held = await beside.fetch(RELATIONS)
    with pytest.raises(SettingsError, match=r"positions, pages.*`outlay migrate --rebuild`"):
        await migrate(database_url)
    assert await beside.fetch(RELATIONS) == held
    assert await beside.fetchval("SELECT count(*) FROM pages") == 1
    await migrate(database_url, rebuild=True)
    assert await beside.fetchval("SELECT count(*) FROM positions") == 0
    assert await beside.fetchval("SELECT count(*) FROM topics") == 0, "what state was built from is open again"
    assert await beside.fetchval("SELECT version_num FROM alembic_version") == f"{schema_version.NEWEST:04d}"


async def test_an_empty_database_of_the_first_version_goes_on(database_url: str, beside: Raw) -> None:
    await migrate(database_url, revision="0001")
    await beside.execute("INSERT INTO topics VALUES ('costs', 12, '', '')")
    await migrate(database_url)
    assert await beside.fetchval("SELECT partitions FROM topics") == 12
    again = beside.fetch("SELECT FROM pg_inherits WHERE inhparent = 'pages'::regclass")
    assert len(await again) == 1


async def test_rebuilding_leaves_settings_and_fences_whoever_works(
    tables: str, postgres_store: PostgresStore, observer: Raw
) -> None:
    settings = SettingsTable(tables, PostgresLimits())
    rule = NewSetting("rule", "*", None, b'{"name":"profile","value":"reference"}')
    assert await settings.append([rule], now_us=0) == [1]
    claimed = await postgres_store.claim(TP, LOG)
    contents: dict[str, Any] = {"pages": [(PageKey("t", "cost.day", 24), b"")], "outbox": [message(1)]}
    assert await postgres_store.commit(batch(claimed, rows=[snapshot(), anomaly()], **contents))
    await migrate(tables, rebuild=True)
    assert await postgres_store.commit(batch(moved(claimed))) is False
    for table in STATE:
        assert await observer.fetchval(f"SELECT count(*) FROM {table}") == 0
    assert len(await settings.read()) == 1
    await settings.close()
    other = replace(LOG, partitions=LOG.partitions + 1, topic_id="made anew")
    assert (await postgres_store.claim(TP, other)).next_offset == LOG.start


@pytest.mark.parametrize(
    "revision, words", [(None, "outlay migrate"), ("0000", "outlay migrate"), ("9999", "newer"), ("main", "newer")]
)
async def test_another_schema_stops_the_start(database_url: str, beside: Raw, revision: str | None, words: str) -> None:
    if revision is not None:
        await beside.execute("CREATE TABLE alembic_version (version_num text)")
        await beside.execute("INSERT INTO alembic_version VALUES ($1)", revision)
    store = PostgresStore(database_url)
    with pytest.raises(SettingsError, match=words):
        await store.check_schema_version()
    await store.close()


async def test_a_migrated_database_lets_the_worker_start(postgres_store: PostgresStore) -> None:
    await postgres_store.check_schema_version()


async def test_a_newer_database_says_whether_this_code_may_work_there(
    tables: str, postgres_store: PostgresStore, observer: Raw
) -> None:
    newest = schema_version.NEWEST
    assert (await postgres_store.claim(TP, LOG)).readers == 5
    await observer.execute(f"UPDATE alembic_version SET version_num = '{newest + 1:04d}'")
    await postgres_store.check_schema_version()
    claimed = await postgres_store.claim(TP, LOG)
    assert await postgres_store.commit(batch(claimed))
    assert await migrate(tables) == Migrated(f"{newest + 1:04d}")
    with pytest.raises(SettingsError, match="rebuild it with the Outlay that"):
        await migrate(tables, rebuild=True)
    await observer.execute(f"UPDATE schema_range SET oldest = {newest + 1}")
    for refused in (postgres_store.check_schema_version(), postgres_store.claim(TP, LOG), migrate(tables)):
        with pytest.raises(SettingsError, match=f"run a newer Outlay, one that knows {newest + 1:04d}"):
            await refused
    await observer.execute(f"UPDATE alembic_version SET version_num = '{schema_version.OLDEST - 1:04d}'")
    with pytest.raises(SettingsError, match="run `outlay migrate`"):
        await postgres_store.claim(TP, LOG)
    await observer.execute("UPDATE schema_range SET oldest = 5")
    await observer.execute(f"UPDATE alembic_version SET version_num = '{newest:04d}'")
    await observer.execute("DELETE FROM alembic_version")
    with pytest.raises(SettingsError, match="lost its schema version"):
        await postgres_store.claim(TP, LOG)
    await observer.execute(f"INSERT INTO alembic_version VALUES ('{newest:04d}')")


async def test_a_held_lock_is_waited_out(database_url: str, beside: Raw) -> None:
    holding = beside.transaction()
    await holding.start()
    await beside.execute(ONE_AT_A_TIME)
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            await holding.rollback()

    await migrate(database_url, limits=IMPATIENT, pause_s=3, sleep=sleep)
    assert waits == [3, 3]
    assert await beside.fetchval("SELECT version_num FROM alembic_version") == f"{schema_version.NEWEST:04d}"


async def test_a_lock_held_for_ever_is_transient_and_nothing_is_changed(database_url: str, beside: Raw) -> None:
    async def sleep(_: float) -> None:
        pass

    async with beside.transaction():
        await beside.execute(ONE_AT_A_TIME)
        with pytest.raises(Transient, match="lock timeout"):
            await migrate(database_url, limits=IMPATIENT, tries=2, sleep=sleep)
        assert await beside.fetch(RELATIONS) == []


async def test_migrating_needs_a_login(tables: str) -> None:
    with pytest.raises(SettingsError):
        await migrate(f"postgresql://no_such_user@{tables.rpartition('@')[2]}")


async def test_a_database_in_another_encoding_is_refused(database_url: str, beside: Raw) -> None:
    name = database_url.rpartition("/")[2] + "_latin"
    await beside.execute(f"CREATE DATABASE {name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    try:
        with pytest.raises(SettingsError, match="UTF8"):
            await migrate(database_url + "_latin")
    finally:
        await beside.execute(f"DROP DATABASE {name} WITH (FORCE)")
