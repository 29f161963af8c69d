"""Why no connection to Kafka came about: aiokafka logs the reasons, and then only says that none did.

A wrong certificate, user name or password does not get right by waiting: to whoever starts it is a wrong setting.
Whoever is at work already waits for it as for an outage, as brokers may know their users later than their clients.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from typing import Final

from aiokafka.conn import AIOKafkaConnection, collect_hosts
from aiokafka.errors import (
    AuthenticationFailedError,
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from drivers.kafka.connection import KafkaConnection
from engines.core.errors import OutlayError, SettingsError, Transient

_ASK_S: Final = 5.0
_LEAVE_S: Final = 0.5
_LOGIN: Final = (
    AuthenticationFailedError,
    IllegalSaslStateError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
_CUT_OFF: Final = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
"""TLS errors of a peer that went away, as one that stops does."""


async def explain(connection: KafkaConnection, error: BaseException) -> OutlayError:
    """Return what *error*, which kept a client of *connection* from working, means: SettingsError or Transient.

    Connects once more when no connection came about, to hear why.
    """
    cause: BaseException = error
    if isinstance(error, KafkaConnectionError):
        cause = await _heard(connection) or error
    message = f"Kafka at {connection.bootstrap_servers}: {_said(connection, cause)}"
    wrong = isinstance(cause, _LOGIN) or (isinstance(cause, ssl.SSLError) and not isinstance(cause, _CUT_OFF))
    return SettingsError(message) if wrong else Transient(message)


async def _heard(connection: KafkaConnection) -> BaseException | None:
    """Return why the brokers cannot be talked to, None when one of them can."""
    options = connection.options()
    found: BaseException | None = None
    for host, port, _ in collect_hosts(options.pop("bootstrap_servers")):
        asked = AIOKafkaConnection(host, port, **options)
        try:
            async with asyncio.timeout(_ASK_S):
                await asked.connect()
        except (KafkaError, OSError, TimeoutError) as error:
            found = error
        else:
            return None
        finally:
            await _left(asked)
    return found


async def _left(connection: AIOKafkaConnection) -> None:
    """Close *connection* and wait for its socket, as TLS says goodbye first: nobody else holds it."""
    closed = connection.close()
    if closed is not None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_LEAVE_S):
                await closed


def _said(connection: KafkaConnection, error: BaseException) -> str:
    match error:
        case TimeoutError():
            said = "no answer in time"
        case ssl.SSLCertVerificationError():
            said = f"its certificate is not trusted: {error.verify_message}; see OUTLAY_KAFKA_SSL_CAFILE"
        case UnsupportedSaslMechanismError():
            said = f"it takes no login by {connection.sasl_mechanism}; see OUTLAY_KAFKA_SASL_MECHANISM"
        case IllegalSaslStateError():
            said = "it asks for no login; see OUTLAY_KAFKA_SECURITY_PROTOCOL"
        case SaslAuthenticationFailed() | AuthenticationFailedError():
            said = f"login of {connection.sasl_username!r} by {connection.sasl_mechanism} refused: {error}"
        case KafkaConnectionError() | ConnectionResetError():
            said = "it closes the connection, as one does that expects another OUTLAY_KAFKA_SECURITY_PROTOCOL"
            if connection.security_protocol.endswith("SSL"):  # TLS 1.3 refuses a client after it said hello
                said += ", or a certificate that it trusts (OUTLAY_KAFKA_SSL_CERTFILE)"
        case _:
            said = str(error) or type(error).__name__
    return said
