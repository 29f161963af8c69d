"""The contract of the events of runs, for people and for JSON Schema (CONTRACT §1, §7).

This model is the authority: the quick decoder of ``engines.runs.decode`` accepts nothing that it refuses, and reads
the same values. JSON reaches it through ``engines.core.wire``, which keeps numbers exact.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, WithJsonSchema, model_validator

from engines.core.cents import nanousd_of_cents
from engines.core.fields import (
    Instant,
    OptionalCents,
    OptionalText,
    OptionalTokens,
    Text,
    null_means_absent,
    without_nul,
)
from engines.core.time import parse_instant

ERROR_CHARACTERS_MAX: Final = 65_536

_ERROR_SCHEMA: Final = {"type": "string", "maxLength": ERROR_CHARACTERS_MAX, "pattern": "^[^\\u0000]*$"}

RunEventType = Literal["run-started", "run-completed", "run-failed", "run-crashed"]
OptionalError = Annotated[
    str | None,
    StringConstraints(strict=True, max_length=ERROR_CHARACTERS_MAX),
    AfterValidator(without_nul),
    WithJsonSchema({"anyOf": [_ERROR_SCHEMA, {"type": "null"}]}),
]


class RunRecord(BaseModel):
    """A run of a worker began, or ended: completed, failed, or crashed.

    A JSON object in UTF-8 of at most 1 MiB, nested at most 64 deep to be sure of being accepted. null means absent,
    of duplicate members the last counts, and members not listed here are ignored. A missing id, occurred_at or type
    is filled from the CloudEvents headers ce_id, ce_time and ce_type; the source is the header ce_source.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, use_attribute_docstrings=True)

    type: RunEventType
    """What became of the run. A crashed one has ended without being able to say why."""
    id: OptionalText = None
    """The event's own id; repeated with the same occurred_at it is a duplicate. Absent: run_id and type identify it."""
    run_id: Text
    """The run; the same from its start to its end."""
    tenant_id: Text
    """Whose run it is; also the key of the message."""
    worker_id: Text
    """Which worker, agent or job ran; runs are compared with those of the same worker."""
    occurred_at: Instant
    """When that happened, 1970 to 9998; digits past microseconds are cut, :60 and 24:00 are refused."""
    error: OptionalError = None
    """What a failed run said, whole; failures with one error make a pattern. Of other types it is ignored."""
    error_type: OptionalText = None
    """The kind of the error, e.g. the exception's class."""
    cost_cents: OptionalCents = None
    """What the whole run cost in US cents, read as a decimal and rounded half-even to 10^-7; absent: unknown."""
    input_tokens: OptionalTokens = None
    """Tokens the run sent; a JSON integer (not 1.0)."""
    output_tokens: OptionalTokens = None
    """Tokens it received; a JSON integer (not 1.0)."""
    model: OptionalText = None
    """The model it used."""
    feature_tag: OptionalText = None
    """The feature of the product that the run was for."""
    request_id: OptionalText = None
    """The request it was part of."""

    @model_validator(mode="before")
    @classmethod
    def _null_means_absent(cls, members: Any) -> Any:  # noqa: ANN401 - pydantic hands over whatever it was given
        return null_means_absent(members)

    @property
    def occurred_at_us(self) -> int:
        """Event time in microseconds since the epoch."""
        return parse_instant(self.occurred_at)

    @property
    def cost_nanousd(self) -> int | None:
        """What the producer says the run cost, None when it says nothing."""
        return None if self.cost_cents is None else nanousd_of_cents(self.cost_cents)


def json_schema() -> dict[str, object]:
    """Return the JSON Schema of an event of a run; ``engines/runs/schemas`` holds it as a file."""
    schema = RunRecord.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
