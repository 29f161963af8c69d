"""The settings as people are shown them: values, sources, the reference; never a secret."""

import os
import re

import pytest

from drivers.settings import PREFIX, Settings, load, variable
from drivers.settings_shown import MASK, in_force, markdown, masked, text


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith(PREFIX):
            monkeypatch.delenv(name)


def test_what_the_environment_sets_is_told_apart_from_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTLAY_METRICS_PORT", "9464")
    monkeypatch.setenv("OUTLAY_GROUP_ID", "")
    found = {one.name: one for one in in_force(load())}
    assert found["OUTLAY_METRICS_PORT"][1:] == (9464, "environment")
    assert found["OUTLAY_GROUP_ID"][1:] == ("outlay", "default")
    assert found["OUTLAY_DATABASE_URL"][1:] == (None, "default")
    assert set(found) == {variable(name) for name in Settings.model_fields}


def test_what_is_shown_can_be_written_into_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    before = in_force(load())
    for one in before:
        monkeypatch.setenv(one.name, text(one.value))
    assert [one[:2] for one in in_force(load())] == [one[:2] for one in before]


@pytest.mark.parametrize(
    "url, shown",
    [
        ("postgresql://outlay:hush@db:5432/outlay", f"postgresql://{MASK}@db:5432/outlay"),
        ("postgresql+asyncpg://outlay:hush@a,b:5433/x?sslmode=require", f"postgresql+asyncpg://{MASK}@a,b:5433/x"),
        ("postgresql://db/outlay?password=hush", "postgresql://db/outlay"),
        ("postgresql://outlay:hu/sh@db/outlay", MASK),
        ("postgresql://outlay:hu@sh@db/outlay", MASK),
        ("postgresql://outlay:hu?sh@db/outlay", MASK),
        ("postgresql://outlay:hu#sh@db/outlay", MASK),
        ("postgresql://outlay@db/outlay?password=hu@sh", MASK),
        ("postgresql://outlay:hush", MASK),
        ("hush", MASK),
    ],
)
def test_of_a_database_url_only_host_and_name_are_shown(url: str, shown: str) -> None:
    assert masked(url) == shown


def test_no_secret_is_in_what_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTLAY_DATABASE_URLS", "postgresql://u:hush@a/x, postgresql://u:hush@b/y")
    monkeypatch.setenv("OUTLAY_KAFKA_SASL_PASSWORD", "postgresql://hush")
    shown = {one.name: one.value for one in in_force(load())}
    assert "hush" not in str(shown)
    assert shown["OUTLAY_DATABASE_URLS"] == f"postgresql://{MASK}@a/x, postgresql://{MASK}@b/y"
    assert shown["OUTLAY_KAFKA_SASL_PASSWORD"] == MASK


def test_the_reference_tells_the_meaning_of_every_setting() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| (.+) \| (.+) \|$", markdown(), re.MULTILINE)
    assert [row[0] for row in rows] == [variable(name) for name in Settings.model_fields]
    told = {name: (may_be, default) for name, may_be, default, _ in rows}
    assert told["OUTLAY_METRICS_PORT"] == ("a whole number, 0 to 65,535", "`9464`")
    assert told["OUTLAY_SETTINGS_POLL_S"] == ("seconds above 0", "`5`")
    assert told["OUTLAY_TOPICS_CHECK"] == ("`strict`, `off`", "`strict`")
    assert told["OUTLAY_DATABASE_URL"] == ("text, secret", "none")
