"""JSON as it may come: what a value must be before anyone asks what it says (CONTRACT §1).

``read_object`` is the careful way, for values that a domain's quick decoder does not take: of duplicate keys the last
counts even when the first is of a wrong type, numbers are exact, and whatever stands in members nobody knows is
accepted as long as it is JSON, lone surrogates and NUL included. A byte order mark is no JSON.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Final, NoReturn

from engines.core.model import Invalid

VALUE_BYTES_MAX: Final = 1 << 20
NESTING_MAX: Final = 512
NESTED_BYTES_MIN: Final = 2 * NESTING_MAX
"""A value no longer than this cannot be nested too deeply."""

_STRING: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
"""A string, or all that follows a quote that is never closed: nothing is looked at twice."""
_BRACKET: Final = re.compile(r"[\[\]{}]")
_DIGITS_MAX: Final = 40
_TOO_DEEP: Final = f"the value is nested deeper than {NESTING_MAX}"


class Unusual(ValueError):
    """A quick way does not take this record as it stands; the careful one decides."""


class _NoObject(Exception):
    """The value cannot even be read as text; the message says why."""


def read_object(value: bytes | None) -> dict[str, object] | Invalid:
    """Return the members of the JSON object in *value*, numbers as int or Decimal, or why it is none."""
    try:
        members = json.loads(_text(value), parse_int=_integer, parse_float=_decimal, parse_constant=_refuse_constant)
    except _NoObject as error:
        return Invalid(None, str(error))
    except RecursionError:
        return Invalid(None, _TOO_DEEP)
    except ValueError as error:
        return Invalid(None, f"the value is not JSON: {error}")
    return members if isinstance(members, dict) else Invalid(None, "the value is not a JSON object")


def is_large_or_nested(value: bytes) -> bool:
    """Return whether *value* may be longer or nested deeper than is allowed; only then does it need counting."""
    return len(value) > VALUE_BYTES_MAX or value.count(b"{") + value.count(b"[") > NESTING_MAX


def _text(value: bytes | None) -> str:
    if value is None:
        raise _NoObject("the value is null")
    if len(value) > VALUE_BYTES_MAX:
        raise _NoObject("the value is longer than 1 MiB")
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        raise _NoObject(f"the value is not UTF-8 (byte {error.start})") from error
    if len(value) > NESTED_BYTES_MIN and _nested_too_deeply(text):
        raise _NoObject(_TOO_DEEP)
    return text


def _nested_too_deeply(text: str) -> bool:
    depth = 0
    for bracket in _BRACKET.finditer(_STRING.sub("", text)):
        depth += 1 if bracket[0] in "[{" else -1
        if depth > NESTING_MAX:
            return True
    return False


def _integer(text: str) -> int:
    """Read an integer; one of more digits than any bound has keeps only as many as put it past every bound."""
    return int(text[:_DIGITS_MAX])


def _decimal(text: str) -> Decimal:
    """Read a number exactly; one whose exponent no decimal can hold is zero or past every bound."""
    try:
        return Decimal(text)
    except InvalidOperation:
        mantissa, _, exponent = text.lower().partition("e")
        if exponent.startswith("-") or not mantissa.strip("-0."):
            return Decimal(0)
        return Decimal("-Infinity" if mantissa.startswith("-") else "Infinity")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
