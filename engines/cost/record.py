"""The contract of the cost record, for people and for JSON Schema (CONTRACT §1).

This model is the authority: the quick decoder of ``engines.cost.decode`` accepts nothing that it refuses, and reads
the same values. JSON reaches it through ``engines.core.wire``, which keeps numbers exact.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationInfo, WithJsonSchema, field_validator, model_validator
from pydantic_core import PydanticCustomError

from engines.core.cents import nanousd_of_cents
from engines.core.fields import (
    TOKENS_MAX,
    DefaultedTokens,
    Instant,
    OptionalCents,
    OptionalFlag,
    OptionalText,
    Text,
    Tokens,
    null_means_absent,
)
from engines.core.time import parse_instant

_NULL: Final = {"type": "null"}

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
    cached_input_tokens: DefaultedTokens = 0
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
        return null_means_absent(members)

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
