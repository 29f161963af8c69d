"""What the documents name exists: commands, options, targets, settings, topics, files."""

import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from drivers import topics
from drivers.settings import PREFIX, Settings
from streams.cli import app
from tests.docs.documents import DOCUMENTS, blocks, commands, spans

_ENDS = {"|", "||", "&", "&&", ";", ">", "<", "2>", ">>"}
_FOLDERS = ("streams", "engines", "drivers", "tests", "bench", "docs", "examples")
each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=str)


def calls_of_outlay(text: str) -> Iterator[list[str]]:
    """Yield the arguments of every ``outlay …`` in *text*, a line of shell."""
    lexer = shlex.shlex(text.replace("'", " "), posix=False, punctuation_chars=True)
    lexer.whitespace_split = True
    words = list(lexer)
    for at, word in enumerate(words):
        if word in {"outlay", ".venv/bin/outlay"} and (at == 0 or words[at - 1] in _ENDS):
            rest = words[at + 1 :]
            ends = [number for number, other in enumerate(rest) if other in _ENDS]
            yield rest[: ends[0]] if ends else rest


def problem_of(arguments: list[str]) -> str | None:
    """Return what is wrong with calling ``outlay`` with *arguments*, None when the command and options exist."""
    command: Any = typer.main.get_command(app)
    while arguments and hasattr(command, "commands"):
        name, *arguments = arguments
        if name not in command.commands:
            return f"no command {name}"
        command = command.commands[name]
    known = {option for one in command.params for option in (*one.opts, *one.secondary_opts)} | {"--help"}
    unknown = [word for word in arguments if word.startswith("--") and word not in known]
    return f"{command.name} has no {' '.join(unknown)}" if unknown else None


@each_document
def test_commands_that_a_document_shows_exist(document: Path) -> None:
    calls = [call for text in commands(document) for call in calls_of_outlay(text)]
    assert [problem for call in calls if (problem := problem_of(call))] == []


def test_a_command_that_does_not_exist_is_found() -> None:
    assert [list(calls_of_outlay("echo '{}' | outlay publish - --rate 5 && outlay status")), problem_of(["fly"])] == [
        [["publish", "-", "--rate", "5"], ["status"]],
        "no command fly",
    ]
    assert problem_of(["positions", "accept", "costs", "0", "--force"]) == "accept has no --force"
    assert problem_of(["replay", "FILE", "--close-all"]) is None


def test_some_document_shows_every_command() -> None:
    shown = {call[0] for document in DOCUMENTS for text in commands(document) for call in calls_of_outlay(text) if call}
    command: Any = typer.main.get_command(app)
    assert shown == set(command.commands)


@each_document
def test_targets_that_a_document_shows_exist(document: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", Path("Makefile").read_text(), re.MULTILINE))
    shown = {word for text in commands(document) for word in re.findall(r"^(?:\w+=\w+ )?make ([a-z]+)", text)}
    assert shown <= targets


@each_document
def test_settings_that_a_document_names_exist(document: Path) -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    named = set(re.findall(rf"\b{PREFIX}[A-Z_]+\b\*?", document.read_text()))
    families = {name.removesuffix("*") for name in named if name.endswith("*")}
    assert {name for name in families if not any(one.startswith(name) for one in known)} == set()
    assert {name for name in named if not name.endswith("*") and not name.startswith("OUTLAY_TEST_")} <= known | {
        PREFIX
    }


@each_document
def test_links_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text())
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (document.parent / target).exists()] == []


@each_document
def test_files_that_a_document_names_are_there(document: Path) -> None:
    paths = [
        word for span in spans(document) for word in span.split() if word.startswith(tuple(f"{f}/" for f in _FOLDERS))
    ]
    assert [path for path in paths if not Path(path).exists()] == []


@each_document
def test_topics_that_a_document_uses_are_listed(document: Path) -> None:
    used = {name for block in blocks(document, "bash") for name in re.findall(r" -t (\S+)", block.text)}
    assert used <= {topic.name for topic in topics.load().topics}


@each_document
def test_names_that_a_document_places_in_a_module_are_there(document: Path) -> None:
    places = re.findall(r"`([A-Za-z_.]+)` in `([a-z_/]+)\.py`", document.read_text())
    for name, path in places:
        found: Any = importlib.import_module(path.replace("/", "."))
        for part in name.split("."):
            assert hasattr(found, part), f"{name} in {path}"
            found = getattr(found, part)
    assert document.name != "engines.md" or len(places) > 10
