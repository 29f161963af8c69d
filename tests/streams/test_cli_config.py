"""``outlay config``, and what every command does with an environment that is wrong."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from drivers.settings import PREFIX, Settings
from drivers.settings_shown import markdown
from tests.streams.commands import run


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith(PREFIX):
            monkeypatch.delenv(name)


def test_it_shows_values_and_where_they_come_from(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OUTLAY_DATABASE_URL", "postgresql://outlay:hush@db/outlay")
    ran = run(capfd, "config", "--json")
    assert ran.code == 0
    assert json.loads(ran.out)["OUTLAY_DATABASE_URL"] == {
        "source": "environment",
        "value": "postgresql://***@db/outlay",
    }
    assert len(ran.summary) == len(Settings.model_fields)
    shown = run(capfd, "config").out
    assert "OUTLAY_METRICS_PORT" in shown
    assert "hush" not in shown
    changed = run(capfd, "config", "--changed").out.splitlines()
    assert [line.split()[0] for line in changed] == ["setting", "OUTLAY_DATABASE_URL"]


def test_without_anything_set_it_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    assert "every setting has its default" in run(capfd, "config", "--changed").out


def test_it_prints_the_reference(capfd: pytest.CaptureFixture[str]) -> None:
    ran = run(capfd, "config", "--markdown")
    assert (ran.code, ran.out) == (0, markdown())
    assert run(capfd, "config", "--markdown", "--json").code == 2


@pytest.mark.parametrize(
    "command",
    [
        ("config",),
        ("schemas",),
        ("asyncapi",),
        ("demo",),
        ("replay", "--in-memory", "examples/calls.jsonl"),
        ("publish", "examples/calls.jsonl"),
        ("rules", "list"),
        ("topics", "apply"),
        ("worker",),
        ("top", "--once"),
    ],
    ids=" ".join,
)
def test_an_unknown_name_stops_every_command_and_the_nearest_is_told(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OUTLAY_METRCS_PORT", "1")
    ran = run(capfd, *command)
    told = "outlay: OUTLAY_METRCS_PORT: there is no such setting; OUTLAY_METRICS_PORT?\n"
    assert (ran.code, ran.out, ran.err) == (2, "", told)


def test_a_name_that_is_like_no_other_is_told_where_all_are(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OUTLAY_XYZZY", "1")
    assert "`outlay config --markdown` lists them all" in run(capfd, "schemas").err


def test_help_is_given_all_the_same(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("OUTLAY_XYZZY", "1")
    assert run(capfd, "topics", "apply", "--help").code == 0


def test_the_version_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    ran = run(capfd, "--version")
    assert ran.code == 0
    assert ran.out.startswith("outlay 0.")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands_and_names(shell: str) -> None:
    def completed(line: str) -> list[str]:
        words = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" ")), "_TYPER_COMPLETE_ARGS": line}
        words |= {"_TYPER_COMPLETE_FISH_ACTION": "get-args", "_OUTLAY_COMPLETE": f"complete_{shell}"}
        outlay = Path(sys.executable).with_name("outlay")
        ran = subprocess.run([outlay], env={**os.environ, **words}, capture_output=True, text=True, check=False)
        return ran.stdout.split()

    assert "replay" in " ".join(completed("outlay rep"))
    assert "cost-anomaly-fact" in " ".join(completed("outlay schemas cost-a"))
    assert "status" not in " ".join(completed("outlay rep"))
