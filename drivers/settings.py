"""Every setting of Outlay: environment variables ``OUTLAY_*``, read once at start and passed down.

Nothing here is ever shown whole: passwords and database URLs are secrets, and an error names the variable and the
reason, never a secret's value.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable
from typing import Annotated, Final, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from drivers.kafka.connection import KafkaConnection, SaslMechanism, SecurityProtocol
from engines.core.errors import SettingsError

PREFIX: Final = "OUTLAY_"
_RESERVED: Final = "OUTLAY_TEST_"
"""Variables of the test suite, which are no settings."""
_URL_STARTS: Final = ("postgresql://", "postgres://", "postgresql+asyncpg://")
_BETWEEN_URLS: Final = re.compile(r"[,\s]+(?=postgres)")
"""Commas inside a URL (several hosts) do not separate URLs."""

_Text = Annotated[str, Field(min_length=1)]
_Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Count = Annotated[int, Field(ge=1)]


class Settings(BaseSettings):
    """The settings; each is the variable ``OUTLAY_`` + its name in capitals.

    Attributes:
        kafka_bootstrap_servers: ``host:port``, several separated by commas.
        kafka_instance_id: static group membership: a restart within the session keeps its partitions.
        group_id: consumer group of the workers that share the partitions.
        session_timeout_s: how long the group waits for a worker that died.
        topics_check: ``strict`` compares the broker's topics with ``topics.yaml`` at start; ``off`` for brokers that
            cannot tell (the embedded one of the demo).
        database_url, database_urls: one PostgreSQL, or several in an order that must not change: partition p lives
            in number p modulo their count.
        database_pool: connections to each database.
        database_*_timeout_s: see ``drivers.postgres.connections.PostgresLimits``.
        database_synchronous_commit: ``off`` is safe: a lost commit is replayed, its position is lost with it.
        rules: profile of the cost rules to start with.
        publish_snapshots: publish the complete snapshots of hours and days on ``cost-snapshots``.
        entities_per_tenant_day: users, features and models of one tenant on one day; more fall into ``~other``.
        dedup_days: how many days back a late record is still counted; with less than 35 identities take less room.
        retention_days: how long snapshots and anomalies stay, in days before today or, where data is older, before the
            watermark furthest behind; 0: for ever. Never fewer than 50.
        settings_poll_s: how often to look for new settings rows where no notification comes through.
        metrics_host, metrics_port: where ``/metrics``, ``/healthz`` and ``/readyz`` answer; port 0 turns them off.
        live_loop_s: a worker whose event loop has not turned for this long is not alive.
        ready_commit_age_s: a worker with work that has waited this long for a commit is not ready.
        stall_s: how long a log may move while the consumer stands still before the worker ends, non-zero.
        chunk_records … dead_letter_ratio: see ``streams.limits.ShellLimits``.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True)

    kafka_bootstrap_servers: _Text = "localhost:9092"
    kafka_security_protocol: SecurityProtocol = "PLAINTEXT"
    kafka_sasl_mechanism: SaslMechanism = "PLAIN"
    kafka_sasl_username: _Text | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_ssl_cafile: _Text | None = None
    kafka_ssl_certfile: _Text | None = None
    kafka_ssl_keyfile: _Text | None = None
    kafka_instance_id: _Text | None = None
    group_id: _Text = "outlay"
    session_timeout_s: Annotated[float, Field(ge=1, le=300)] = 10.0
    topics_check: Literal["strict", "off"] = "strict"

    database_url: SecretStr | None = None
    database_urls: SecretStr | None = None
    database_pool: Annotated[int, Field(ge=1, le=1000)] = 8
    database_statement_timeout_s: _Seconds = 30.0
    database_lock_timeout_s: _Seconds = 5.0
    database_idle_timeout_s: _Seconds = 5.0
    database_call_timeout_s: _Seconds = 40.0
    database_connect_timeout_s: _Seconds = 10.0
    database_synchronous_commit: Literal["on", "off"] = "on"

    rules: Literal["standard", "reference"] = "standard"
    publish_snapshots: bool = False
    entities_per_tenant_day: Annotated[int, Field(ge=10, le=1_000_000)] = 20_000
    dedup_days: Annotated[int, Field(ge=0, le=35)] = 35
    retention_days: Annotated[int, Field(ge=0, le=1_000_000)] = 400
    settings_poll_s: _Seconds = 5.0

    metrics_host: _Text = "127.0.0.1"
    metrics_port: Annotated[int, Field(ge=0, le=65_535)] = 9464
    live_loop_s: _Seconds = 30.0
    ready_commit_age_s: _Seconds = 60.0
    stall_s: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 120.0
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    chunk_records: Annotated[int, Field(ge=1, le=5_000)] = 5_000
    pending_records: _Count = 40_000
    pending_outbox: _Count = 20_000
    cache_entities: _Count = 100_000
    idle_margin_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 30.0
    dead_letters_max: Annotated[int, Field(ge=0)] = 10_000
    dead_letter_ratio: Annotated[float, Field(ge=0, le=1)] = 0.5

    @field_validator("log_level", mode="before")
    @classmethod
    def _level_in_capitals(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @field_validator("database_url", "database_urls")
    @classmethod
    def _is_postgresql(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not all(url.startswith(_URL_STARTS) for url in _split(value)):
            raise ValueError("postgresql://user:password@host:port/database is expected")
        return value

    @model_validator(mode="after")
    def _parts_fit(self) -> Settings:
        if self.database_url is not None and self.database_urls is not None:
            raise ValueError("OUTLAY_DATABASE_URLS: set this or OUTLAY_DATABASE_URL, not both")
        if self.database_url is not None and len(_split(self.database_url)) > 1:
            raise ValueError("OUTLAY_DATABASE_URL: holds several URLs; OUTLAY_DATABASE_URLS is for that")
        if self.kafka_security_protocol.startswith("SASL"):
            for name in ("kafka_sasl_username", "kafka_sasl_password"):
                if getattr(self, name) is None:
                    raise ValueError(f"{_variable(name)}: is needed with {self.kafka_security_protocol}")
        if self.kafka_ssl_keyfile is not None and self.kafka_ssl_certfile is None:
            raise ValueError("OUTLAY_KAFKA_SSL_CERTFILE: is needed with OUTLAY_KAFKA_SSL_KEYFILE")
        return self

    @property
    def kafka(self) -> KafkaConnection:
        """How to reach the broker."""
        password = self.kafka_sasl_password
        return KafkaConnection(
            bootstrap_servers=self.kafka_bootstrap_servers,
            security_protocol=self.kafka_security_protocol,
            sasl_mechanism=self.kafka_sasl_mechanism,
            sasl_username=self.kafka_sasl_username,
            sasl_password=None if password is None else password.get_secret_value(),
            ssl_cafile=self.kafka_ssl_cafile,
            ssl_certfile=self.kafka_ssl_certfile,
            ssl_keyfile=self.kafka_ssl_keyfile,
        )

    @property
    def databases(self) -> tuple[str, ...]:
        """The URLs of the databases, in the order that decides where a partition lives.

        Raises:
            SettingsError: there is none; only commands that need a database ask.
        """
        secret = self.database_urls or self.database_url
        if secret is None:
            raise SettingsError("OUTLAY_DATABASE_URL: is not set; e.g. postgresql://user:password@host:5432/outlay")
        return _split(secret)


def load() -> Settings:
    """Return the settings in this process's environment.

    Raises:
        SettingsError: one line that names the variable and says what is wrong with it.
    """
    _refuse_unknown(os.environ)
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError(_first_problem(error)) from None  # the cause would show values, secrets among them


def _refuse_unknown(environment: Iterable[str]) -> None:
    known = [_variable(name) for name in Settings.model_fields]
    for name in sorted(environment):
        written = name.upper()
        if written.startswith(PREFIX) and not written.startswith(_RESERVED) and written not in known:
            nearest = difflib.get_close_matches(written, known, n=1)
            raise SettingsError(f"{name}: there is no such setting" + (f"; {nearest[0]}?" if nearest else ""))


def _first_problem(error: ValidationError) -> str:
    first = error.errors()[0]
    reason = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return reason  # names its variable itself
    name = str(first["loc"][0])
    field = Settings.model_fields.get(name)
    secret = field is None or "SecretStr" in str(field.annotation)
    shown = "" if secret else f" (it is {str(first['input'])[:100]!r})"
    return f"{_variable(name)}: {reason[0].lower()}{reason[1:]}{shown}"


def _variable(name: str) -> str:
    return PREFIX + name.upper()


def _split(secret: SecretStr) -> tuple[str, ...]:
    return tuple(url for url in _BETWEEN_URLS.split(secret.get_secret_value().strip(" ,\n")) if url)
