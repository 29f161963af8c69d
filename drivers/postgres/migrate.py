"""``migrate``: bring a database's tables up to date, one process at a time, never blocking a worker for long.

Revisions that contract, which old workers do not survive, wait until they are asked for. A revision waits ``lock_s``
at most for a table that workers use; then everything is rolled back and tried again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from drivers.postgres import schema_version
from drivers.postgres.connections import Connections, PostgresLimits
from drivers.postgres.errors import locked_out
from engines.core.errors import SettingsError, Transient
from engines.core.tables import TABLES

MIGRATION_LIMITS = PostgresLimits(idle_in_transaction_s=60, lock_s=3, statement_s=3600, call_s=4000)
STATE = ("positions", "topics", "pages", "id_blocks", "outbox", *TABLES)
ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(7241500301)"  # any number that nothing else here uses


@dataclass(frozen=True, slots=True)
class Migrated:
    """Where a database stands: its *revision*, and the next one that contracts and was not asked for."""

    revision: str
    contracts_next: str | None = None


async def migrate(
    url: str,
    *,
    revision: str = "head",
    rebuild: bool = False,
    contract: bool = False,
    limits: PostgresLimits = MIGRATION_LIMITS,
    tries: int = 10,
    pause_s: float = 1.0,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Migrated:
    """Apply all revisions up to *revision*, or to the first that contracts; harmless when there are none.

    Args:
        url: see ``Connections``.
        revision: the newest revision to apply.
        rebuild: first empty all state, so that workers process the log from its start again; settings stay.
        contract: apply revisions that contract, too; without state or tables they always are.
        limits: how long anything may take.
        tries: how often to try when the database is away or a worker holds a lock.
        pause_s: wait between two tries.
        sleep: waits.

    Raises:
        SettingsError: the URL is wrong, the login is refused, the database is not in UTF-8, newer than this code, or
            holds state that a revision cannot carry over.
        Transient: all tries failed.
    """
    connections = Connections(url, limits, pool_size=1, application_name="outlay-migrate")
    try:
        for left in reversed(range(tries)):
            try:
                return await _upgrade(connections, revision, rebuild=rebuild, contract=contract)
            except Transient as error:
                if locked_out(error):
                    raise SettingsError(str(error)) from error
                if not left:
                    raise
                await sleep(pause_s)
        raise ValueError(f"{tries} tries")
    finally:
        await connections.close()


def alembic_config() -> Config:
    """Return Alembic's configuration; revisions travel inside the package."""
    config = Config()
    config.set_main_option("script_location", str(files("drivers.postgres") / "migrations"))
    return config


async def _upgrade(connections: Connections, revision: str, *, rebuild: bool, contract: bool) -> Migrated:
    async with connections.session("migrating") as session, session.begin():
        if (await session.scalar(text("SHOW server_encoding"))) != "UTF8":
            raise SettingsError("the database must be created with ENCODING 'UTF8'")
        await session.execute(text(ONE_AT_A_TIME))
        tables = await session.scalar(text("SELECT to_regclass('positions') IS NOT NULL"))
        now = await session.scalar(text("SELECT version_num FROM alembic_version")) if tables else None
        if now is not None and _is_newer(now):
            if rebuild:
                raise SettingsError(f"the database is at revision {now}: rebuild it with the Outlay that made it so")
            raw = (await session.get_raw_connection()).driver_connection
            assert raw is not None  # noqa: S101 see ``Connections.raw``
            await schema_version.check(raw)
            return Migrated(now)
        if tables and rebuild:
            await session.execute(text(f"TRUNCATE {', '.join(await _present(session))}"))
        return await session.run_sync(_run, now, revision, contract or rebuild)


async def _present(session: AsyncConnection) -> list[str]:
    """Return the tables of state that there are: a database of an earlier version may lack some."""
    return [one for one in STATE if await session.scalar(text(f"SELECT to_regclass('{one}') IS NOT NULL"))]


def _is_newer(revision: str) -> bool:
    return not revision.isdecimal() or int(revision) > schema_version.NEWEST


def _run(connection: Connection, now: str | None, revision: str, contract: bool) -> Migrated:  # noqa: FBT001 run_sync
    config = alembic_config()
    config.attributes["connection"] = connection
    scripts = ScriptDirectory.from_config(config)
    ahead = list(scripts.iterate_revisions(revision, now or "base"))[::-1]
    stops = [n for n, one in enumerate(ahead) if getattr(one.module, "contract", False)]
    if not stops or contract or now is None:
        command.upgrade(config, revision)
        return Migrated(ahead[-1].revision if ahead else now or "")
    reached = ahead[stops[0] - 1].revision if stops[0] else now
    command.upgrade(config, reached)
    return Migrated(reached, ahead[stops[0]].revision)
