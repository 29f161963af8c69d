"""Which revisions of the schema this code can work with (expand, deploy, contract)."""

from __future__ import annotations

from drivers.postgres.connections import Raw
from engines.core.errors import SettingsError

OLDEST = 3
"""The oldest revision this code works with: a deployment may run old and new code during an upgrade."""
NEWEST = 3
"""The newest revision this code knows."""

_READ = "SELECT version_num FROM alembic_version"
_PRESENT = "SELECT to_regclass('alembic_version') IS NOT NULL"


async def check(connection: Raw) -> None:
    """Return when the database's revision is known.

    Raises:
        SettingsError: it is too old, too new, or there is none.
    """
    found: str | None = None
    if await connection.fetchval(_PRESENT):
        found = await connection.fetchval(_READ)
    if found is None:
        raise SettingsError("the database has no Outlay tables: run `outlay migrate`")
    if not found.isdecimal() or int(found) > NEWEST:
        raise SettingsError(
            f"the database's schema is at revision {found}, newer than this version of Outlay knows ({NEWEST:04d}):"
            " run a newer Outlay"
        )
    if int(found) < OLDEST:
        raise SettingsError(
            f"the database's schema is at revision {found}, {OLDEST:04d} or later is needed: run `outlay migrate`"
        )
