"""Hears of new settings rows: a connection of its own that listens, and asks again when it has heard nothing.

A notification may be lost with its connection, or never arrive through a proxy that pools transactions; so it only
ever says when to look, never what there is.
"""

from __future__ import annotations

import asyncio
from typing import Final

from drivers.postgres.connections import PostgresLimits, Raw, connected, libpq_url
from drivers.postgres.errors import CLIENT_ERRORS, said, translate
from drivers.postgres.settings_writer import CHANNEL
from engines.core.errors import OutlayError, Transient

_NEWEST: Final = "SELECT seq FROM settings_head"
_CLOSE_S: Final = 1.0


class SettingsHead:
    """The newest settings row of one database.

    Args:
        url: see ``Connections``; a connection is made when it is first asked, and again after it was lost.
        limits: how long anything may take.
    """

    def __init__(self, url: str, limits: PostgresLimits) -> None:
        self._dsn = libpq_url(url)
        self._limits = limits
        self._connection: Raw | None = None
        self._stirred = asyncio.Event()

    async def newest(self) -> int:
        """Return the sequence number of the newest settings row, 0 when there is none. Raises Transient."""
        self._stirred.clear()  # first: what is announced from here on is looked at again
        try:
            connection = await self._listening()
            found: int = await connection.fetchval(_NEWEST, timeout=self._limits.statement_s)
        except BaseException as error:
            self._drop()
            known = None if isinstance(error, OutlayError) else translate(error, "looking for new settings")
            if known is None:
                raise
            raise known from error
        return found

    async def stirred(self, within_s: float) -> None:
        """Return when there may be a newer row, when the connection was lost, or after *within_s*."""
        try:
            async with asyncio.timeout(within_s):
                await self._stirred.wait()
        except TimeoutError:
            return

    async def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            await connection.close(timeout=_CLOSE_S)

    async def _listening(self) -> Raw:
        if self._connection is not None and not self._connection.is_closed():
            return self._connection
        settings = self._limits.server_settings() | {"application_name": "outlay-settings-watch"}
        try:
            connection = await connected(self._dsn, settings, self._limits)
        except CLIENT_ERRORS as error:
            raise Transient(said(error, "looking for new settings")) from error  # whatever keeps us out: wait
        self._connection = connection
        connection.add_termination_listener(lambda _: self._stirred.set())
        await connection.add_listener(CHANNEL, lambda *_: self._stirred.set())
        return connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
