"""What a broker listens with besides plain text: TLS, TLS with a login or a client's certificate; the certificates.

It has an authorizer: whoever comes without a name or with the login may do anything, names in certificates what they
are given.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from drivers.embedded.processes import free_port

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
_PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"


@dataclass(frozen=True, slots=True)
class Certificates:
    """An authority of our own, and what it signed for 127.0.0.1."""

    authority: Path
    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Edge:
    """Listeners with TLS: without a login, with one by PLAIN or SCRAM-SHA-256, and for certificates of clients."""

    certificates: Certificates
    user: str
    password: str
    tls_port: int = field(default_factory=free_port)
    login_port: int = field(default_factory=free_port)
    named_port: int = field(default_factory=free_port)

    def added_to(self, settings: Mapping[str, str], home: Path) -> dict[str, str]:
        """Return the broker's *settings* with these listeners; its key goes below *home*."""
        store = home / "server.pem"
        store.touch(mode=0o600)
        store.write_text(self.certificates.key.read_text() + self.certificates.certificate.read_text())
        ports = {"SSL": self.tls_port, "SASL_SSL": self.login_port, "NAMED": self.named_port}
        listeners = "".join(f",{name}://127.0.0.1:{port}" for name, port in ports.items())
        protocols = ",SSL:SSL,SASL_SSL:SASL_SSL,NAMED:SSL"
        return {
            **settings,
            "listeners": settings["listeners"] + listeners,
            "advertised.listeners": settings["advertised.listeners"] + listeners,
            "listener.security.protocol.map": settings["listener.security.protocol.map"] + protocols,
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": f"{store}",
            "listener.name.named.ssl.client.auth": "required",
            "listener.name.named.ssl.truststore.type": "PEM",
            "listener.name.named.ssl.truststore.location": f"{self.certificates.authority}",
            "ssl.principal.mapping.rules": r"RULE:^CN=([^,]+)$/$1/",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": f"User:ANONYMOUS;User:{self.user}",
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256",
            "listener.name.sasl_ssl.plain.sasl.jaas.config": f'{_PLAIN} required user_{self.user}="{self.password}";',
            "listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config": f"{_SCRAM} required;",
        }

    def users(self) -> tuple[str, ...]:
        """Return the arguments that make the user known when the storage is formatted."""
        return ("--add-scram", f"SCRAM-SHA-256=[name={self.user},password={self.password}]")


def certify(folder: Path) -> Certificates:
    """Make certificates in *folder*, which exists."""
    authority, authority_key = folder / "authority.pem", folder / "authority.key"
    _openssl("req", "-x509", *_KEY, "-subj", "/CN=authority", "-days", "2", "-keyout", authority_key, "-out", authority)
    return signed(authority, "server")


def signed(authority: Path, name: str) -> Certificates:
    """Return what *authority*, made by ``certify``, signs for *name* at 127.0.0.1."""
    folder = authority.parent
    certificate, key, request = (folder / f"{name}.{kind}" for kind in ("pem", "key", "csr"))
    names = folder / "names"
    names.write_text("subjectAltName=IP:127.0.0.1\n")
    _openssl("req", *_KEY, "-subj", f"/CN={name}", "-keyout", key, "-out", request)
    signer = ("-CA", authority, "-CAkey", authority.with_suffix(".key"), "-CAcreateserial")
    _openssl("x509", "-req", "-in", request, *signer, "-days", "2", "-extfile", names, "-out", certificate)
    return Certificates(authority, certificate, key)


def _openssl(*arguments: str | Path) -> None:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
