"""How to reach a cluster, as every client takes it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Any, Literal

from engines.core.errors import SettingsError

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


@dataclass(frozen=True, slots=True)
class KafkaConnection:
    """Where the brokers are and how they are spoken to.

    Attributes:
        bootstrap_servers: ``host:port``, several separated by commas.
        ssl_cafile: authorities to trust, None: those of the system.
        ssl_certfile, ssl_keyfile: our own certificate and key, for brokers that ask for one.
    """

    bootstrap_servers: str
    security_protocol: SecurityProtocol = "PLAINTEXT"
    sasl_mechanism: SaslMechanism = "PLAIN"
    sasl_username: str | None = None
    sasl_password: str | None = field(default=None, repr=False)
    ssl_cafile: str | None = None
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = field(default=None, repr=False)

    def options(self) -> dict[str, Any]:
        """Return the arguments of an aiokafka client. Raises SettingsError for certificates that cannot be read."""
        return {
            "bootstrap_servers": [server.strip() for server in self.bootstrap_servers.split(",")],
            "security_protocol": self.security_protocol,
            "ssl_context": self._ssl_context() if self.security_protocol.endswith("SSL") else None,
            "sasl_mechanism": self.sasl_mechanism,
            "sasl_plain_username": self.sasl_username,
            "sasl_plain_password": self.sasl_password,
        }

    def _ssl_context(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.ssl_cafile)
        except OSError as error:  # ssl.SSLError is one
            raise SettingsError(f"Kafka certificates: OUTLAY_KAFKA_SSL_CAFILE: {error}") from error
        if self.ssl_certfile is not None:
            try:  # with a passphrase at hand, an empty one, OpenSSL does not ask for one on the terminal
                context.load_cert_chain(self.ssl_certfile, self.ssl_keyfile, password=str)
            except (OSError, ValueError) as error:
                raise SettingsError(
                    f"Kafka certificates: OUTLAY_KAFKA_SSL_CERTFILE, OUTLAY_KAFKA_SSL_KEYFILE: {error}"
                    " (keys with a passphrase are not read)"
                ) from error
        return context
