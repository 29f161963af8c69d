"""What is found out about a database, as a role that may do what a worker does, or less."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

import pytest

from drivers.postgres.connections import PostgresLimits, Raw
from drivers.postgres.facts import WORKER_RIGHTS, read
from drivers.postgres.schema_version import NEWEST

LIMITS = PostgresLimits()


def as_role(url: str, role: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{role}:hush@{parts.netloc.rpartition('@')[2]}"))


@pytest.fixture
async def role(tables: str, observer: Raw) -> AsyncIterator[str]:
    """A role without any right of its own."""
    del tables
    name = f"worker_{uuid.uuid4().hex}"
    await observer.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'hush'")
    yield name
    await observer.execute(f"DROP OWNED BY {name}")
    await observer.execute(f"DROP ROLE {name}")


async def test_a_role_with_the_rights_of_a_worker_lacks_none(tables: str, observer: Raw, role: str) -> None:
    bare = await read(as_role(tables, role), LIMITS, "on")
    assert bare.schema_unseen
    assert bare.schema_problem is None
    assert len(bare.rights_lacking) > 20
    for table, rights in WORKER_RIGHTS.items():
        await observer.execute(f"GRANT {', '.join(rights)} ON {table} TO {role}")
    found = await read(as_role(tables, role), LIMITS, "off")
    assert (found.role, found.superuser, found.schema_problem) == (role, False, None)
    assert found.rights_lacking == []
    assert found.settings_problem is None
    assert found.synchronous_commit == "off"
    assert found.version_num >= 150_000
    assert abs(found.skew_s) < 5
    assert not found.read_only
    await observer.execute(f"REVOKE UPDATE ON settings_head, positions FROM {role}")
    assert (await read(as_role(tables, role), LIMITS, "on")).rights_lacking == [
        "positions: UPDATE",
        "settings_head: UPDATE",
    ]


async def test_tables_of_another_version_and_a_head_behind_its_settings_are_seen(tables: str, observer: Raw) -> None:
    await observer.execute(
        "INSERT INTO settings (seq, kind, tenant_id, effective_at, body, appended_at)"
        " VALUES (7, 'rule', '*', NULL, '{}', now())"
    )
    found = await read(tables, LIMITS, "on")
    assert found.settings_problem == "settings_head says 0, the newest row of settings is 7"
    oldest = await observer.fetchval("SELECT oldest FROM schema_range")
    await observer.execute(f"UPDATE alembic_version SET version_num = '{NEWEST + 1:04d}'")
    await observer.execute(f"UPDATE schema_range SET oldest = {NEWEST + 1}")
    try:
        assert "run a newer Outlay" in str((await read(tables, LIMITS, "on")).schema_problem)
    finally:
        await observer.execute(f"UPDATE alembic_version SET version_num = '{NEWEST:04d}'")
        await observer.execute(f"UPDATE schema_range SET oldest = {oldest}")


async def test_a_database_without_tables_says_how_to_make_them(database_url: str) -> None:
    assert "run `outlay migrate`" in str((await read(database_url, LIMITS, "on")).schema_problem)
