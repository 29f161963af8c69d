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
    """The settings; each is the variable ``OUTLAY_`` + its name in capitals. Their docstrings are the reference.

    ``outlay config`` shows them, docs/configuration.md is made of them.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True, use_attribute_docstrings=True
    )

    kafka_bootstrap_servers: _Text = "localhost:9092"
    """The brokers, `host:port`, several separated by commas."""
    kafka_security_protocol: SecurityProtocol = "PLAINTEXT"
    """How brokers are spoken to."""
    kafka_sasl_mechanism: SaslMechanism = "PLAIN"
    """How we log in, with a `SASL_…` protocol."""
    kafka_sasl_username: _Text | None = None
    """Login; needed with a `SASL_…` protocol."""
    kafka_sasl_password: SecretStr | None = None
    """Its password."""
    kafka_ssl_cafile: _Text | None = None
    """File of the authorities to trust; without it those of the system."""
    kafka_ssl_certfile: _Text | None = None
    """File of our own certificate, for brokers that ask for one."""
    kafka_ssl_keyfile: _Text | None = None
    """File of its key, without a passphrase."""
    kafka_instance_id: _Text | None = None
    """Static group membership: a restart within the session keeps its partitions. Another one for each worker."""
    group_id: _Text = "outlay"
    """Consumer group: the workers of one share the partitions."""
    session_timeout_s: Annotated[float, Field(ge=1, le=300)] = 10.0
    """How long the partitions of a worker that died wait for the next."""
    topics_check: Literal["strict", "off"] = "strict"
    """`strict` compares the broker's topics with topics.yaml at start; `off` is for brokers that cannot tell."""

    database_url: SecretStr | None = None
    """The PostgreSQL, 15 or newer: `postgresql://user:password@host:5432/outlay`."""
    database_urls: SecretStr | None = None
    """Instead: several, separated by commas, in an order that never changes: partition p lives in number p modulo n."""
    database_pool: Annotated[int, Field(ge=1, le=1000)] = 8
    """Connections of a worker to each database; three more are for news of settings, health and retention."""
    database_statement_timeout_s: _Seconds = 30.0
    """Longest statement."""
    database_lock_timeout_s: _Seconds = 5.0
    """Longest wait for a row lock."""
    database_idle_timeout_s: _Seconds = 5.0
    """The server ends a connection that holds a transaction and says nothing for so long."""
    database_call_timeout_s: _Seconds = 40.0
    """Longest call of the store, waiting for a connection included."""
    database_connect_timeout_s: _Seconds = 10.0
    """Longest time to make a connection."""
    database_synchronous_commit: Literal["on", "off"] = "on"
    """`off` is quicker and safe: a commit that a crash loses is replayed, its position is lost with it."""

    domains: Literal["all", "costs", "runs"] = "all"
    """Which inputs a worker takes: all workers of a group the same. Costs and runs apart want a group each."""
    rules: Literal["standard", "reference"] = "standard"
    """Profile of the cost rules to start from; `reference` has no least amounts and fires on the second day only."""
    publish_snapshots: bool = False
    """Publish the complete snapshots of hours and days on `cost-snapshots`."""
    calibrated_predictions: bool = False
    """Publish on `predictions` also how likely workers' runs are to fail, and month-end spend of monthly budgets."""
    entities_per_tenant_day: Annotated[int, Field(ge=10, le=1_000_000)] = 20_000
    """Users, features and models told apart for one tenant on one day; more fall into `~other`."""
    dedup_days: Annotated[int, Field(ge=0, le=35)] = 35
    """So many days back a late record is still counted; with fewer, identities take less room."""
    retention_days: Annotated[int, Field(ge=0, le=1_000_000)] = 400
    """Days that snapshots and anomalies stay, back from today or an earlier slowest watermark; 0: always; least 50."""
    settings_poll_s: _Seconds = 5.0
    """How often to look for new budgets, tags and rules where no notification comes through."""

    metrics_host: _Text = "127.0.0.1"
    """Where `/metrics`, `/healthz` and `/readyz` answer, without login."""
    metrics_port: Annotated[int, Field(ge=0, le=65_535)] = 9464
    """Their port; 0 turns them off. Two workers on one machine need two."""
    live_loop_s: _Seconds = 30.0
    """A worker whose event loop has not turned for so long is not alive."""
    ready_commit_age_s: _Seconds = 60.0
    """A worker with work that has waited so long for a commit is not ready."""
    stall_s: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 120.0
    """How long the log may move while the consumer stands still before the worker ends, non-zero."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Least level of what is logged."""

    chunk_records: Annotated[int, Field(ge=1, le=5_000)] = 5_000
    """Records folded per step."""
    pending_records: _Count = 40_000
    """Records of a partition folded and not yet committed, beyond which folding waits."""
    pending_outbox: _Count = 20_000
    """Messages of a partition not yet committed or acknowledged, beyond which folding waits."""
    cache_entities: _Count = 100_000
    """Entities in clean pages kept in memory for each partition."""
    closed_ids_max: Annotated[int, Field(ge=0)] = 8_000_000
    """Identities of closed days kept in memory for each partition, 20 bytes each; older ones are looked up."""
    idle_margin_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 30.0
    """How far the days of an idle partition stay behind the clock: for skew between it and the broker's."""
    dead_letters_max: Annotated[int, Field(ge=0)] = 10_000
    """A worker stops when more records than this …"""
    dead_letter_ratio: Annotated[float, Field(ge=0, le=1)] = 0.5
    """… and more than this share of all it has read were refused."""

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
                    raise ValueError(f"{variable(name)}: is needed with {self.kafka_security_protocol}")
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
    refuse_unknown(os.environ)
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError(_first_problem(error)) from None  # the cause would show values, secrets among them


def refuse_unknown(environment: Iterable[str]) -> None:
    """Raise SettingsError for the first name in *environment* that looks like a setting and is none."""
    known = [variable(name) for name in Settings.model_fields]
    for name in sorted(environment):
        written = name.upper()
        if written.startswith(PREFIX) and not written.startswith(_RESERVED) and written not in known:
            bare = [one.removeprefix(PREFIX) for one in known]  # the prefix alone makes any two names look alike
            nearest = difflib.get_close_matches(written.removeprefix(PREFIX), bare, n=1)
            hint = f"{PREFIX}{nearest[0]}?" if nearest else "`outlay config --markdown` lists them all"
            raise SettingsError(f"{name}: there is no such setting; {hint}")


def _first_problem(error: ValidationError) -> str:
    first = error.errors()[0]
    reason = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return reason  # names its variable itself
    name = str(first["loc"][0])
    shown = "" if is_secret(name) else f" (it is {str(first['input'])[:100]!r})"
    return f"{variable(name)}: {reason[0].lower()}{reason[1:]}{shown}"


def variable(name: str) -> str:
    """Return the environment variable of the setting *name*."""
    return PREFIX + name.upper()


def is_secret(name: str) -> bool:
    """Whether the value of the setting *name* must not be shown."""
    field = Settings.model_fields.get(name)
    return field is None or "SecretStr" in str(field.annotation)


def _split(secret: SecretStr) -> tuple[str, ...]:
    return tuple(url for url in _BETWEEN_URLS.split(secret.get_secret_value().strip(" ,\n")) if url)
