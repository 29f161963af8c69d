"""What one word says by its form alone: an identifier, a number, a path, a host; or a constant word."""

from __future__ import annotations

import re
from typing import Final

from engines.patterns.masks.lexicon import DATA_SUFFIXES, PACKAGES, PLACES, TERMS, VENDORS
from engines.patterns.masks.tokens import MASK_TEXT

_DIGIT: Final = re.compile(r"\d")
# Digits between letters belong to a name (Base64Decoder, http2_connect); an id begins or ends with them.
_NAME_AROUND_DIGITS: Final = re.compile(
    r"[^\W\d]++(?:[.$\-][^\W\d]++)*+(?<=[^\W\d_]{2})\d{1,3}(?=_?[^\W\d_]{3})[^\W\d]++(?:[.$\-][^\W\d]++)*+"
)
# The class of an error is its identity, digits or not.
_ERROR_CLASS: Final = re.compile(r"[^\W\d][\w.$]*(?:Error|Exception|Warning|Fault|Failure|Timeout)")
_HEX: Final = re.compile(r"[A-Fa-f]{8,}")
_NAMES_WITH_DIGITS: Final = (_NAME_AROUND_DIGITS, _ERROR_CLASS)
# The default text of an object: its class says more than its address.
_OBJECT: Final = re.compile(r"([^\W\d][^\d@]*+)@[0-9a-f]{4,16}")

_FEWEST_LABELS: Final = 3
"""Names of fewer labels are as well those of modules and of their members."""
_COUNTRY_LENGTH: Final = 2


def masked(word: str) -> str:
    """Return *word*, or a mask for it, or the part of it that identifies with a mask for the rest."""
    if _DIGIT.search(word):
        if word.lower() in TERMS or any(shape.fullmatch(word) for shape in _NAMES_WITH_DIGITS):
            return word
        told = _OBJECT.fullmatch(word)
        return f"{told[1]}@{MASK_TEXT}" if told else MASK_TEXT
    if _is_path(word) or "@" in word[1:-1] or "***" in word.strip("*") or _HEX.fullmatch(word) or _is_named_place(word):
        return MASK_TEXT
    return word


def _is_path(word: str) -> bool:
    # One slash alone is no path: "and/or", "application/json"; nor is a backslash that escapes what follows the word.
    return word.startswith("~/") or "\\" in word[:-1] or word.count("/") > 1 or ("/" in word and "." in word)


def _is_named_place(word: str) -> bool:
    """Say whether *word* is the name of a host, of a data file, or of an application (``com.vendor.app``)."""
    labels = word.split(".")
    if len(labels) == 1 or not labels[0]:
        return False
    last = labels[-1]
    if last.lower() in DATA_SUFFIXES:
        return True
    if word != word.lower():
        return False
    if labels[0] in PACKAGES:
        return labels[0] in VENDORS and len(labels) >= _FEWEST_LABELS
    return last in PLACES or (len(labels) >= _FEWEST_LABELS and len(last) == _COUNTRY_LENGTH)
