"""Tokens to a template: masks that stand together become one, with their units, dates and brackets.

So "1018 bytes (1.01 KB)" and "0 bytes", or a list of two and one of three numbers, have the same template.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engines.patterns.masks.lexicon import DATES, UNITS
from engines.patterns.masks.tokens import MASK_TEXT, Token

_GLUE: Final = frozenset({" ", ",", ":", ";", "|", "/", "-"})
_COMPARISONS: Final = frozenset({"<", ">", "~"})
_EMPTY: Final = {"]": "[", "}": "{"}


def tidy(tokens: Sequence[Token]) -> str:
    """Return *tokens* as one line of text."""
    pieces = list[str]()
    for index, (_, text) in enumerate(tokens):
        following = tokens[index + 1].text if index + 1 < len(tokens) else ""
        if text == MASK_TEXT:
            _append_mask(pieces, following)
        elif (text in DATES or text.lower() in UNITS) and following != "=" and _after_mask(pieces, " "):
            _drop_to_mask(pieces)
        elif text == ")" and (opening := _remark(pieces)) > 0:
            del pieces[opening:]
            _drop_to_mask(pieces)
        elif pieces and text in _EMPTY and pieces[-1] == _EMPTY[text]:
            pieces += (MASK_TEXT, text)  # an empty list is a list
        else:
            pieces.append(text)
    return "".join(pieces).strip()


def _append_mask(pieces: list[str], following: str) -> None:
    if pieces and pieces[-1] in _COMPARISONS and pieces[-2:-1] in ([], [" "]) and following != ">":
        pieces.pop()  # "<1 s" is a duration, "<1>" is not
    while (before := _date_before(pieces)) >= 0:
        del pieces[before:]
    if _after_mask(pieces, _GLUE):
        _drop_to_mask(pieces)
    else:
        pieces.append(MASK_TEXT)


def _date_before(pieces: list[str]) -> int:
    """Return where the name of a day or month just before the end begins, or -1."""
    last = len(pieces) - 1
    while last >= 0 and pieces[last] in {" ", ",", "-", "/"}:
        last -= 1
    return last if last >= 0 and last < len(pieces) - 1 and pieces[last] in DATES else -1


def _remark(pieces: list[str]) -> int:
    """Return where a bracket opened that closes now, stands behind a mask and holds a mask or nothing; or 0."""
    empty = pieces[-1:] != [MASK_TEXT]
    opening = len(pieces) - (1 if empty else 2)
    if opening <= 0 or pieces[opening] != "(" or (empty and pieces[opening - 1] != " "):
        return 0
    return opening if _after_mask(pieces, " ", opening) else 0


def _after_mask(pieces: Sequence[str], glue: str | frozenset[str], end: int | None = None) -> bool:
    """Say whether *pieces*, up to *end*, are a mask and nothing but *glue* after it."""
    last = (len(pieces) if end is None else end) - 1
    while last >= 0 and pieces[last] in glue:
        last -= 1
    return last >= 0 and pieces[last] == MASK_TEXT


def _drop_to_mask(pieces: list[str]) -> None:
    while pieces[-1] != MASK_TEXT:
        pieces.pop()
