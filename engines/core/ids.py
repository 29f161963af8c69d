"""Ids that anybody can compute again: a prefix, and the hash of what is named (CONTRACT §5, §7)."""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

_DIGITS: Final = 16


def hashed_id(prefix: str, *parts: str | None) -> str:
    """Return *prefix* + the first 16 hexadecimal digits of SHA-256 of *parts* as compact JSON in UTF-8."""
    return prefix + hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:_DIGITS]
