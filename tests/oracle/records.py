"""Bytes to cost records: CONTRACT §1, read literally and without a thought for speed.

Invariant: `decode` never raises; whatever it cannot read is a `Bad` with the field to blame.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import Any

SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
HOUR_US = 3_600 * SECOND_US
VALUE_BYTES_MAX = 1 << 20
NESTING_MAX = 512
TOKENS_MAX = 10**12
CENTS_MAX = 10**8
NANOUSD_PER_CENT = 10**7
TEXT_MAX = 256
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WIDE = Context(prec=1 << 21, Emax=999_999, Emin=-999_999)
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))",
    re.ASCII,
)


@dataclass(frozen=True)
class LogRecord:
    """One record as it lies on the topic, or one line of a file (then without append time and key).

    `partition` None: not placed yet. `offset` None: its place in the partition's order of the log given.
    """

    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    append_us: int | None = None
    key: bytes | None = None
    partition: int | None = None
    offset: int | None = None


@dataclass(frozen=True)
class Record:
    """A cost record after decoding and defaults; two copies conflict when these differ (CONTRACT §3)."""

    source: str
    id: str
    tenant_id: str
    occurred_us: int
    model: str
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    is_retry: bool
    given_nanousd: int | None
    provider: str | None
    user_id: str | None
    feature_tag: str | None
    request_id: str | None
    workflow_id: str | None
    skill_id: str | None

    @property
    def day(self) -> int:
        """The UTC day of the event, in days since the epoch."""
        return self.occurred_us // DAY_US

    @property
    def identity(self) -> tuple[str, str, str, int]:
        """What makes a later copy a duplicate."""
        return (self.tenant_id, self.source, self.id, self.day)


@dataclass(frozen=True)
class Bad:
    """Why a record is a dead letter; `field` None when no single field is to blame."""

    field: str | None
    reason: str


class Refused(Exception):
    """The record is a dead letter, and why."""

    def __init__(self, field: str | None, reason: str) -> None:
        super().__init__(reason)
        self.bad = Bad(field, reason)


def parse_time(text: str) -> int | None:
    """Return the instant in microseconds since the epoch, or None when CONTRACT §1 refuses the text."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.group(1, 2, 3, 4, 5, 6))
    micros = int(((match.group(7) or "") + "000000")[:6])
    zone: timezone = UTC
    if match.group(8):
        hours, minutes = int(match.group(9)), int(match.group(10))
        if hours > 23 or minutes > 59:
            return None
        offset = timedelta(hours=hours, minutes=minutes)
        zone = timezone(-offset if match.group(8) == "-" else offset)
    try:
        at = datetime(year, month, day, hour, minute, second, micros, zone)
    except ValueError:
        return None
    instant_us = (at - _EPOCH) // timedelta(microseconds=1)
    last_us = (datetime(9999, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
    return instant_us if 0 <= instant_us < last_us else None


def decode(value: bytes | None, headers: Sequence[tuple[str, bytes]] = ()) -> Record | Bad:
    """Return the record in *value*, its gaps filled from CloudEvents *headers*, or why there is none."""
    try:
        body = members_of(value)
        return _record(body, dict(headers))
    except Refused as refused:
        return refused.bad


def object_of(value: bytes | None) -> Mapping[str, Any] | None:
    """Return the JSON object in *value*, or None when there is none."""
    try:
        return members_of(value)
    except Refused:
        return None


def members_of(value: bytes | None) -> dict[str, Any]:
    """Return the JSON object in *value*; raises Refused when there is none."""
    if value is None:
        raise Refused(None, "null value")
    if len(value) > VALUE_BYTES_MAX:
        raise Refused(None, "value too large")
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(None, "not UTF-8") from None
    if _nesting(text) > NESTING_MAX:
        raise Refused(None, "nested too deeply")
    try:
        body = json.loads(text, parse_float=_decimal, parse_int=_integer, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Refused(None, "not JSON") from None
    if not isinstance(body, dict):
        raise Refused(None, "not an object")
    return body


def _nesting(text: str) -> int:
    outside_strings = re.sub(r'"(?:[^"\\]++|\\.)*+"', "", text, flags=re.DOTALL)
    depth = deepest = 0
    for sign in outside_strings:
        if sign in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif sign in "]}":
            depth -= 1
    return deepest


def _integer(text: str) -> int:
    # Past any limit of the contract its digits do not matter, and Python refuses to read thousands of them.
    return int(text) if len(text) < 1_000 else int(text[:40]) * 10**40


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent past what Decimal holds
        return Decimal(0) if "e-" in text.lower() else Decimal("1e999")


def _no_constant(text: str) -> object:
    raise ValueError(text)


def _record(body: Mapping[str, Any], headers: Mapping[str, bytes]) -> Record:
    kind = filled(body, headers, "type", "ce_type")
    if kind is not None and kind != "cost-record":
        raise Refused("type", "unknown type")
    occurred = required(filled(body, headers, "occurred_at", "ce_time"), "occurred_at")
    occurred_us = parse_time(occurred)
    if occurred_us is None:
        raise Refused("occurred_at", "not a time")
    input_tokens = tokens_of(body, "input_tokens", None)
    cached = tokens_of(body, "cached_input_tokens", 0)
    if cached > input_tokens:
        raise Refused("cached_input_tokens", "more than input_tokens")
    return Record(
        source=source_of(headers),
        id=required(filled(body, headers, "id", "ce_id"), "id"),
        tenant_id=required(text_of(body, "tenant_id"), "tenant_id"),
        occurred_us=occurred_us,
        model=required(text_of(body, "model"), "model"),
        input_tokens=input_tokens,
        output_tokens=tokens_of(body, "output_tokens", None),
        cached_input_tokens=cached,
        is_retry=_flag(body, "is_retry"),
        given_nanousd=cost_of(body),
        provider=text_of(body, "provider"),
        user_id=text_of(body, "user_id"),
        feature_tag=text_of(body, "feature_tag"),
        request_id=text_of(body, "request_id"),
        workflow_id=text_of(body, "workflow_id"),
        skill_id=text_of(body, "skill_id"),
    )


def required(text: str | None, field: str) -> str:
    """Return *text*, which must be there."""
    if text is None:
        raise Refused(field, "missing")
    return text


def filled(body: Mapping[str, Any], headers: Mapping[str, bytes], field: str, header: str) -> str | None:
    """Return a member, or what a CloudEvents header says in its place."""
    text = text_of(body, field)
    if text is None and header in headers:
        return text_of({field: headers[header].decode("utf-8", "surrogateescape")}, field)
    return text


def source_of(headers: Mapping[str, bytes]) -> str:
    """Return the CloudEvents source, "" when there is none."""
    source = headers.get("ce_source", b"")
    return text_of({"source": source.decode("utf-8", "surrogateescape")}, "source", least=0) or ""


def text_of(body: Mapping[str, Any], field: str, *, least: int = 1, most: int = TEXT_MAX) -> str | None:
    """Return a member of so many characters, or None when it is null or absent."""
    text = body.get(field)
    if text is None:
        return None
    if not isinstance(text, str):
        raise Refused(field, "not a string")
    if not least <= len(text) <= most:
        raise Refused(field, "length")
    if any(sign == "\0" or "\ud800" <= sign <= "\udfff" for sign in text):
        raise Refused(field, "NUL or lone surrogate")
    return text


def tokens_of(body: Mapping[str, Any], field: str, default: int | None) -> int:
    """Return a count of tokens; without a *default* it must be there."""
    count = body.get(field)
    if count is None:
        if default is None:
            raise Refused(field, "missing")
        return default
    if type(count) is not int or not 0 <= count <= TOKENS_MAX:
        raise Refused(field, "not a count")
    return count


def _flag(body: Mapping[str, Any], field: str) -> bool:
    flag = body.get(field)
    if flag is None:
        return False
    if not isinstance(flag, bool):
        raise Refused(field, "not a boolean")
    return flag


def cost_of(body: Mapping[str, Any]) -> int | None:
    """Return `cost_cents` in nano-USD, or None when nobody said."""
    cents = body.get("cost_cents")
    if cents is None:
        return None
    if isinstance(cents, bool) or not isinstance(cents, int | Decimal):
        raise Refused("cost_cents", "not a number")
    if not 0 <= cents <= CENTS_MAX:
        raise Refused("cost_cents", "out of range")
    nanousd = _WIDE.multiply(Decimal(cents), Decimal(NANOUSD_PER_CENT))
    return int(nanousd.to_integral_value(rounding=ROUND_HALF_EVEN))
