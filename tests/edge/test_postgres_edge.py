"""PostgreSQL through TLS verified in full, and as roles that may do no more than their work."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from drivers.postgres.connections import libpq_url
from drivers.postgres.settings_head import SettingsHead
from drivers.postgres.store import DEFAULT_LIMITS, PostgresStore
from engines.core.errors import SettingsError, Transient
from engines.core.model import TopicPartition
from tests.edge.servers import WRONG, Servers, execute, hush, outlay
from tests.stack.edge import Certificates

TP = TopicPartition("costs", 0)
WORKER = "outlay_worker"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of PostgreSQL's certificates in an empty home."""
    monkeypatch.setenv("HOME", f"{tmp_path}")
    found = tmp_path / ".postgresql"
    found.mkdir()
    return found


async def test_tls_is_verified_in_full(servers: Servers, home: Path) -> None:
    del home
    url = servers.role_url(WORKER)
    connection = await asyncpg.connect(libpq_url(url))
    assert await connection.fetchval("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    await connection.close()
    await let_in(url)


@pytest.mark.parametrize(
    "wrong, reason",
    [
        ("authority", "not trusted: .*sslrootcert"),
        ("name", "not trusted: Hostname mismatch"),
        ("password", "password authentication failed"),
        ("absent file", "sslrootcert, /nowhere/ca.pem: No such file"),
        ("no certificate", r"sslrootcert, .*server\.key: "),
    ],
)
async def test_who_is_not_let_in_hears_why_and_no_password(
    servers: Servers, home: Path, wrong: str, reason: str
) -> None:
    del home
    url = servers.role_url(WORKER)
    urls = {
        "authority": servers.role_url(WORKER, authority=servers.others.authority),
        "name": url.replace("127.0.0.1", "localhost"),
        "password": servers.role_url(WORKER, WRONG),
        "absent file": servers.role_url(WORKER, authority=Path("/nowhere/ca.pem")),
        "no certificate": servers.role_url(WORKER, authority=servers.ours.key),
    }
    await shut_out(urls[wrong], reason)


async def test_a_database_without_tls_is_not_taken_for_one_that_is_away(servers: Servers, database_url: str) -> None:
    del servers
    await shut_out(libpq_url(database_url) + "?sslmode=require", "has no TLS")


@pytest.mark.parametrize("spoiled", ["certificate", "key", "other's key", "no key"])
async def test_a_client_certificate_at_home_that_cannot_be_used_is_named(
    servers: Servers, home: Path, spoiled: str
) -> None:
    ours, others = servers.ours, servers.others
    certificate, key = home / "postgresql.crt", home / "postgresql.key"
    certificate.write_text("no certificate" if spoiled == "certificate" else ours.certificate.read_text())
    keys = {"key": "no key", "other's key": others.key.read_text()}
    if spoiled != "no key":
        key.write_text(keys.get(spoiled, ours.key.read_text()))
    await shut_out(servers.role_url(WORKER), r"sslcert, .*\.postgresql/postgresql\.crt: .*because it is there")
    plain = servers.role_url(WORKER).partition("?")[0]
    await shut_out(plain, r"sslcert, .*\.postgresql/postgresql\.crt")
    await let_in(plain + "?sslmode=disable")


async def test_a_client_certificate_at_home_that_can_be_used_does_no_harm(servers: Servers, home: Path) -> None:
    keep(servers.others, home)
    await let_in(servers.role_url(WORKER))


def keep(certificates: Certificates, home: Path) -> None:
    (home / "postgresql.crt").write_text(certificates.certificate.read_text())
    (home / "postgresql.key").write_text(certificates.key.read_text())


async def let_in(url: str) -> None:
    store = PostgresStore(url)
    await store.check_schema_version()
    await store.close()


async def shut_out(url: str, reason: str) -> None:
    """Who starts is told; who is at work waits."""
    store, head = PostgresStore(url), SettingsHead(url, DEFAULT_LIMITS)
    with pytest.raises(SettingsError, match=reason) as at_start:
        await store.check_schema_version()
    with pytest.raises(Transient, match=reason):
        await store.read_position(TP)
    with pytest.raises(Transient, match=reason):
        await head.newest()
    await store.close()
    await head.close()
    assert "\n" not in str(at_start.value)
    assert WRONG not in str(at_start.value)
    assert hush(WORKER) not in str(at_start.value)


@pytest.mark.parametrize(
    "role, statement",
    [
        ("outlay_worker", "INSERT INTO settings (seq, kind, tenant_id, body) VALUES (1, 'rule', 't', '{}')"),
        ("outlay_worker", "DELETE FROM positions"),
        ("outlay_worker", "DROP TABLE pages"),
        ("outlay_worker", "TRUNCATE snapshots"),
        ("outlay_worker", "CREATE TABLE mine (n int)"),
        ("outlay_operator", "UPDATE snapshots SET cost_nanousd = 0"),
        ("outlay_operator", "SELECT * FROM pages"),
        ("outlay_operator", "UPDATE settings SET body = '{}'"),
        ("outlay_operator", "SELECT ensure_partition('pages', '2024-01-04')"),
        ("outlay_operator", "CREATE TEMPORARY TABLE mine (n int)"),
        ("outlay_analyst", "INSERT INTO settings (seq, kind, tenant_id, body) VALUES (1, 'rule', 't', '{}')"),
        ("outlay_analyst", "SELECT seq FROM settings_head FOR UPDATE"),
        ("outlay_analyst", "SELECT * FROM id_blocks"),
        ("outlay_analyst", "SELECT drop_partition('pages', '2024-01-04')"),
        ("outlay_analyst", "CREATE TABLE mine (n int)"),
    ],
)
async def test_a_role_may_not_do_the_work_of_others(servers: Servers, role: str, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await execute(servers.role_url(role), statement)


async def test_an_analyst_reads_every_view(servers: Servers) -> None:
    views = "SELECT table_name FROM information_schema.views WHERE table_schema = 'public'"
    connection = await asyncpg.connect(libpq_url(servers.role_url("outlay_owner")))
    names = [name for (name,) in await connection.fetch(views)]
    await connection.close()
    assert len(names) >= 9
    await execute(servers.role_url("outlay_analyst"), *(f"SELECT * FROM {name}" for name in names))


def test_a_command_of_a_role_without_the_right_ends_with_one_line(servers: Servers) -> None:
    ran = outlay(
        servers.environment("outlay_analyst"),
        *("budgets", "set", "--tenant", "acme", "--type", "tenant", "--daily-usd", "30"),
    )
    assert (ran.returncode, "Traceback" in ran.stderr, "permission denied" in ran.stderr) == (2, False, True)
    assert len(ran.stderr.splitlines()) == 1


def test_a_right_taken_away_is_waited_for_and_blames_no_record(servers: Servers) -> None:
    async def look() -> None:
        store = PostgresStore(servers.role_url(WORKER))
        with pytest.raises(Transient, match="permission denied for table positions"):
            await store.read_position(TP)
        with pytest.raises(SettingsError, match="permission denied for table alembic_version"):
            await store.check_schema_version()
        await store.close()

    with without_rights(servers):
        asyncio.run(look())


@contextmanager
def without_rights(servers: Servers) -> Iterator[None]:
    owner = servers.role_url("outlay_owner")
    tables = "SELECT ON positions, alembic_version"
    asyncio.run(execute(owner, f"REVOKE {tables} FROM {WORKER}"))
    try:
        yield
    finally:
        asyncio.run(execute(owner, f"GRANT {tables} TO {WORKER}"))
