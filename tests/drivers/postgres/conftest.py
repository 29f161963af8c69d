import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncpg
import pytest

from drivers.postgres.connections import Raw, libpq_url
from drivers.postgres.migrate import STATE, migrate
from drivers.postgres.store import PostgresStore


@pytest.fixture(scope="module")
def migrated_url(module_database_url: str) -> str:
    """A database with all tables; the tests of a module share it, `tables` empties it."""
    with ThreadPoolExecutor(1) as aside:  # a loop of its own
        aside.submit(asyncio.run, migrate(module_database_url)).result()
    return module_database_url


@pytest.fixture
def tables(migrated_url: str) -> Iterator[str]:
    """The same, its tables empty."""
    yield migrated_url

    async def empty() -> None:
        connection = await asyncpg.connect(libpq_url(migrated_url))
        await connection.execute(f"TRUNCATE {', '.join(STATE)}, settings")
        await connection.execute("UPDATE settings_head SET seq = 0")
        await connection.close()

    with ThreadPoolExecutor(1) as aside:
        aside.submit(asyncio.run, empty()).result()


@pytest.fixture
async def postgres_store(tables: str) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(tables, pool_size=6)
    yield store
    await store.close()


@pytest.fixture
async def observer(tables: str) -> AsyncIterator[Any]:
    """A connection without limits, to look and to get in the way."""
    connection: Raw = await asyncpg.connect(libpq_url(tables))
    yield connection
    connection.terminate()
