"""``sig_v1``: the signature of an error text, bit for bit as the reference computes it.

It keeps the reference's weaknesses, since stored signatures must go on to match: ISO times leak (the text is
lower-cased before ``T`` is looked for), and so do digits that touch letters. ``engines.patterns.signature_v2`` is the
one to group by; the two versions are never mixed in one key.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

SIG_V1: Final = "sig_v1"
EMPTY_ERROR: Final = "empty_error"
SIGNATURE_LENGTH: Final = 16

_REPLACEMENTS: Final = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}"), "<timestamp>"),
    (re.compile(r"\b\d+\b"), "<n>"),
)


def compute_error_signature(error: str | None) -> str:
    """Return the 16 hexadecimal digits that stand for *error*, or ``empty_error`` when there is no text.

    White space alone is a text: it is stripped to nothing and hashed, as the reference does.
    """
    if not error:
        return EMPTY_ERROR
    text = error.lower().strip()
    for pattern, name in _REPLACEMENTS:
        text = pattern.sub(name, text)
    return digest(text)


def digest(text: str) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of *text*; a lone surrogate is hashed, not refused."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:SIGNATURE_LENGTH]
