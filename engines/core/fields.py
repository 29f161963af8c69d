"""The fields that events of every domain are made of, and what is said of one that breaks its bounds (CONTRACT §1).

The types are for the contracts' models, which have the last word; numbers reach them as ``engines.core.wire`` reads
them, exact.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, PlainValidator, StringConstraints, ValidationError, WithJsonSchema
from pydantic_core import PydanticCustomError

from engines.core.cents import COST_CENTS_MAX
from engines.core.model import Invalid
from engines.core.time import US_PER_MINUTE, parse_instant

TEXT_CHARACTERS_MAX: Final = 256
TOKENS_MAX: Final = 10**12
FUTURE_US_MAX: Final = 5 * US_PER_MINUTE
"""How far an event may be ahead of its append time; clocks differ, but not by more."""
FUTURE: Final = Invalid("occurred_at", "future")
"""More than ``FUTURE_US_MAX`` ahead; the one reason whose word the contract fixes."""

_REASONS: Final = {
    "missing": "is missing or null",
    "string_type": "is not a string",
    "string_too_short": "is empty",
    "string_too_long": "has more than {max_length} characters",
    "string_unicode": "contains a lone surrogate",
    "int_type": "is not a JSON integer",
    "greater_than_equal": "is negative",
    "less_than_equal": "is more than {le}",
    "bool_type": "is not true or false",
}
"""The model library's findings in words of our own, so that a reason outlives its versions."""


def null_means_absent(members: Any) -> Any:  # noqa: ANN401 - pydantic hands over whatever it was given
    """Return *members* without those that are null; for a model's validator that runs before all others."""
    if isinstance(members, dict):
        return {name: member for name, member in members.items() if member is not None}
    return members


def first_violation(error: ValidationError, types: str) -> Invalid:
    """Return the first member that *error* blames, and why.

    Args:
        error: what a model made of these types refused.
        types: what a ``type`` that is none is not, e.g. ``'cost-record'``.
    """
    first = error.errors(include_url=False, include_input=False)[0]
    kind = first["type"]
    reason = f"is not {types}" if kind == "literal_error" else _REASONS.get(kind, first["msg"])
    return Invalid(str(first["loc"][0]), reason.format_map(first.get("ctx", {})) if kind in _REASONS else reason)


def without_nul(text: str) -> str:
    """Return *text*; a violation when it holds a NUL, which no text of the database can."""
    if "\0" in text:
        raise PydanticCustomError("nul", "contains a NUL character")
    return text


def _instant(text: str) -> str:
    try:
        parse_instant(text)
    except ValueError as error:
        raise PydanticCustomError("instant", "{why}", {"why": str(error)}) from error
    return text


def _cents(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise PydanticCustomError("exact_number", "is not a number that was read exactly")
    number = Decimal(value)
    if not 0 <= number <= COST_CENTS_MAX:
        raise PydanticCustomError("cents", "is not between 0 and {most}", {"most": COST_CENTS_MAX})
    return number


_NULL: Final = {"type": "null"}
_TEXT: Final = StringConstraints(strict=True, min_length=1, max_length=TEXT_CHARACTERS_MAX)
_TEXT_SCHEMA: Final = {
    "type": "string",
    "minLength": 1,
    "maxLength": TEXT_CHARACTERS_MAX,
    "pattern": "^[^\\u0000]*$",
}
_INSTANT_SCHEMA: Final = {
    "type": "string",
    "format": "date-time",
    "maxLength": TEXT_CHARACTERS_MAX,
    "pattern": (
        r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?"
        r"([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
    ),
}
_TOKENS_SCHEMA: Final = {"type": "integer", "minimum": 0, "maximum": TOKENS_MAX}
_CENTS_SCHEMA: Final = {"type": "number", "minimum": 0, "maximum": COST_CENTS_MAX}

Text = Annotated[str, _TEXT, AfterValidator(without_nul), WithJsonSchema(_TEXT_SCHEMA)]
OptionalText = Annotated[
    str | None, _TEXT, AfterValidator(without_nul), WithJsonSchema({"anyOf": [_TEXT_SCHEMA, _NULL]})
]
Instant = Annotated[str, _TEXT, AfterValidator(_instant), WithJsonSchema(_INSTANT_SCHEMA)]
Tokens = Annotated[int, Field(strict=True, ge=0, le=TOKENS_MAX), WithJsonSchema(_TOKENS_SCHEMA)]
OptionalTokens = Annotated[
    int | None, Field(strict=True, ge=0, le=TOKENS_MAX), WithJsonSchema({"anyOf": [_TOKENS_SCHEMA, _NULL]})
]
DefaultedTokens = Annotated[
    int, Field(strict=True, ge=0, le=TOKENS_MAX), WithJsonSchema({"anyOf": [_TOKENS_SCHEMA, _NULL]})
]
OptionalFlag = Annotated[bool, Field(strict=True), WithJsonSchema({"type": ["boolean", "null"]})]
OptionalCents = Annotated[Decimal | None, PlainValidator(_cents), WithJsonSchema({"anyOf": [_CENTS_SCHEMA, _NULL]})]
