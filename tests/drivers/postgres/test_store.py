from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from drivers.postgres.connections import PostgresLimits, Raw
from drivers.postgres.settings_writer import SettingsTable
from drivers.postgres.store import PostgresStore
from engines.core.model import NewSetting
from engines.core.tables import TABLES
from tests.drivers.store_contract import StoreContract
from tests.drivers.store_subject import LOG, TP, RowKey, Subject

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class TestPostgresStore(StoreContract):
    @pytest.fixture
    def subject(self, tables: str, postgres_store: PostgresStore, observer: Raw) -> Subject:
        async def rows(name: str) -> dict[RowKey, tuple[Any, ...]]:
            columns = ", ".join(["partition", *(column.name for column in TABLES[name].columns)])
            found = await observer.fetch(f"SELECT {columns} FROM {name}")
            keys = TABLES[name].key_columns
            plain = [tuple(map(_plain, row)) for row in found]
            return {(partition, *values[:keys]): _with_text(name, values) for partition, *values in plain}

        async def append(rows: Sequence[tuple[str, str, int | None, bytes]]) -> list[int]:
            table = SettingsTable(tables, PostgresLimits())
            try:
                return await table.append([NewSetting(*row) for row in rows], now_us=0)
            finally:
                await table.close()

        return Subject(postgres_store, rows, append)


async def test_a_restored_database_hands_out_no_epoch_of_before(postgres_store: PostgresStore, observer: Raw) -> None:
    before = [(await postgres_store.claim(TP, LOG)).epoch for _ in range(3)]
    await observer.execute("UPDATE positions SET epoch = $1", before[0] - 1)
    assert (await postgres_store.claim(TP, LOG)).epoch > max(before)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return (value - EPOCH) // timedelta(microseconds=1)
    return value


def _with_text(table: str, values: list[Any]) -> tuple[Any, ...]:
    """PostgreSQL keeps JSON as a value, not as text: say it as the tests write it."""
    if table != "snapshots":
        values[-1] = values[-1].replace(": ", ":").replace(", ", ",")
    return tuple(values)
