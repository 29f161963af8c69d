"""What of the documents is made by the program is current; ``make generate`` writes it."""

import json
import re
from pathlib import Path

import pytest

from streams.contracts import MESSAGES
from tests.docs.documents import blocks
from tests.docs.generated import SHOWN, everything, generated, part, told_of_runs

STALE = "is not current: run `make generate`"


def test_everything_generated_is_current() -> None:
    assert [f"{path} {STALE}" for path, text in generated().items() if path.read_text() != text] == []


@pytest.mark.parametrize("name", [one.name for one in MESSAGES])
def test_each_event_has_a_page_with_its_members_headers_and_a_real_message(name: str) -> None:
    page = Path(f"docs/events/{name}.md")
    shown = set(re.findall(r"<!-- generated: (.+?) -->", page.read_text()))
    assert shown == {f"{what} {name}" for what in ("fields", "headers", "example")}
    [line] = [json.loads(block.text) for block in blocks(page, "json")]
    sent = [one.line for one in (*everything(), *told_of_runs()) if one.headers["ce_type"] == name]
    written = [path.read_text().splitlines() for path, _ in SHOWN.values()]
    assert line in [json.loads(text) for lines in written for text in lines] + sent
    assert name in Path("docs/events/README.md").read_text()


def test_the_configuration_tells_of_every_setting() -> None:
    assert part("settings") in Path("docs/configuration.md").read_text()


def test_every_command_is_listed() -> None:
    assert part("commands") in Path("docs/cli.md").read_text()
