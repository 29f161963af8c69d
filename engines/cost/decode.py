"""Decoding cost records, quickly (CONTRACT §1).

One invariant: the quick way only ever accepts. Whatever it does not take as it stands goes to the contract's model,
which decides, and names the field and the reason; so both agree on every record, and a reason is the same whoever
meets it.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType
from pydantic import ValidationError

from engines.core import cloud_events
from engines.core.cents import nanousd_of_json
from engines.core.cloud_events import GivenHeaders
from engines.core.fields import FUTURE, FUTURE_US_MAX, TEXT_CHARACTERS_MAX, TOKENS_MAX, first_violation
from engines.core.model import Invalid
from engines.core.time import parse_instant
from engines.core.wire import NESTED_BYTES_MIN, Unusual, is_large_or_nested, read_object
from engines.cost.event import CostEvent, content_crc, identity
from engines.cost.record import CostRecord

__all__ = ["CostEvent", "Invalid", "content_crc", "decode", "identity"]

_TYPE: Final = "cost-record"
_BACKSLASH: Final = ord("\\")

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT_CHARACTERS_MAX)]
_Tokens = Annotated[int, msgspec.Meta(ge=0, le=TOKENS_MAX)]


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


_read = msgspec.json.Decoder(_Body).decode
_filled = cloud_events.filled


def decode(value: bytes | None, headers: GivenHeaders, append_us: int) -> CostEvent | Invalid:
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
    return event if event.occurred_at - append_us <= FUTURE_US_MAX else FUTURE


def _decode_usual(value: bytes | None, headers: GivenHeaders) -> CostEvent:
    """Decode a record that is as records usually are; raises when it is not, without saying why."""
    if value is None or (len(value) > NESTED_BYTES_MIN and is_large_or_nested(value)):
        raise Unusual
    body = _read(value)
    if not value.isascii():
        value.decode()  # the library skips unknown members without reading their characters
    if _BACKSLASH in value and b"\\u0000" in value:
        raise Unusual
    event_id, occurred_at, source = body.id, body.occurred_at, ""
    if headers:
        event_id, occurred_at, event_type, source = _filled(event_id, occurred_at, body.type, headers)
        if event_type is not None and event_type != _TYPE:
            raise Unusual
    input_tokens = body.input_tokens
    cached_input_tokens = body.cached_input_tokens or 0
    if event_id is None or occurred_at is None or cached_input_tokens > input_tokens:
        raise Unusual
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
        None if cost_cents is UNSET else nanousd_of_json(bytes(cost_cents)),
    )


def _decode_any(value: bytes | None, headers: GivenHeaders, append_us: int) -> CostEvent | Invalid:
    """Decode by the contract's model; this way decides what is refused, and why."""
    members = read_object(value)
    if isinstance(members, Invalid):
        return members
    source = cloud_events.fill(members, headers)
    if isinstance(source, Invalid):
        return source
    try:
        record = CostRecord.model_validate(members)
    except ValidationError as error:
        return first_violation(error, f"'{_TYPE}'")
    event = _event_of(record, source)
    return event if event.occurred_at - append_us <= FUTURE_US_MAX else FUTURE


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
