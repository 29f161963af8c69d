"""The contract of the cost record, for people and for JSON Schema (CONTRACT §1).

This model is the authority: the quick decoder of ``engines.cost.decode`` accepts nothing that it refuses, and reads
the same values. JSON reaches it through ``engines.cost.wire``, which keeps numbers exact.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from engines.core.money import NANOUSD_PER_CENT
from engines.core.time import parse_instant

TEXT_CHARACTERS_MAX: Final = 256
TOKENS_MAX: Final = 10**12
COST_CENTS_MAX: Final = 10**8

_EXACT: Final = Context(prec=20, rounding=ROUND_HALF_EVEN)
_NANOUSD_IN_CENTS: Final = Decimal(1) / NANOUSD_PER_CENT
_NULL: Final = {"type": "null"}


def _without_nul(text: str) -> str:
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

Text = Annotated[str, _TEXT, AfterValidator(_without_nul), WithJsonSchema(_TEXT_SCHEMA)]
OptionalText = Annotated[
    str | None, _TEXT, AfterValidator(_without_nul), WithJsonSchema({"anyOf": [_TEXT_SCHEMA, _NULL]})
]
Instant = Annotated[str, _TEXT, AfterValidator(_instant), WithJsonSchema(_INSTANT_SCHEMA)]
Tokens = Annotated[int, Field(strict=True, ge=0, le=TOKENS_MAX), WithJsonSchema(_TOKENS_SCHEMA)]
OptionalTokens = Annotated[
    int, Field(strict=True, ge=0, le=TOKENS_MAX), WithJsonSchema({"anyOf": [_TOKENS_SCHEMA, _NULL]})
]
OptionalFlag = Annotated[bool, Field(strict=True), WithJsonSchema({"type": ["boolean", "null"]})]
OptionalCents = Annotated[Decimal | None, PlainValidator(_cents), WithJsonSchema({"anyOf": [_CENTS_SCHEMA, _NULL]})]
OptionalType = Annotated[
    Literal["cost-record"], WithJsonSchema({"anyOf": [{"type": "string", "const": "cost-record"}, _NULL]})
]


class CostRecord(BaseModel):
    """What one call of a model used and, when the producer knows it, what it cost.

    A JSON object in UTF-8 of at most 1 MiB, nested at most 64 deep to be sure of being accepted. null means absent,
    of duplicate members the last counts, and members not listed here are ignored. A missing id, occurred_at or type
    is filled from the CloudEvents headers ce_id, ce_time and ce_type; the source is the header ce_source.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, use_attribute_docstrings=True)

    type: OptionalType = "cost-record"
    """Kind of event; may be left out."""
    id: Text
    """The producer's id of this call; repeated with the same occurred_at it is a duplicate."""
    tenant_id: Text
    """Whose money it is; also the key of the message."""
    occurred_at: Instant
    """When the call happened, 1970 to 9998; digits past microseconds are cut, :60 and 24:00 are refused."""
    model: Text
    """The model that was called, as its provider names it."""
    input_tokens: Tokens
    """Tokens sent, cached ones included; a JSON integer (not 1.0)."""
    output_tokens: Tokens
    """Tokens received; a JSON integer (not 1.0)."""
    cached_input_tokens: OptionalTokens = 0
    """How many of the input tokens were read from the provider's cache; at most input_tokens."""
    user_id: OptionalText = None
    """On whose behalf the call was made."""
    feature_tag: OptionalText = None
    """The feature of the product that made the call."""
    provider: OptionalText = None
    """Who runs the model; without it the model's name decides."""
    request_id: OptionalText = None
    """The request this call was part of."""
    workflow_id: OptionalText = None
    """The workflow this call was part of."""
    skill_id: OptionalText = None
    """The skill this call was part of."""
    is_retry: OptionalFlag = False
    """Whether the call repeats one that failed."""
    cost_cents: OptionalCents = None
    """What the call cost in US cents, read as a decimal and rounded half-even to 10^-7; absent: to be priced."""

    @model_validator(mode="before")
    @classmethod
    def _null_means_absent(cls, members: Any) -> Any:  # noqa: ANN401 - pydantic hands over whatever it was given
        if isinstance(members, dict):
            return {name: member for name, member in members.items() if member is not None}
        return members

    @field_validator("cached_input_tokens")
    @classmethod
    def _cached_are_part_of_input(cls, cached: int, info: ValidationInfo) -> int:
        if cached > info.data.get("input_tokens", TOKENS_MAX):
            raise PydanticCustomError("cached", "is more than input_tokens")
        return cached

    @property
    def occurred_at_us(self) -> int:
        """Event time in microseconds since the epoch."""
        return parse_instant(self.occurred_at)

    @property
    def cost_nanousd(self) -> int | None:
        """What the producer says the call cost, None when it is to be priced."""
        return None if self.cost_cents is None else nanousd_of_cents(self.cost_cents)


def json_schema() -> dict[str, object]:
    """Return the JSON Schema of a cost record; ``engines/cost/schemas`` holds it as a file."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **CostRecord.model_json_schema()}


def nanousd_of_cents(cents: Decimal) -> int:
    """Return *cents* (0 … 10^8) in nano-USD, rounded half-even, once."""
    return int(cents.quantize(_NANOUSD_IN_CENTS, context=_EXACT).scaleb(7, _EXACT))
