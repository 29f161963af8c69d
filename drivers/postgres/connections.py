"""Connections that cannot outlive their use: limits on the server's side and on ours, errors translated once.

A connection that saw any error or a cancellation is thrown away, because nobody knows what it still holds.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TypeAlias

import asyncpg
import sqlalchemy.exc
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from drivers.postgres.errors import CLIENT_ERRORS, said, translate
from drivers.postgres.tls import shut_out
from engines.core.errors import OutlayError, SettingsError, Transient

Raw: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
UNREACHABLE = (*CLIENT_ERRORS, sqlalchemy.exc.SQLAlchemyError)


@dataclass(frozen=True, slots=True)
class PostgresLimits:
    """How long anything may take, in seconds, so that a stopped or cut-off worker does not block its successor.

    Attributes:
        idle_in_transaction_s: the server ends a connection that holds a transaction and says nothing.
        lock_s: a wait for a row lock.
        statement_s: one statement.
        call_s: one call of the store, waiting for a connection included; the only limit that needs no server.
        connect_s: making a connection.
        keepalive_s: the server looks after a silent client this often, and gives it up after three times as long.
    """

    idle_in_transaction_s: float = 5.0
    lock_s: float = 5.0
    statement_s: float = 30.0
    call_s: float = 40.0
    connect_s: float = 10.0
    keepalive_s: int = 5

    def server_settings(self) -> dict[str, str]:
        """Return the limits as the server's settings of a session."""
        return {
            "idle_in_transaction_session_timeout": _ms(self.idle_in_transaction_s),
            "lock_timeout": _ms(self.lock_s),
            "statement_timeout": _ms(self.statement_s),
            "tcp_keepalives_idle": str(self.keepalive_s),
            "tcp_keepalives_interval": str(self.keepalive_s),
            "tcp_keepalives_count": "2",
            "tcp_user_timeout": _ms(3 * self.keepalive_s),
        }


class Connections:
    """A pool of connections to one database.

    Args:
        url: ``postgresql://…`` with all that libpq understands (``sslmode``, a socket folder as ``host``, …).
        limits: see ``PostgresLimits``.
        pool_size: how many calls run at once; more wait their turn.
        application_name: shown in ``pg_stat_activity``.
        synchronous_commit: the server's setting of that name; "off" is safe, as a lost commit is replayed.
        setup: SQL run on every new connection.

    Raises:
        SettingsError: *url* is no PostgreSQL URL.
    """

    def __init__(
        self,
        url: str,
        limits: PostgresLimits,
        *,
        pool_size: int,
        application_name: str,
        synchronous_commit: str = "on",
        setup: str = "",
    ) -> None:
        dsn = libpq_url(url)
        settings = limits.server_settings() | {
            "application_name": application_name,
            "synchronous_commit": synchronous_commit,
        }

        async def connect(*_: object, **__: object) -> Raw:
            raw = await connected(dsn, settings, limits)
            try:
                if setup:
                    await raw.execute(setup)
            except BaseException:
                raw.terminate()
                raise
            return raw

        self._limits = limits
        self._abandoned: set[asyncio.Task[None]] = set()
        self._engine = _engine(connect, pool_size, limits)

    @asynccontextmanager
    async def raw(self, doing: str) -> AsyncIterator[Raw]:
        """Lend asyncpg's connection, outside a transaction. Raises Transient or DataRefused; see ``translate``.

        Args:
            doing: what it is for, shown in error messages.
        """
        async with self.session(doing) as connection:
            lent = (await connection.get_raw_connection()).driver_connection
            assert lent is not None  # noqa: S101 SQLAlchemy: None only for dialects without a driver's connection
            yield lent

    @asynccontextmanager
    async def session(self, doing: str) -> AsyncIterator[AsyncConnection]:
        """Lend a SQLAlchemy connection; errors as for ``raw``."""
        try:
            async with asyncio.timeout(self._limits.call_s):
                connection = await self._connect(doing)
                try:
                    yield connection
                except BaseException:
                    await _discard(connection)
                    raise
                else:
                    await connection.close()
        except OutlayError:
            raise
        except Exception as error:
            known = translate(error, doing)
            if known is None:
                raise
            raise known from error

    async def close(self) -> None:
        """Close everything; nothing may be lent."""
        await asyncio.gather(*self._abandoned)
        await self._engine.dispose()

    async def _connect(self, doing: str) -> AsyncConnection:
        # In a task of its own: whoever is cancelled while it connects must not leave half a connection behind.
        connecting = asyncio.create_task(self._open())
        try:
            return await asyncio.shield(connecting)
        except asyncio.CancelledError:
            abandoned = asyncio.create_task(_give_back(connecting))
            self._abandoned.add(abandoned)
            abandoned.add_done_callback(self._abandoned.discard)
            raise
        except UNREACHABLE as error:
            # Whatever keeps us from a connection has nothing to do with the data: waiting is right.
            raise Transient(said(error, doing)) from error

    async def _open(self) -> AsyncConnection:
        return await self._engine.connect()


async def connected(dsn: str, settings: dict[str, str], limits: PostgresLimits) -> Raw:
    """Return a new connection to *dsn* (see ``libpq_url``); errors are those of asyncpg, and ``ShutOut``.

    Raises:
        SettingsError: the URL cannot be read.
    """
    try:
        raw: Raw = await asyncpg.connect(dsn, server_settings=settings, timeout=limits.connect_s)
    except (ValueError, OSError) as error:
        out = shut_out(dsn, error)
        if out is not None:
            raise out from None  # the reason is said better
        if isinstance(error, OSError):
            raise
        raise SettingsError(f"database URL: {_unread(error)}") from None
    return raw


def _unread(error: ValueError) -> str:
    """Return why asyncpg cannot read a URL; only what it says on purpose quotes no part of it, as of a password."""
    if isinstance(error, asyncpg.ClientConfigurationError):
        return str(error).splitlines()[0]
    return "it cannot be read; in user name and password write / as %2F, ? as %3F, # as %23, % as %25"


async def _give_back(connecting: asyncio.Task[AsyncConnection]) -> None:
    with suppress(OutlayError, *UNREACHABLE):
        await (await connecting).close()


def libpq_url(url: str) -> str:
    """Return *url* without SQLAlchemy's driver name.

    Raises:
        SettingsError: it is no PostgreSQL URL; the message does not repeat it, it may hold a password.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in ("postgresql", "postgres", "postgresql+asyncpg"):
        raise SettingsError("database URL: postgresql://user:password@host:port/database is expected")
    return f"postgresql://{rest}"


def _engine(connect: object, pool_size: int, limits: PostgresLimits) -> AsyncEngine:
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=limits.call_s,
        pool_use_lifo=True,
    )

    @event.listens_for(engine.sync_engine, "checkout")
    def refuse_closed(dbapi_connection: object, _record: object, _proxy: object) -> None:
        driver_connection: Raw = dbapi_connection.driver_connection  # type: ignore[attr-defined]
        if driver_connection.is_closed():  # as after a restart of the database; the pool makes a new one
            raise sqlalchemy.exc.DisconnectionError("the server has closed this connection")

    return engine


async def _discard(connection: AsyncConnection) -> None:
    """Close for good: with a word to the server, so that it rolls back at once, or after two seconds without."""
    await connection.invalidate()
    await connection.close()


def _ms(seconds: float) -> str:
    return str(round(seconds * 1000))
