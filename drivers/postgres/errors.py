"""What a PostgreSQL error means to us; the one place where client errors are translated."""

from __future__ import annotations

from collections.abc import Iterator

import asyncpg
import sqlalchemy.exc

from drivers.postgres.tls import ShutOut
from engines.core.errors import DataRefused, OutlayError, Transient

# 08 connection, 40 rolled back, 53 out of resources, 57 operator intervention (a statement's time limit too)
TRANSIENT_CLASSES = frozenset({"08", "40", "53", "57"})
# lock_timeout; idle in transaction for too long; transaction too long; a standby after failover
TRANSIENT_STATES = frozenset({"55P03", "25P03", "25P04", "25006"})
# 22 data, 23 constraints, 54 beyond a limit of PostgreSQL (as a key too long for its index)
REFUSED_CLASSES = frozenset({"22", "23", "54"})
# What asyncpg raises for a connection in whatever state: the server's words, its own, and those of a protocol cut short
CLIENT_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
# The database is up and does not let us in: 28 login, 3D no such database
LOCKED_OUT_CLASSES = frozenset({"28", "3D"})
# A right is missing, as after somebody took it away: no record is to blame, so it is waited for
NO_RIGHT = "42501"


def translate(error: BaseException, doing: str) -> OutlayError | None:
    """Return what *error* means, None when it is neither transient nor about the data.

    Args:
        error: as asyncpg or SQLAlchemy raised it.
        doing: what was tried, for the message.
    """
    message = said(error, doing)
    for cause in _causes(error):
        if isinstance(cause, asyncpg.DataError):
            return DataRefused(message)
        if isinstance(cause, asyncpg.InvalidCachedStatementError):
            return Transient(message)  # the schema moved on; a new connection plans anew
        state = sqlstate(cause)
        if state is not None:
            return _by_state(state, message)
        if isinstance(cause, OSError | asyncpg.InterfaceError | asyncpg.InternalClientError):
            return Transient(message)
        if isinstance(cause, sqlalchemy.exc.TimeoutError | sqlalchemy.exc.DisconnectionError):
            return Transient(message)
    return None


def said(error: BaseException, doing: str) -> str:
    """Return one line that tells what failed and, in the words of whoever noticed first, why."""
    *_, first = _causes(error)
    if isinstance(first, TimeoutError) and not str(first):
        return f"database, {doing}: no answer within the time limit"
    return f"database, {doing}: {str(first).splitlines()[0] if str(first) else type(first).__name__}"


def sqlstate(error: BaseException) -> str | None:
    """Return the SQLSTATE that the server sent, None when *error* does not come from the server."""
    state = getattr(error, "sqlstate", None)
    return state if isinstance(state, str) else None


def locked_out(error: BaseException) -> bool:
    """Whether an operator must act: login, certificate or a right refused, or no database of that name."""
    return any(isinstance(cause, ShutOut) or _locks_out(sqlstate(cause) or "") for cause in _causes(error))


def _locks_out(state: str) -> bool:
    return state[:2] in LOCKED_OUT_CLASSES or state == NO_RIGHT


def _by_state(state: str, message: str) -> OutlayError | None:
    if state[:2] in TRANSIENT_CLASSES or state in TRANSIENT_STATES or state == NO_RIGHT:
        return Transient(message)
    if state[:2] in REFUSED_CLASSES:
        return DataRefused(message)
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while isinstance(seen, Exception):  # a time limit is caused by a cancellation, which says nothing
        yield seen
        seen = seen.__cause__
