"""What models that describe published lines are made of, for people and for JSON Schema (CONTRACT §5).

Nothing is built of such models; tests hold the lines to what they say: every member is always there, none is beside
them. Later versions may add members, so a reader ignores those it does not know.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
HEX: Final = "[0-9a-f]{16}"
SHOWN: Final = {"format": "date-time"}
"""What a schema says of a text that is a time."""

_TIME: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z$"

Id = Annotated[str, Field(min_length=1)]
Time = Annotated[str, Field(pattern=_TIME, json_schema_extra=SHOWN)]
Count = Annotated[int, Field(ge=0)]


class Described(BaseModel):
    """A model that exists to be read: its docstrings are the descriptions in its schema."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", use_attribute_docstrings=True)


def described(model: type[BaseModel]) -> dict[str, object]:
    """Return the JSON Schema of *model* as it is written: every member that is always there is required."""
    return {"$schema": DIALECT, **model.model_json_schema(mode="serialization")}
