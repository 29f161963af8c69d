"""Whether a database answers, asked over a connection of its own: a busy pool must not look like an outage."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from drivers.postgres.connections import Connections, PostgresLimits

_ANSWER_S: Final = 3.0


class Probe:
    """Asks one database; see ``Connections`` for *url*."""

    def __init__(self, url: str, limits: PostgresLimits) -> None:
        quick = replace(limits, statement_s=_ANSWER_S, call_s=_ANSWER_S, connect_s=min(limits.connect_s, _ANSWER_S))
        self._connections = Connections(url, quick, pool_size=1, application_name="outlay-health")

    async def reach(self) -> None:
        """Return when the database has answered. Raises Transient when it does not within three seconds."""
        async with self._connections.raw("asking whether it is there") as connection:
            await connection.fetchval("SELECT 1")

    async def close(self) -> None:
        """Close the connection."""
        await self._connections.close()
