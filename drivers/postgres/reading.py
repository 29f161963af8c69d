"""How a command reads: one moment of one database, whose tables are those this code knows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from drivers.postgres import schema_version
from drivers.postgres.connections import Connections, Raw
from drivers.postgres.errors import locked_out
from engines.core.errors import SettingsError, Transient


@asynccontextmanager
async def one_moment(connections: Connections, doing: str) -> AsyncIterator[Raw]:
    """Lend a connection in a transaction that sees one moment and writes nothing.

    Args:
        connections: those of the database.
        doing: what an error says was being done.

    Raises:
        SettingsError: the tables are not those this code knows, or the login is refused.
        Transient: the database is away.
    """
    try:
        async with connections.raw(doing) as connection:
            await schema_version.check(connection)
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                yield connection
    except Transient as error:
        if locked_out(error):
            raise SettingsError(str(error)) from error
        raise
