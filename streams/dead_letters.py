"""Dead letters as they lie in their topic: read, chosen from, and made records again.

The one who writes them is ``fates.dead_letter``. A letter carries its record whole, so that nothing here depends on
what the topic it came from still holds.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

import msgspec

from drivers.kafka.stored import StoredRecord
from engines.core.model import Headers
from streams import fates
from streams.homes import PartitionOf, tenant_key

RETRIED_FROM: Final = "outlay-retried-from"
"""Header of a record that was sent again: the place where it died first."""


class Place(NamedTuple):
    """Where a record lies: ``costs/3/17``."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        """Return it as people write it."""
        return f"{self.topic}/{self.partition}/{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the place that *text* names. Raises ValueError."""
        topic, *numbers = text.rsplit("/", 2)
        if not topic or len(numbers) != len(cls._fields) - 1 or not all(map(str.isdecimal, numbers)):
            raise ValueError(f"{text!r} is no place such as costs/3/17")
        return cls(topic, *map(int, numbers))


class _Line(msgspec.Struct):
    topic: str
    partition: int
    offset: int
    key: str | None
    headers: list[tuple[str, str]]
    field: str | None
    reason: str
    value_base64: str | None


_decode = msgspec.json.Decoder(_Line).decode


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One refused record.

    Attributes:
        place: where it lay.
        at_ms: when its letter was published, milliseconds since the epoch.
        field: the field to blame, None when it is none of them.
        reason: in a line; a traceback may follow.
        key, value, headers: the record, byte for byte.
    """

    place: Place
    at_ms: int
    field: str | None
    reason: str
    key: bytes | None
    value: bytes | None
    headers: Headers

    @property
    def origin(self) -> str:
        """Where the record died first: its own place unless it is one that was sent again."""
        retried = [value for name, value in self.headers if name == RETRIED_FROM]
        return retried[0].decode(errors="replace") if retried else str(self.place)

    @property
    def summary(self) -> str:
        """The reason without its traceback."""
        return self.reason.partition("\n")[0]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which letters: those that everything given here holds of.

    Attributes:
        field: this one is to blame.
        reason: it contains this, in capitals or not.
        topic: the record lay there.
        places: these, or any when it is None.
    """

    field: str | None = None
    reason: str | None = None
    topic: str | None = None
    places: frozenset[str] | None = None

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return self == Wanted()

    def possible(self, key: bytes | None) -> bool:
        """Whether a letter with this key may be among them; without reading all of it."""
        return self.places is None or (key or b"").decode(errors="replace") in self.places

    def has(self, letter: DeadLetter) -> bool:
        """Whether *letter* is among them."""
        return (
            (self.field is None or letter.field == self.field)
            and (self.reason is None or self.reason.casefold() in letter.reason.casefold())
            and (self.topic is None or letter.place.topic == self.topic)
            and (self.places is None or str(letter.place) in self.places)
        )


def parse(record: StoredRecord) -> DeadLetter | None:
    """Return the letter in *record*, None when it is none of ours."""
    try:
        line = _decode(record.value or b"")
        headers = [(name, _bytes(value) or b"") for name, value in line.headers]
        key, value = _bytes(line.key), _bytes(line.value_base64)
    except (msgspec.DecodeError, UnicodeError, binascii.Error, RecursionError):
        return None
    place = Place(line.topic, line.partition, line.offset)
    return DeadLetter(place, record.timestamp, line.field, line.reason, key, value, headers)


def home(letter: DeadLetter, partitions: int, partition_of: PartitionOf) -> int:
    """Return where the record belongs: with its tenant, or where it lay when it names none."""
    tenant = tenant_key(letter.value or b"")
    return letter.place.partition % partitions if tenant is None else partition_of(tenant, partitions)


def headers_again(letter: DeadLetter) -> Headers:
    """Return the record's headers as it is sent again: all of them, and where it died first."""
    kept = [header for header in letter.headers if header[0] != RETRIED_FROM]
    return [*kept, (RETRIED_FROM, letter.origin.encode())]


@dataclass(frozen=True, slots=True)
class Told:
    """What the topics tell of places: reasons of dead letters, and of late lines."""

    dead: Mapping[Place, str]
    late: Mapping[Place, str]


class LateTold(msgspec.Struct):
    """What a late line tells of a record: where it lay, and what became of it."""

    partition: int
    offset: int
    reason: str


_decode_late = msgspec.json.Decoder(LateTold).decode


def parse_late(record: StoredRecord) -> LateTold | None:
    """Return what the late line in *record* tells, None when it is none of ours."""
    try:
        return _decode_late(record.value or b"")
    except (msgspec.DecodeError, UnicodeError):
        return None


def fate(place: Place, told: Told, moved: Mapping[str, int]) -> str:
    """Return what became of the record sent to *place*, as far as it can be seen.

    Args:
        told: what the topics tell.
        moved: how far the counts of its partition moved while it was taken in.
    """
    if place in told.dead:
        return f"dead again: {told.dead[place]}"
    late = told.late.get(place)
    if late is not None:
        return "accepted, corrects a closed day" if late == "restated" else f"late, not counted: {late}"
    if not moved.get(fates.DUPLICATES, 0):
        return fates.ACCEPTED
    return "duplicate" if not moved.get(fates.ACCEPTED, 0) else "accepted or duplicate"


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text, validate=True)
