"""``migrate``: bring a database's tables up to date, one process at a time, never blocking a worker for long.

A revision waits ``lock_s`` at most for a table that workers use; then everything is rolled back and tried again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from importlib.resources import files

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from drivers.postgres.connections import Connections, PostgresLimits
from drivers.postgres.errors import locked_out
from engines.core.errors import SettingsError, Transient

MIGRATION_LIMITS = PostgresLimits(idle_in_transaction_s=60, lock_s=3, statement_s=3600, call_s=4000)
EMPTY_STATE = "TRUNCATE positions, pages, id_blocks, outbox, snapshots, anomalies"
ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(7241500301)"  # any number that nothing else here uses


async def migrate(
    url: str,
    *,
    revision: str = "head",
    rebuild: bool = False,
    limits: PostgresLimits = MIGRATION_LIMITS,
    tries: int = 10,
    pause_s: float = 1.0,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Apply all revisions up to *revision*; harmless when there are none.

    Args:
        url: see ``Connections``.
        revision: the newest revision to apply.
        rebuild: first empty all state, so that workers process the log from its start again; settings stay.
        limits: how long anything may take.
        tries: how often to try when the database is away or a worker holds a lock.
        pause_s: wait between two tries.
        sleep: waits.

    Raises:
        SettingsError: the URL is wrong, the login is refused, the database is not in UTF-8, or holds state that a
            revision cannot carry over.
        Transient: all tries failed.
    """
    connections = Connections(url, limits, pool_size=1, application_name="outlay-migrate")
    try:
        for left in reversed(range(tries)):
            try:
                await _upgrade(connections, revision, rebuild=rebuild)
            except Transient as error:
                if locked_out(error):
                    raise SettingsError(str(error)) from error
                if not left:
                    raise
                await sleep(pause_s)
            else:
                return
    finally:
        await connections.close()


def alembic_config() -> Config:
    """Return Alembic's configuration; revisions travel inside the package."""
    config = Config()
    config.set_main_option("script_location", str(files("drivers.postgres") / "migrations"))
    return config


async def _upgrade(connections: Connections, revision: str, *, rebuild: bool) -> None:
    async with connections.session("migrating") as session, session.begin():
        if (await session.scalar(text("SHOW server_encoding"))) != "UTF8":
            raise SettingsError("the database must be created with ENCODING 'UTF8'")
        await session.execute(text(ONE_AT_A_TIME))
        if rebuild and await session.scalar(text("SELECT to_regclass('positions') IS NOT NULL")):
            await session.execute(text(EMPTY_STATE))
        await session.run_sync(_run, revision)


def _run(connection: Connection, revision: str) -> None:
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
