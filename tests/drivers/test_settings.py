"""Settings from the environment, and the one line that tells what is wrong with them."""

import os

import pytest

from drivers.settings import Settings, load
from engines.core.errors import SettingsError


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith("OUTLAY_"):
            monkeypatch.delenv(name)


def loaded(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(f"OUTLAY_{name}", value)
    return load()


def test_without_any_variable_everything_but_the_database_has_a_default() -> None:
    settings = load()
    assert settings.kafka.bootstrap_servers == "localhost:9092"
    assert settings.metrics_host == "127.0.0.1"
    with pytest.raises(SettingsError, match="OUTLAY_DATABASE_URL: is not set"):
        settings.databases  # noqa: B018 - reading is the test


@pytest.mark.parametrize(
    "name, value, told",
    [
        ("METRICS_PORT", "http", "OUTLAY_METRICS_PORT: input should be a valid integer"),
        ("METRICS_PORT", "70000", "OUTLAY_METRICS_PORT: input should be less than or equal to 65535"),
        ("METRCS_PORT", "1", "OUTLAY_METRCS_PORT: there is no such setting; OUTLAY_METRICS_PORT?"),
        ("RULES", "strict", "OUTLAY_RULES: input should be 'standard' or 'reference'"),
        ("KAFKA_SECURITY_PROTOCOL", "TLS", "OUTLAY_KAFKA_SECURITY_PROTOCOL: "),
        ("KAFKA_SECURITY_PROTOCOL", "SASL_SSL", "OUTLAY_KAFKA_SASL_USERNAME: is needed with SASL_SSL"),
        ("KAFKA_SSL_KEYFILE", "key.pem", "OUTLAY_KAFKA_SSL_CERTFILE: is needed"),
        ("SESSION_TIMEOUT_S", "nan", "OUTLAY_SESSION_TIMEOUT_S: "),
        ("DEAD_LETTER_RATIO", "2", "OUTLAY_DEAD_LETTER_RATIO: "),
        ("SETTINGS_POLL_S", "0", "OUTLAY_SETTINGS_POLL_S: "),
        ("DATABASE_URL", "mysql://localhost/outlay", "OUTLAY_DATABASE_URL: postgresql://"),
        ("DATABASE_URL", "postgresql://a/x,postgresql://b/y", "OUTLAY_DATABASE_URL: holds several"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        loaded(monkeypatch, **{name: value})
    assert str(refused.value).startswith(told)
    assert "\n" not in str(refused.value)


def test_both_ways_to_name_databases_at_once_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="not both"):
        loaded(monkeypatch, DATABASE_URL="postgresql://a/x", DATABASE_URLS="postgresql://b/y")


def test_several_databases_keep_their_order_and_one_url_may_name_several_hosts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    urls = "postgresql://u:p@b1,b2/y, postgres://u:p@a/x,postgresql+asyncpg://u:p@c/z"
    assert loaded(monkeypatch, DATABASE_URLS=urls).databases == (
        "postgresql://u:p@b1,b2/y",
        "postgres://u:p@a/x",
        "postgresql+asyncpg://u:p@c/z",
    )


def test_no_secret_is_ever_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = loaded(
        monkeypatch,
        DATABASE_URL="postgresql://u:hush@h/d",
        KAFKA_SASL_PASSWORD="hush",
        KAFKA_SASL_USERNAME="u",
        KAFKA_SECURITY_PROTOCOL="SASL_PLAINTEXT",
    )
    assert "hush" not in f"{settings!r} {settings} {settings.kafka!r}"
    assert settings.kafka.sasl_password == "hush"
    with pytest.raises(SettingsError) as refused:
        loaded(monkeypatch, DATABASE_URL="hush")
    assert "hush" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_an_empty_variable_is_none_and_those_of_the_tests_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    assert loaded(monkeypatch, METRICS_PORT="", TEST_KAFKA="x", LOG_LEVEL="debug").log_level == "DEBUG"
