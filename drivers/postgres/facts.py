"""What a database is, as far as the guarantees depend on it (``outlay doctor``); judging it is for others."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from drivers.postgres import schema_version
from drivers.postgres.connections import Connections, PostgresLimits, Raw
from engines.core.errors import SettingsError

WORKER_RIGHTS: Final = {
    "alembic_version": ("SELECT",),
    "schema_range": ("SELECT",),
    "positions": ("SELECT", "INSERT", "UPDATE"),
    "topics": ("SELECT", "INSERT", "UPDATE"),
    "pages": ("SELECT", "INSERT", "UPDATE"),
    "id_blocks": ("SELECT", "INSERT", "UPDATE"),
    "outbox": ("SELECT", "INSERT", "DELETE"),
    "snapshots": ("SELECT", "INSERT", "UPDATE"),
    "anomalies": ("SELECT", "INSERT", "UPDATE"),
    "pattern_feedback": ("SELECT", "INSERT", "UPDATE"),
    "prediction_events": ("SELECT", "INSERT", "UPDATE"),
    "spend_forecasts": ("SELECT", "INSERT", "UPDATE"),
    "settings": ("SELECT",),
    "settings_head": ("SELECT", "UPDATE"),  # a close locks its row: PostgreSQL asks for UPDATE to do so
}
"""What a worker does with which table."""
_FUNCTIONS: Final = ("ensure_partition(text,date)", "drop_partition(text,date)")

_SERVER: Final = """
SELECT current_setting('server_version_num')::int AS version_num,
       current_setting('server_version') AS version,
       pg_is_in_recovery() OR current_setting('transaction_read_only')::bool AS read_only,
       current_setting('server_encoding') AS encoding,
       current_setting('synchronous_commit') AS synchronous_commit,
       current_setting('fsync')::bool AS fsync,
       current_setting('full_page_writes')::bool AS full_page_writes,
       current_setting('max_connections')::int AS connections_max,
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')::int AS connections,
       (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS superuser,
       current_user::text AS role
"""
_CLOCK: Final = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_RIGHTS: Final = """
SELECT relation || ': ' || privilege
FROM unnest($1::text[], $2::text[]) AS wanted (relation, privilege)
WHERE to_regclass(relation) IS NOT NULL AND NOT has_table_privilege(relation, privilege)
UNION ALL
SELECT 'the database: TEMPORARY' WHERE NOT has_database_privilege(current_database(), 'TEMPORARY')
UNION ALL
SELECT name || ': EXECUTE' FROM unnest($3::text[]) AS functions (name)
WHERE to_regprocedure(name) IS NOT NULL AND NOT has_function_privilege(name, 'EXECUTE')
"""
_SETTINGS: Final = (
    "SELECT (SELECT count(*) FROM settings_head), (SELECT max(seq) FROM settings_head), max(seq) FROM settings"
)


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """One database as a worker's connection sees it.

    Attributes:
        version_num: 150004 is 15.4.
        skew_s: how far its clock is ahead of this machine's.
        schema_problem: why the tables are not those of this version, None when they are.
        rights_lacking: ``table: RIGHT``.
        settings_problem: what is wrong with the tables of settings.
    """

    version_num: int
    version: str
    read_only: bool
    encoding: str
    synchronous_commit: str
    fsync: bool
    full_page_writes: bool
    connections_max: int
    connections: int
    superuser: bool
    role: str
    skew_s: float
    schema_problem: str | None
    rights_lacking: Sequence[str] = ()
    settings_problem: str | None = None

    @property
    def schema_unseen(self) -> bool:
        """Whether it may not even be asked which version the tables are of."""
        return not {"alembic_version: SELECT", "schema_range: SELECT"}.isdisjoint(self.rights_lacking)


async def read(url: str, limits: PostgresLimits, synchronous_commit: str) -> DatabaseFacts:
    """Return the facts of the database at *url*; arguments as for a worker's ``Connections``. Raises Transient."""
    connections = Connections(
        url, limits, pool_size=1, application_name="outlay-doctor", synchronous_commit=synchronous_commit
    )
    try:
        async with connections.raw("looking at the database") as connection:
            server = dict(await connection.fetchrow(_SERVER) or {})
            skew_s = await _skew_s(connection)
            lacking = await _rights_lacking(connection)
            seen = DatabaseFacts(**server, skew_s=skew_s, schema_problem=None, rights_lacking=lacking)
            if seen.schema_unseen:
                return seen
            try:
                await schema_version.check(connection)
            except SettingsError as error:
                return replace(seen, schema_problem=str(error))
            unseen = any(one.startswith("settings") for one in lacking)
            return seen if unseen else replace(seen, settings_problem=await _settings(connection))
    finally:
        await connections.close()


async def _rights_lacking(connection: Raw) -> list[str]:
    pairs = [(table, right) for table, rights in WORKER_RIGHTS.items() for right in rights]
    tables, rights = map(list, zip(*pairs, strict=True))
    return [row[0] for row in await connection.fetch(_RIGHTS, tables, rights, list(_FUNCTIONS))]


async def _skew_s(connection: Raw) -> float:
    """Return the database's clock less ours; the answer came about half way between our two looks."""
    before_us = time.time_ns() // 1000
    there_us: int = await connection.fetchval(_CLOCK)
    after_us = time.time_ns() // 1000
    return (there_us - (before_us + after_us) / 2) / 1_000_000


async def _settings(connection: Raw) -> str | None:
    row = await connection.fetchrow(_SETTINGS)
    heads, head, newest = (0, 0, 0) if row is None else (row[0], row[1], row[2] or 0)
    if heads != 1:
        return f"settings_head has {heads} rows instead of one"
    return f"settings_head says {head}, the newest row of settings is {newest}" if head < newest else None
