"""Cost records as producers write them, in one of several spellings that mean the same."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.oracle import LogRecord

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
USD = 10**9
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Event:
    """A cost record to be written; `cost_nanousd` None leaves `cost_cents` out."""

    tenant_id: str
    user_id: str | None
    feature_tag: str | None
    model: str
    occurred_us: int
    cost_nanousd: int | None
    id: str = ""
    more: dict[str, Any] = field(default_factory=dict)
    lag_us: int = 0

    def written(self, style: int) -> LogRecord:
        """Return the record, in one of several spellings that mean the same."""
        return LogRecord(json_text(_body(self, style)))


class Raw(str):
    """A number as it is written; JSON has more spellings of it than Python."""

    __slots__ = ()


def json_text(body: dict[str, Any]) -> bytes:
    """Return the compact JSON of a flat object whose numbers may be `Raw`."""
    parts = (
        f"{json.dumps(name)}:{value if isinstance(value, Raw) else json.dumps(value, ensure_ascii=False)}"
        for name, value in body.items()
    )
    return ("{" + ",".join(parts) + "}").encode()


def _body(event: Event, style: int) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": event.id,
        "tenant_id": event.tenant_id,
        "occurred_at": _time(event.occurred_us, style),
        "model": event.model,
        "user_id": event.user_id,
        "feature_tag": event.feature_tag,
        **event.more,
    }
    if style % 2:
        body = {name: value for name, value in body.items() if value is not None}
    if style == 3:
        body = {"type": "cost-record", "later_field": Raw('{"x":[1e400,"\\ud800",null]}')} | body
    if event.cost_nanousd is not None:
        body["cost_cents"] = Raw(_cents(event.cost_nanousd, style))
    return body


def _time(at_us: int, style: int) -> str:
    at = _EPOCH + timedelta(microseconds=at_us)
    if style == 5:
        ahead = (at + timedelta(hours=5, minutes=30)).strftime("%Y-%m-%dT%H:%M:%S.%f")
        return f"{ahead}+05:30"
    digits = "" if at.microsecond == 0 and style != 4 else f".{at.microsecond:06d}"
    if style == 4:
        digits += "9999"  # past microseconds: cut
    return at.strftime("%Y-%m-%dt%H:%M:%S" if style == 6 else "%Y-%m-%dT%H:%M:%S") + digits + "zZ"[style != 6]


def _cents(nanousd: int, style: int) -> str:
    match style:
        case 2:
            return f"{nanousd}e-7"
        case 4:  # half a nano-USD more, rounded to the even one; an odd one must not reach it
            return f"{Decimal(nanousd * 10 + (4 if nanousd % 2 else 5)).scaleb(-8):f}"
        case 6:
            return f"{Decimal(nanousd).scaleb(-7):f}000"
        case _:
            return f"{Decimal(nanousd).scaleb(-7).normalize():f}"


def instant_text(at_us: int) -> str:
    """Return the instant in the plainest spelling."""
    return _time(at_us, 0)
