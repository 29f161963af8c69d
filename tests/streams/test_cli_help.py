"""Every command can be learned from its ``--help``: what it does, each option, examples that exist."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from streams.cli import app
from tests.docs.test_documents import calls_of_outlay, problem_of
from tests.streams.commands import run


def commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command that does something, with the words that call it."""

    def below(words: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
        if not hasattr(command, "commands"):
            yield words, command
            return
        for name, inner in command.commands.items():
            yield from below((*words, name), inner)

    yield from below((), typer.main.get_command(app))


COMMANDS = dict(commands())
each_command = pytest.mark.parametrize("words", COMMANDS, ids=" ".join)


def examples(command: Any) -> list[str]:
    return [line.strip() for line in (command.epilog or "").splitlines() if line.startswith("  ")]


@each_command
def test_help_has_examples_of_the_command_that_it_would_take(words: tuple[str, ...]) -> None:
    shown = examples(COMMANDS[words])
    assert shown
    for line in shown:
        call = next(calls_of_outlay(re.sub(r"^(OUTLAY_\w+=\S+ )+", "", line)))
        assert tuple(call[: len(words)]) == words
        assert problem_of(call) is None


@each_command
def test_help_says_what_each_option_and_argument_is(words: tuple[str, ...]) -> None:
    silent = [one.name for one in COMMANDS[words].params if not one.help]
    assert silent == []


@each_command
def test_help_is_printed(words: tuple[str, ...], capfd: pytest.CaptureFixture[str]) -> None:
    ran = run(capfd, *words, "--help")
    assert (ran.code, ran.err) == (0, "")
    assert "Examples:" in ran.out


def test_what_lists_or_sums_up_can_be_had_as_json() -> None:
    plain = {
        words for words, command in COMMANDS.items() if "--json" not in {o for p in command.params for o in p.opts}
    }
    assert {" ".join(words) for words in plain} <= {
        "demo",
        "worker",
        "schemas",  # prints JSON anyway
    }


@pytest.mark.parametrize(
    "words, told",
    [
        (("nosuch",), "No such command 'nosuch'"),
        (("topics", "nosuch"), "No such command 'nosuch'"),
        (("status", "--nosuch"), "No such option: --nosuch"),
        (("publish",), "Missing argument 'FILE'"),
        (("snapshots",), "Missing option '--tenant'"),
        (("top", "--day", "today"), "'today' is no day such as 2026-11-21"),
        (("dead-letters", "show", "costs"), "'costs' is no place such as costs/3/17"),
        (("dead-letters", "retry"), "name places, or say --all"),
        (("positions", "accept", "costs", "0", "--earliest", "--latest"), "exclude each other"),
        (("budgets", "set", "--tenant", "acme", "--type", "tenant"), "a budget needs a limit"),
        (("replay", "examples/calls.jsonl"), "say --in-memory"),
        (("demo", "--plot", "spend.txt"), "a picture's name ends with"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, tuple) else None,
)
def test_wrong_usage_is_code_2_and_says_what_is_wrong(
    words: tuple[str, ...], told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    ran = run(capfd, *words)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err


@pytest.mark.parametrize(
    "words", [("publish", "nosuch.jsonl"), ("replay", "--in-memory", "nosuch.jsonl")], ids=" ".join
)
def test_a_file_that_is_not_there_is_code_1(words: tuple[str, ...], capfd: pytest.CaptureFixture[str]) -> None:
    ran = run(capfd, *words)
    assert (ran.code, ran.out, ran.err) == (1, "", "outlay: nosuch.jsonl: No such file or directory\n")


@pytest.mark.parametrize("words", [("migrate",), ("status",), ("top", "--once"), ("rules", "list")], ids=" ".join)
def test_without_a_database_the_setting_is_named(
    words: tuple[str, ...], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OUTLAY_DATABASE_URL", raising=False)
    ran = run(capfd, *words)
    assert (ran.code, ran.err.partition(";")[0]) == (2, "outlay: OUTLAY_DATABASE_URL: is not set")


def test_a_database_that_is_away_is_code_1_and_the_next_step_is_told(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTLAY_DATABASE_URL", "postgresql://outlay:hush@127.0.0.1:1/outlay")
    ran = run(capfd, "migrate")
    assert ran.code == 1
    assert ran.err.endswith("; is it running, is OUTLAY_DATABASE_URL right? `outlay doctor` looks closer\n")
    assert "hush" not in ran.err


def test_a_broker_that_is_away_is_code_1_and_the_next_step_is_told(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTLAY_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    ran = run(capfd, "dead-letters", "list")
    assert ran.code == 1
    assert ran.err.endswith("; is it running, is OUTLAY_KAFKA_BOOTSTRAP_SERVERS right? `outlay doctor` looks closer\n")


@pytest.mark.parametrize("shown", ["late-record", "cost-record"])
def test_a_reader_that_has_gone_is_not_complained_of(shown: str) -> None:
    code = "import sys; sys.stdin.read(); from streams.cli import main; main()"
    buffered = {name: text for name, text in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with subprocess.Popen(
        [sys.executable, "-c", code, "schemas", shown],
        env=buffered,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stdin.close()
        assert process.stderr.read() == b""
        assert process.wait(60) in {0, 1}
