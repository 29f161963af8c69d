"""Decoding events of runs, quickly (CONTRACT §1, §7).

One invariant: the quick way only ever accepts. Whatever it does not take as it stands goes to the contract's model,
which decides, and names the field and the reason; so both agree on every record, and a reason is the same whoever
meets it.
"""

from __future__ import annotations

from typing import Annotated, Final

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
from engines.runs.event import OUTCOMES, RunEvent
from engines.runs.record import ERROR_CHARACTERS_MAX, RunEventType, RunRecord

_TYPES: Final = "one of run-started, run-completed, run-failed, run-crashed"
_BACKSLASH: Final = ord("\\")

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT_CHARACTERS_MAX)]
_Error = Annotated[str, msgspec.Meta(max_length=ERROR_CHARACTERS_MAX)]
_Tokens = Annotated[int, msgspec.Meta(ge=0, le=TOKENS_MAX)]


class _Body(msgspec.Struct, gc=False):
    """The members as they are written; ``cost_cents`` unread, for no type of the library takes numbers alone."""

    run_id: _Text
    tenant_id: _Text
    worker_id: _Text
    type: RunEventType | None = None
    id: _Text | None = None
    occurred_at: _Text | None = None
    error: _Error | None = None
    error_type: _Text | None = None
    cost_cents: msgspec.Raw | UnsetType = UNSET
    input_tokens: _Tokens | None = None
    output_tokens: _Tokens | None = None
    model: _Text | None = None
    feature_tag: _Text | None = None
    request_id: _Text | None = None


_read = msgspec.json.Decoder(_Body).decode


def decode(value: bytes | None, headers: GivenHeaders, append_us: int) -> RunEvent | Invalid:
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


def _decode_usual(value: bytes | None, headers: GivenHeaders) -> RunEvent:
    """Decode a record that is as records usually are; raises when it is not, without saying why."""
    if value is None or (len(value) > NESTED_BYTES_MIN and is_large_or_nested(value)):
        raise Unusual
    body = _read(value)
    if not value.isascii():
        value.decode()  # the library skips unknown members without reading their characters
    if _BACKSLASH in value and b"\\u0000" in value:
        raise Unusual
    event_id, occurred_at, source = body.id, body.occurred_at, ""
    event_type: str | None = body.type
    if headers:
        event_id, occurred_at, event_type, source = cloud_events.filled(event_id, occurred_at, event_type, headers)
    if event_type not in OUTCOMES or occurred_at is None:
        raise Unusual
    cost_cents = body.cost_cents
    return RunEvent(
        body.run_id if event_id is None else event_id,
        body.tenant_id,
        source,
        parse_instant(occurred_at),
        body.run_id,
        body.worker_id,
        OUTCOMES[event_type],
        body.error,
        body.error_type,
        None if cost_cents is UNSET else nanousd_of_json(bytes(cost_cents)),
        body.input_tokens,
        body.output_tokens,
        body.model,
        body.feature_tag,
        body.request_id,
        event_id is None,
    )


def _decode_any(value: bytes | None, headers: GivenHeaders, append_us: int) -> RunEvent | Invalid:
    """Decode by the contract's model; this way decides what is refused, and why."""
    members = read_object(value)
    if isinstance(members, Invalid):
        return members
    source = cloud_events.fill(members, headers)
    if isinstance(source, Invalid):
        return source
    try:
        record = RunRecord.model_validate(members)
    except ValidationError as error:
        return first_violation(error, _TYPES)
    event = _event_of(record, source)
    return event if event.occurred_at - append_us <= FUTURE_US_MAX else FUTURE


def _event_of(record: RunRecord, source: str) -> RunEvent:
    return RunEvent(
        record.run_id if record.id is None else record.id,
        record.tenant_id,
        source,
        record.occurred_at_us,
        record.run_id,
        record.worker_id,
        OUTCOMES[record.type],
        record.error,
        record.error_type,
        record.cost_nanousd,
        record.input_tokens,
        record.output_tokens,
        record.model,
        record.feature_tag,
        record.request_id,
        record.id is None,
    )
