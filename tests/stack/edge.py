"""What a broker listens with besides plain text: TLS, and TLS with a login; and the certificates for that."""

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
    """Listeners with TLS, one of them with a login by PLAIN or SCRAM-SHA-256."""

    certificates: Certificates
    user: str
    password: str
    tls_port: int = field(default_factory=free_port)
    login_port: int = field(default_factory=free_port)

    def added_to(self, settings: Mapping[str, str], home: Path) -> dict[str, str]:
        """Return the broker's *settings* with these listeners; its key goes below *home*."""
        store = home / "server.pem"
        store.touch(mode=0o600)
        store.write_text(self.certificates.key.read_text() + self.certificates.certificate.read_text())
        listeners = f",SSL://127.0.0.1:{self.tls_port},SASL_SSL://127.0.0.1:{self.login_port}"
        return {
            **settings,
            "listeners": settings["listeners"] + listeners,
            "advertised.listeners": settings["advertised.listeners"] + listeners,
            "listener.security.protocol.map": settings["listener.security.protocol.map"] + ",SSL:SSL,SASL_SSL:SASL_SSL",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": f"{store}",
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
    certificate, key, request = folder / "server.pem", folder / "server.key", folder / "server.csr"
    names = folder / "names"
    names.write_text("subjectAltName=IP:127.0.0.1\n")
    _openssl("req", "-x509", *_KEY, "-subj", "/CN=authority", "-days", "2", "-keyout", authority_key, "-out", authority)
    _openssl("req", *_KEY, "-subj", "/CN=server", "-keyout", key, "-out", request)
    signer = ("-CA", authority, "-CAkey", authority_key, "-CAcreateserial")
    _openssl("x509", "-req", "-in", request, *signer, "-days", "2", "-extfile", names, "-out", certificate)
    return Certificates(authority, certificate, key)


def _openssl(*arguments: str | Path) -> None:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
