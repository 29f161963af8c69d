"""Decoding cost records, quickly (CONTRACT §1).

One invariant: the quick way only ever accepts. Whatever it does not take as it stands goes to the contract's model,
which decides, and names the field and the reason; so both agree on every record, and a reason is the same whoever
meets it.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType
from pydantic import ValidationError

from engines.core.model import Invalid
from engines.core.money import NANOUSD_PER_CENT, divide_half_even
from engines.core.time import US_PER_MINUTE, parse_instant
from engines.cost.event import CostEvent, content_crc, identity
from engines.cost.record import (
    COST_CENTS_MAX,
    TEXT_CHARACTERS_MAX,
    TOKENS_MAX,
    CostRecord,
    nanousd_of_cents,
)
from engines.cost.wire import NESTED_BYTES_MIN, NESTING_MAX, VALUE_BYTES_MAX, read_object

__all__ = ["FUTURE_US_MAX", "CostEvent", "Invalid", "content_crc", "decode", "identity"]

FUTURE_US_MAX: Final = 5 * US_PER_MINUTE
"""How far an event may be ahead of its append time; clocks differ, but not by more."""

_COST_NANOUSD_MAX: Final = COST_CENTS_MAX * NANOUSD_PER_CENT
_FRACTION_DIGITS: Final = 7
_MORE_DIGITS_MAX: Final = 30
_SCALES: Final[tuple[int, ...]] = tuple(10**digits for digits in range(_MORE_DIGITS_MAX + 1))
_BACKSLASH: Final = ord("\\")
_FILLS: Final = {"ce_id": "id", "ce_time": "occurred_at", "ce_type": "type"}

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT_CHARACTERS_MAX)]
_Tokens = Annotated[int, msgspec.Meta(ge=0, le=TOKENS_MAX)]


class _Unusual(ValueError):
    """The quick way does not take this record."""


class _Body(msgspec.Struct, gc=False):
    """The members as they are written; ``cost_cents`` unread, for no type of the library takes numbers alone."""

    tenant_id: _Text
    model: _Text
    input_tokens: _Tokens
    output_tokens: _Tokens
    id: _Text | None = None
    occurred_at: _Text | None = None
    type: Literal["cost-record"] | None = None
    user_id: _Text | None = None
    feature_tag: _Text | None = None
    provider: _Text | None = None
    request_id: _Text | None = None
    workflow_id: _Text | None = None
    skill_id: _Text | None = None
    cached_input_tokens: _Tokens | None = None
    is_retry: bool | None = None
    cost_cents: msgspec.Raw | UnsetType = UNSET


_REASONS: Final = {
    "missing": "is missing or null",
    "literal_error": "is not 'cost-record'",
    "string_type": "is not a string",
    "string_too_short": "is empty",
    "string_too_long": f"has more than {TEXT_CHARACTERS_MAX} characters",
    "string_unicode": "contains a lone surrogate",
    "int_type": "is not a JSON integer",
    "greater_than_equal": "is negative",
    "less_than_equal": f"is more than {TOKENS_MAX}",
    "bool_type": "is not true or false",
}
"""The model library's findings in words of our own, so that a reason outlives its versions."""

_read = msgspec.json.Decoder(_Body).decode
_FUTURE: Final = Invalid("occurred_at", "future")
"""More than ``FUTURE_US_MAX`` ahead; the one reason whose word the contract fixes."""


def decode(value: bytes | None, headers: Iterable[tuple[str, bytes | None]], append_us: int) -> CostEvent | Invalid:
    """Return the event in *value*, or the field to blame and the reason why there is none.

    Args:
        value: the record's bytes, None for a tombstone.
        headers: the record's headers; of several with one name the last counts.
        append_us: the record's append time in microseconds since the epoch.
    """
    try:
        event = _decode_usual(value, headers)
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return _decode_any(value, headers, append_us)
    return event if event.occurred_at - append_us <= FUTURE_US_MAX else _FUTURE


def _decode_usual(value: bytes | None, headers: Iterable[tuple[str, bytes | None]]) -> CostEvent:
    """Decode a record that is as records usually are; raises when it is not, without saying why."""
    if value is None or (len(value) > NESTED_BYTES_MIN and _is_large_or_nested(value)):
        raise _Unusual
    body = _read(value)
    if not value.isascii():
        value.decode()  # the library skips unknown members without reading their characters
    if _BACKSLASH in value and b"\\u0000" in value:
        raise _Unusual
    event_id, occurred_at, source = _filled(body, headers) if headers else (body.id, body.occurred_at, "")
    input_tokens = body.input_tokens
    cached_input_tokens = body.cached_input_tokens or 0
    if event_id is None or occurred_at is None or cached_input_tokens > input_tokens:
        raise _Unusual
    cost_cents = body.cost_cents
    return CostEvent(
        event_id,
        body.tenant_id,
        source,
        parse_instant(occurred_at),
        body.model,
        input_tokens,
        body.output_tokens,
        body.user_id,
        body.feature_tag,
        body.provider,
        body.request_id,
        body.workflow_id,
        body.skill_id,
        cached_input_tokens,
        body.is_retry or False,
        None if cost_cents is UNSET else _cost_nanousd(bytes(cost_cents)),
    )


def _is_large_or_nested(value: bytes) -> bool:
    return len(value) > VALUE_BYTES_MAX or value.count(b"{") + value.count(b"[") > NESTING_MAX


def _filled(body: _Body, headers: Iterable[tuple[str, bytes | None]]) -> tuple[str | None, str | None, str]:
    """Return id, time and source of *body* with what CloudEvents headers say of them."""
    event_id, occurred_at, source = body.id, body.occurred_at, ""
    event_type: str = body.type or "cost-record"
    for name, header in headers:
        if name[:3] != "ce_" or header is None:
            continue
        if name == "ce_id" and body.id is None:
            event_id = header.decode()
        elif name == "ce_time" and body.occurred_at is None:
            occurred_at = header.decode()
        elif name == "ce_type" and body.type is None:
            event_type = header.decode()
        elif name == "ce_source":
            source = header.decode()
    if event_type != "cost-record" or event_id == "" or occurred_at == "":
        raise _Unusual
    for text in (event_id, occurred_at, source):
        if text and (len(text) > TEXT_CHARACTERS_MAX or "\0" in text):
            raise _Unusual
    return event_id, occurred_at, source


def _cost_nanousd(cents: bytes) -> int | None:
    """Return the JSON value *cents* in nano-USD, rounded half-even; raises ValueError when it is no number in range."""
    whole, _, fraction = cents.partition(b".")
    more = len(fraction) - _FRACTION_DIGITS
    if more > _MORE_DIGITS_MAX:
        return _cost_nanousd_of_decimal(cents)
    try:
        digits = int(whole + fraction)
    except ValueError:
        return None if cents == b"null" else _cost_nanousd_of_decimal(cents)
    if more <= 0:
        nanousd = digits * _SCALES[-more]
        if 0 <= nanousd <= _COST_NANOUSD_MAX:
            return nanousd
    elif 0 <= digits <= _COST_NANOUSD_MAX * _SCALES[more]:
        return divide_half_even(digits, _SCALES[more])
    raise _Unusual


def _cost_nanousd_of_decimal(cents: bytes) -> int:
    try:
        number = Decimal(cents.decode())
    except InvalidOperation as error:
        raise _Unusual from error
    if not 0 <= number <= COST_CENTS_MAX:
        raise _Unusual
    return nanousd_of_cents(number)


def _decode_any(
    value: bytes | None, headers: Iterable[tuple[str, bytes | None]], append_us: int
) -> CostEvent | Invalid:
    """Decode by the contract's model; this way decides what is refused, and why."""
    members = read_object(value)
    if isinstance(members, Invalid):
        return members
    source = _add_headers(members, headers)
    if isinstance(source, Invalid):
        return source
    try:
        record = CostRecord.model_validate(members)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        return Invalid(str(first["loc"][0]), _REASONS.get(first["type"], first["msg"]))
    event = _event_of(record, source)
    return event if event.occurred_at - append_us <= FUTURE_US_MAX else _FUTURE


def _add_headers(members: dict[str, object], headers: Iterable[tuple[str, bytes | None]]) -> str | Invalid:
    """Fill what *members* lack from CloudEvents headers; return the source, or the header that cannot be read."""
    attributes = {name: header for name, header in headers if header is not None}
    for name, member in _FILLS.items():
        if name in attributes and members.get(member) is None:
            try:
                members[member] = attributes[name].decode()
            except UnicodeDecodeError:
                return Invalid(member, f"the header {name} is not UTF-8")
    try:
        source = attributes.get("ce_source", b"").decode()
    except UnicodeDecodeError:
        return Invalid("source", "the header ce_source is not UTF-8")
    if "\0" in source or len(source) > TEXT_CHARACTERS_MAX:
        return Invalid("source", f"the header ce_source is longer than {TEXT_CHARACTERS_MAX} or contains a NUL")
    return source


def _event_of(record: CostRecord, source: str) -> CostEvent:
    return CostEvent(
        record.id,
        record.tenant_id,
        source,
        record.occurred_at_us,
        record.model,
        record.input_tokens,
        record.output_tokens,
        record.user_id,
        record.feature_tag,
        record.provider,
        record.request_id,
        record.workflow_id,
        record.skill_id,
        record.cached_input_tokens,
        record.is_retry,
        record.cost_nanousd,
    )
