"""What the tests of the edge know of their servers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg

from drivers.kafka.connection import KafkaConnection, SaslMechanism
from drivers.postgres.connections import libpq_url
from drivers.postgres.migrate import migrate
from tests.stack import Stack
from tests.stack.edge import Certificates, Edge, signed

USER = "outlay-app"
HUSH = "hush-of-the-broker"
"""The password at the broker."""
WRONG = "wrong-and-secret"
ROLES = ("outlay_owner", "outlay_worker", "outlay_operator", "outlay_analyst")
DATABASE = "outlay"
_OUTLAY = [sys.executable, "-c", "from streams.cli import main; main()"]
_PATIENCE_S = 60.0


@dataclass(frozen=True)
class Servers:
    """A broker that listens with `edge` too, and a PostgreSQL with TLS."""

    stack: Stack
    edge: Edge
    ours: Certificates
    others: Certificates

    def login(self, mechanism: SaslMechanism = "SCRAM-SHA-256") -> KafkaConnection:
        """Return how to reach the broker through TLS and a login."""
        address = f"127.0.0.1:{self.edge.login_port}"
        return KafkaConnection(address, "SASL_SSL", mechanism, USER, HUSH, f"{self.ours.authority}")

    def tls(self) -> KafkaConnection:
        """Return how to reach the broker through TLS alone."""
        return replace(self.login(), bootstrap_servers=f"127.0.0.1:{self.edge.tls_port}", security_protocol="SSL")

    def named(self, name: str, signer: Certificates | None = None) -> KafkaConnection:
        """Return how to reach the broker with a certificate of *name*."""
        own = signed((signer or self.ours).authority, name)
        address = f"127.0.0.1:{self.edge.named_port}"
        return KafkaConnection(
            address,
            "SSL",
            ssl_cafile=f"{self.ours.authority}",
            ssl_certfile=f"{own.certificate}",
            ssl_keyfile=f"{own.key}",
        )

    def role_url(self, role: str, password: str | None = None, authority: Path | None = None) -> str:
        """Return the URL of the database for *role*, with TLS in full."""
        _, _, address = self.stack.database_url.rpartition("@")
        where = address.partition("/")[0]
        trusted = f"sslmode=verify-full&sslrootcert={authority or self.ours.authority}"
        return f"postgresql://{role}:{password or hush(role)}@{where}/{DATABASE}?{trusted}"

    def environment(self, role: str, kafka: KafkaConnection | None = None) -> dict[str, str]:
        """Return the settings of a process that works as *role*."""
        kafka = kafka or self.login()
        return {
            "OUTLAY_DATABASE_URL": self.role_url(role),
            "OUTLAY_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "OUTLAY_KAFKA_SECURITY_PROTOCOL": kafka.security_protocol,
            "OUTLAY_KAFKA_SASL_MECHANISM": kafka.sasl_mechanism,
            "OUTLAY_KAFKA_SASL_USERNAME": kafka.sasl_username or "",
            "OUTLAY_KAFKA_SASL_PASSWORD": kafka.sasl_password or "",
            "OUTLAY_KAFKA_SSL_CAFILE": kafka.ssl_cafile or "",
            "OUTLAY_KAFKA_SSL_CERTFILE": kafka.ssl_certfile or "",
            "OUTLAY_KAFKA_SSL_KEYFILE": kafka.ssl_keyfile or "",
        }


def hush(role: str) -> str:
    """Return the password of *role*."""
    return f"hush-of-{role}"


def outlay(environment: dict[str, str], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command to its end with the settings in *environment* alone."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OUTLAY_", "PG"))}
    command = [*_OUTLAY, *map(str, arguments)]
    return subprocess.run(
        command, env=kept | environment, capture_output=True, text=True, timeout=_PATIENCE_S, check=False
    )


async def admit_roles(servers: Servers) -> None:
    """Turn TLS on, and do what docs/operations.md says about roles, in its order."""
    made, granted = statements()
    admin = await asyncpg.connect(libpq_url(servers.stack.database_url).rpartition("/")[0] + "/postgres")
    try:
        await admin.execute(f"DROP DATABASE {DATABASE}")
        for statement in [*made, *(f"ALTER ROLE {role} PASSWORD '{hush(role)}'" for role in ROLES)]:
            await admin.execute(statement)
        await _turn_tls_on(servers, admin)
    finally:
        await admin.close()
    await migrate(servers.role_url("outlay_owner"))
    await execute(servers.role_url("outlay_owner"), *granted)


def statements() -> tuple[Sequence[str], Sequence[str]]:
    """Return the statements in docs/operations.md that an administrator runs, and those of the owner."""
    _, _, told = Path("docs/operations.md").read_text().partition("## Roles\n")
    made, granted = (
        found.split(";")[:-1] for found in re.findall(r"^```sql\n(.*?)^```$", told, re.MULTILINE | re.DOTALL)
    )
    return made, granted


async def execute(url: str, *statements: str) -> None:
    """Run *statements*, each in a transaction of its own."""
    connection = await asyncpg.connect(libpq_url(url))
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def _turn_tls_on(servers: Servers, admin: asyncpg.Connection[asyncpg.Record]) -> None:
    cluster = servers.stack.cluster
    assert cluster is not None
    for source, name in ((servers.ours.certificate, "server.crt"), (servers.ours.key, "server.key")):
        target = cluster.data / name
        shutil.copyfile(source, target)
        target.chmod(0o600)
        if cluster.user is not None:
            shutil.chown(target, cluster.user)
    await admin.execute("ALTER SYSTEM SET ssl = on")
    await admin.execute("SELECT pg_reload_conf()")
    while await admin.fetchval("SHOW ssl") != "on":  # the server reads its settings when it comes to it
        pass
