"""The list of topics in ``topics.yaml``, read once and typed.

The file lies at the top of the project; inside the installed package it is ``drivers/topics.yaml`` (a link in the
source tree, a copy in a wheel), so that there is one list to edit.
"""

from __future__ import annotations

import re
from collections import Counter
from importlib.resources import files
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from engines.core.errors import SettingsError

_DURATION = re.compile(r"([1-9][0-9]*)([dh])")
_UNIT_MS = {"d": 86_400_000, "h": 3_600_000}
_US_PER_MS = 1000


def _milliseconds(value: object) -> object:
    """Return a duration such as ``14d`` in milliseconds; what is none is left for pydantic to refuse."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    return int(found[1]) * _UNIT_MS[found[2]] if found else value


_Name = Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]{1,249}$")]
_Text = Annotated[str, Field(min_length=1)]


class Topic(BaseModel):
    """One topic: its settings on the broker, and who stands at its ends."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)

    name: _Name
    key: _Text
    partitions: int = Field(ge=1, le=10_000)
    retention_ms: Annotated[int, Field(alias="retention", ge=1)]
    cleanup: Literal["delete", "compact"]
    timestamp: Literal["LogAppendTime", "CreateTime"]
    max_message_bytes: int = Field(alias="max_message", ge=1)
    value_schema: _Text = Field(alias="schema")
    producers: list[_Text] = Field(min_length=1)
    consumers: list[_Text] = Field(min_length=1)
    period_ms: Annotated[int | None, Field(alias="period", ge=1)] = None
    writes: list[_Text] = []

    @model_validator(mode="before")
    @classmethod
    def _read_durations(cls, data: object) -> object:
        if isinstance(data, dict):
            return {**data, **{name: _milliseconds(data[name]) for name in ("retention", "period") if name in data}}
        return data

    @property
    def period_us(self) -> int | None:
        """How long the windows are that close on it, in microseconds; None: it is no input."""
        return None if self.period_ms is None else self.period_ms * _US_PER_MS

    def config(self) -> dict[str, str]:
        """Return the broker's settings for this topic, as Kafka names and writes them."""
        return {
            "cleanup.policy": self.cleanup,
            "max.message.bytes": str(self.max_message_bytes),
            "message.timestamp.type": self.timestamp,
            "retention.ms": str(self.retention_ms),
        }


class Topics(BaseModel):
    """All topics, in the order of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    topics: list[Topic]

    @model_validator(mode="after")
    def _each_once(self) -> Topics:
        twice = [name for name, n in Counter(topic.name for topic in self.topics).items() if n > 1]
        if twice:
            raise ValueError(f"listed more than once: {', '.join(twice)}")
        writers = Counter(table for topic in self.topics for table in topic.writes)
        shared = [table for table, n in writers.items() if n > 1]
        if shared:
            raise ValueError(f"written from more than one topic: {', '.join(shared)}")
        return self

    def named(self, name: str) -> Topic:
        """Return the topic *name*. Raises SettingsError when there is none."""
        for topic in self.topics:
            if topic.name == name:
                return topic
        raise SettingsError(f"topics.yaml lists no topic {name!r}")


def parse(text: str) -> Topics:
    """Return the topics in *text*, YAML. Raises SettingsError that says what is wrong where."""
    try:
        return Topics.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise SettingsError(f"topics.yaml is no YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        reason = first["msg"].removeprefix("Value error, ")
        raise SettingsError(f"topics.yaml: {place}: {reason}") from error


def load() -> Topics:
    """Return the topics of this version of Outlay."""
    return parse(files("drivers").joinpath("topics.yaml").read_text(encoding="utf-8"))
