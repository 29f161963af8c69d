"""An error text as tokens: words, punctuation, space, and what is variable by its form across punctuation.

Work is linear by construction. The scanner moves forward only; every repetition is possessive, so nothing is tried
twice; an alternative that fails has read a run of characters that the next one takes whole, or at most 40 of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from typing import Final, NamedTuple

MASK_TEXT: Final = "<*>"
TOKENS_MAX: Final = 8_192
"""A text of more tokens is a dump; its beginning identifies it. Some 0.1 s of work, whatever the text."""

WORD: Final = 1
PUNCTUATION: Final = 2
SPACE: Final = 3
MASK: Final = 4
KEPT: Final = 5
"""A word that no later step may mask."""


class Token(NamedTuple):
    """A piece of a text; any white space is one blank."""

    kind: int
    text: str


BLANK: Final = Token(SPACE, " ")
MASKED: Final = Token(MASK, MASK_TEXT)
END: Final = Token(PUNCTUATION, "")
"""What stands before the first token and after the last."""

_STOP: Final = r"""\s\[\](){}<>,;="`|:!?'"""
# Scripts that write no space between words: a number there ends a word as well.
_UNSPACED: Final = r"\u2e80-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_SCANNER: Final = re.compile(
    rf"""
    (?P<space>\s++)
    | (?P<variable>
        # a URL, to its end: scheme://…
        (?<![A-Za-z0-9+.\-])[A-Za-z][A-Za-z0-9+.\-]*+://[^\s"'`<>\])}},;]*+
        # base64 with its padding, a digit somewhere: long enough not to be a key without a value
        | (?<![\w+/=\-])(?=[A-Za-z+/_\-]{{0,64}}[0-9])[A-Za-z0-9+/_\-]{{16,}}+={{1,2}}(?![\w"'=])
        # a path with a drive letter
        | (?<!\w)[A-Za-z]:[\\/][^\s"'`<>\])}},;|]*+
        # a path from the root, with its query
        | (?<![\w./\-])/[^{_STOP}]++(?:\?[^\s"'`<>]*+)?
        # several of a kind: node[01-16], node-[3,5]
        | (?<![\w\-])[A-Za-z][\w\-]*+\[[0-9]++(?:[,\- ][0-9]++)++\]
        # MAC and IPv6 addresses, times of day: hexadecimal groups with a digit somewhere, two colons or more
        | (?<!\w)(?<!::)(?=[A-Fa-f:]{{0,39}}[0-9])[0-9A-Fa-f]{{0,4}}(?::[0-9A-Fa-f]{{0,4}}){{2,7}}(?![\w:])
    )
    # operators are not assignments
    | (?P<operator>[=!<>]=|[=\-]>)
    # a dot belongs to a word if the word goes on after it, an apostrophe if it stands between letters
    | (?P<word>[{_UNSPACED}]++|(?:[^.{_STOP}{_UNSPACED}]|\.(?=[^.{_STOP}{_UNSPACED}])|(?<=[^\W\d_])'(?=[^\W\d_]))++)
    | (?P<dots>\.++)
    | (?P<other>.)
    """,
    re.VERBOSE,
)
_KINDS: Final = {"word": WORD, "operator": PUNCTUATION, "dots": PUNCTUATION, "other": PUNCTUATION}
_OPENING: Final = {"(": ")", "[": "]", "{": "}"}
_CLOSING: Final = frozenset(_OPENING.values())
QUOTES: Final = frozenset("\"'`")


def scan(text: str) -> list[Token]:
    """Return the tokens of *text*, the first ``TOKENS_MAX``."""
    tokens = list[Token]()
    for match in islice(_SCANNER.finditer(text), TOKENS_MAX):
        group = match.lastgroup
        if group == "space":
            tokens.append(BLANK)
        elif group == "variable":
            tokens.append(MASKED)
        else:
            tokens.append(Token(_KINDS[group or "other"], match.group()))
    return tokens


def partners(tokens: Sequence[Token]) -> dict[int, int]:
    """Return where each opening bracket closes, and for each quotation mark where the next of its kind is."""
    found = dict[int, int]()
    open_at = list[int]()
    quoted_at = dict[str, int]()
    for index, (_, text) in enumerate(tokens):
        if text in _OPENING:
            open_at.append(index)
        elif text in _CLOSING:
            if open_at and _OPENING[tokens[open_at[-1]].text] == text:
                found[open_at.pop()] = index
            else:
                open_at.clear()  # brackets that cross are no expression
        elif text in QUOTES:
            if text in quoted_at:
                found[quoted_at[text]] = index
            quoted_at[text] = index
    return found
