"""Projection rows in bulk: COPY into a temporary table, and one upsert from it.

For rows this costs our process a quarter of what arrays cost (measured: 2 against 7 µs a row). COPY comes first in the
transaction, before any lock: the server waits without limit for a client that stops in the middle of one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from drivers.postgres import schema
from drivers.postgres.connections import Raw
from engines.core.errors import DataRefused
from engines.core.model import TableRow
from engines.core.tables import TABLES, Column, ColumnType, Table

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# numeric goes in as text: asyncpg's own encoding of one costs more than the rest of the row
_STAGED: dict[ColumnType, str] = {
    "text": "text",
    "int": "bigint",
    "numeric": "text",
    "timestamp_us": "timestamptz",
    "bool": "boolean",
    "json": "text",
    "float": "double precision",
}


def staging_tables() -> str:
    """Return the SQL that makes a connection ready for ``stage``."""
    return "\n".join(map(_staging_table, TABLES.values()))


async def stage(connection: Raw, rows: Iterable[TableRow]) -> list[str]:
    """Copy *rows* to this connection's temporary tables, and return the tables' names; of equal keys the last counts.

    Must run inside the transaction that then calls ``upsert``.

    Raises:
        DataRefused: a value is not what its column takes.
    """
    by_table: dict[str, dict[tuple[object, ...], tuple[object, ...]]] = {}
    for name, values in rows:
        by_table.setdefault(name, {})[values[: TABLES[name].key_columns]] = values
    for name, distinct in by_table.items():
        table = TABLES[name]
        try:
            records = _records(table, list(distinct.values()))
            await connection.copy_records_to_table(_staged(table), records=records)
        except (ArithmeticError, TypeError, ValueError) as error:
            raise DataRefused(f"{name}: {error}") from error
    return list(by_table)


async def upsert(connection: Raw, partition: int, tables: Iterable[str]) -> None:
    """Move what ``stage`` copied into the projections."""
    for name in tables:
        await connection.execute(_UPSERTS[name], partition)


def _records(table: Table, rows: list[tuple[object, ...]]) -> Iterable[tuple[object, ...]]:
    columns: list[Iterable[object]] = list(zip(*rows, strict=True))
    if len(columns) != len(table.columns):
        raise ValueError(f"{len(columns)} values for {len(table.columns)} columns")
    for index, column in enumerate(table.columns):
        convert = _CONVERT.get(column.type)
        if convert is not None:
            columns[index] = map(convert, columns[index])
    return zip(*columns, strict=True)


@lru_cache(maxsize=1_024)
def _instant(value: object) -> datetime | None:
    """Windows start at few instants, and many rows share each: hours of 40 days at most, but for late ones."""
    return None if value is None else EPOCH + timedelta(microseconds=int(value))  # type: ignore[call-overload]


def _digits(value: object) -> str | None:
    return None if value is None else str(value)


_CONVERT: dict[ColumnType, Callable[[object], object]] = {"timestamp_us": _instant, "numeric": _digits}


def _staged(table: Table) -> str:
    return f"staged_{table.name}"


def _staging_table(table: Table) -> str:
    columns = ", ".join(f"{column.name} {_STAGED[column.type]}" for column in table.columns)
    return f"CREATE TEMPORARY TABLE IF NOT EXISTS {_staged(table)} ({columns}) ON COMMIT DELETE ROWS;"


def _upsert(table: Table) -> str:
    target = schema.projections[table.name]
    staged = sa.table(_staged(table), *(sa.column(column.name) for column in table.columns))
    selected: list[sa.ColumnElement[Any]] = [sa.literal_column("$1::integer")]
    selected += [_final(staged.c[column.name], column) for column in table.columns]
    insert = pg.insert(target).from_select(
        ["partition", *(column.name for column in table.columns)], sa.select(*selected)
    )
    others = [column.name for column in table.columns[table.key_columns :]]
    statement = insert.on_conflict_do_update(
        index_elements=list(target.primary_key.columns), set_={name: insert.excluded[name] for name in others}
    )
    return str(statement.compile(dialect=pg.dialect()))  # type: ignore[no-untyped-call]


def _final(staged: sa.ColumnClause[object], column: Column) -> sa.ColumnElement[object]:
    if _STAGED[column.type] == "text" and column.type != "text":
        return sa.cast(staged, schema.projections_types[column.type])
    return staged


_UPSERTS = {name: _upsert(table) for name, table in TABLES.items()}
