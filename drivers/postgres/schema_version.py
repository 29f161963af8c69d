"""Which revisions of the schema this code can work with, and which code a database can work with.

A revision expands or contracts. One that expands leaves all that older code uses, so old and new workers may run side
by side after it; one that contracts takes it away, and raises ``schema_range.oldest`` so that older code refuses.
"""

from __future__ import annotations

from typing import Final

from drivers.postgres.connections import Raw
from engines.core.errors import SettingsError

OLDEST = 5
"""The oldest revision this code works with."""
NEWEST = 6
"""The newest revision this code knows; it works with newer ones as long as the database says so."""

_READ: Final = "SELECT version_num FROM alembic_version"
_PRESENT: Final = "SELECT to_regclass($1) IS NOT NULL"
_RANGE: Final = "SELECT oldest FROM schema_range"
_BOTH: Final = "SELECT version_num, oldest FROM alembic_version, schema_range"


async def check(connection: Raw) -> None:
    """Return when this code may work with the database.

    Raises:
        SettingsError: it is too old, too new, or there is none.
    """
    found: str | None = None
    if await connection.fetchval(_PRESENT, "alembic_version"):
        found = await connection.fetchval(_READ)
    if found is None:
        raise SettingsError("the database has no Outlay tables: run `outlay migrate`")
    ranged = await connection.fetchval(_PRESENT, "schema_range")
    _fit(found, await connection.fetchval(_RANGE) if ranged else None)


async def readers(connection: Raw) -> int:
    """Return from which revision on workers must be able to read what is written: those that may run here.

    Raises:
        SettingsError: this code is not among them any more, or not yet.
    """
    row = await connection.fetchrow(_BOTH)
    if row is None:
        raise SettingsError("the database has lost its schema version: run `outlay doctor`")
    found, oldest = row
    _fit(found, oldest)
    return int(oldest)


def _fit(found: str, oldest: int | None) -> None:
    """Raise SettingsError unless this code works with revision *found*, which needs code from *oldest* on."""
    if not found.isdecimal() or (int(found) > NEWEST and (oldest is None or oldest > NEWEST)):
        raise SettingsError(
            f"the database's schema is at revision {found}, newer than this version of Outlay knows ({NEWEST:04d}):"
            " run a newer Outlay" + ("" if oldest is None else f", one that knows {oldest:04d}")
        )
    if int(found) < OLDEST:
        raise SettingsError(
            f"the database's schema is at revision {found}, {OLDEST:04d} or later is needed: run `outlay migrate`"
        )
