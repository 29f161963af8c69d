"""The documents of the project, taken apart."""

import re
from pathlib import Path
from typing import NamedTuple

DOCUMENTS = [Path("README.md"), Path("CHANGELOG.md"), *sorted(Path("docs").rglob("*.md"))]
_BLOCK = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"^ {4}(?=\S)(.*)$", re.MULTILINE)
_SPAN = re.compile(r"`([^`\n]+)`")


class Block(NamedTuple):
    """A fenced block; *language* is "" for plain output."""

    document: Path
    language: str
    text: str


def blocks(document: Path, language: str | None = None) -> list[Block]:
    """Return the fenced blocks of *document*, in order; only those of *language* if that is given."""
    found = [Block(document, *match.group("language", "text")) for match in _BLOCK.finditer(document.read_text())]
    return [block for block in found if language is None or block.language == language]


def spans(document: Path) -> list[str]:
    """Return what is in single back-ticks outside of fenced blocks."""
    return _SPAN.findall(_BLOCK.sub("", document.read_text()))


def commands(document: Path) -> list[str]:
    """Return the lines of shell and the spans that a reader may type."""
    lines = [line for block in blocks(document, "bash") for line in block.text.splitlines()]
    return [*lines, *_INDENTED.findall(_BLOCK.sub("", document.read_text())), *spans(document)]
