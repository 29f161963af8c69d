"""Records that must end as dead letters, each with exactly one fault (CONTRACT §1)."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.generated.dice import Dice
from tests.generated.events import SECOND_US, instant_text
from tests.oracle import LogRecord

FUTURE_US = 300 * SECOND_US

# By the field to blame: JSON texts that it may not have. None as a text: the field is left out.
FAULTS: dict[str, list[str | None]] = {
    "type": ['"run-started"', '"COST-RECORD"', '""', "1"],
    "id": [None, '""', "7", '"a\\u0000b"', '"\\ud800"', f'"{"i" * 257}"', "[]"],
    "tenant_id": [None, "null", '""', "{}", '"\\udfff\\ud800"'],
    "occurred_at": [
        None,
        '""',
        "1767225600",
        '"2026-01-01"',
        '"2026-01-01T00:00:00"',
        '"2026-01-01 00:00:00Z"',
        '"2026-01-01T23:59:60Z"',
        '"2026-01-01T24:00:00Z"',
        '"2026-02-30T00:00:00Z"',
        '"2026-01-01T00:00:00.Z"',
        '"1969-12-31T23:59:59.999999Z"',
        '"9999-01-01T00:00:00Z"',
        '"1970-01-01T00:30:00+01:00"',
        '"2026-01-01T00:00:00+0100"',
    ],
    "model": [None, '""', "false"],
    "input_tokens": [None, "-1", "1.0", "1e3", '"5"', "true", "1000000000001", "9" * 5_000],
    "output_tokens": [None, "-1", "0.5", "[]", "1000000000001"],
    "cached_input_tokens": ["1000000000000", "-1", "0.0", '"0"'],
    "is_retry": ['"true"', "1", "0"],
    "cost_cents": ["-1", "-0.00000001", '"5"', "true", "100000000.00000001", "1e400", "1e99999999999999999999"],
    "user_id": ['""', "1", f'"{"ü" * 257}"'],
    "feature_tag": ['""', '"\\u0000"'],
    "provider": ["{}"],
}
_NO_RECORD: list[bytes] = [
    b"{",
    b"[]",
    b"7",
    b'"{}"',
    b"null",
    b"not json",
    b"\xff\xfe",
    b"\xef\xbb\xbf{}",
    b'{"id":NaN}',
    b'{"id":"\x01"}',
    b"[" * 513 + b"]" * 513,
]


def spoiled(entry: LogRecord, dice: Dice, *, file: bool = False) -> LogRecord:
    """Return a copy of a good record with one fault; its key and append time stay."""
    faults: list[Callable[[], bytes | None]] = [
        lambda: faulty(entry, *_drawn(dice)),
        lambda: faulty(entry, *_drawn(dice)),
        lambda: faulty(entry, *_drawn(dice)),
        lambda: dice.one_of(_NO_RECORD),
        lambda: _spliced(entry, '"later":' + "[" * 512 + "]" * 512),
        lambda: (entry.value or b"").replace(b'"model":"', b'"model":"\xed\xa0\x80'),
    ]
    if not file:
        faults.append(lambda: None)
    value = dice.one_of(faults)()
    if entry.append_us is not None and dice.whole(0, 5) == 0:
        value = faulty(entry, "occurred_at", json.dumps(instant_text(entry.append_us + FUTURE_US + 1)))
    return replace(entry, value=value, headers=())


def every_fault(entry: LogRecord) -> list[bytes | None]:
    """Return a value for each fault there is, most of them made of the good record *entry*."""
    return [
        *(faulty(entry, field, text) for field, texts in FAULTS.items() for text in texts),
        *_NO_RECORD,
        _spliced(entry, '"later":' + "[" * 513 + "]" * 513),
        b"",
        None,
    ]


def _drawn(dice: Dice) -> tuple[str, str | None]:
    field = dice.one_of(list(FAULTS))
    return field, dice.one_of(FAULTS[field])


def faulty(entry: LogRecord, field: str, text: str | None) -> bytes:
    """Return the value of *entry* with *text* as the JSON of *field*; None leaves it out."""
    body: dict[str, Any] = json.loads(entry.value or b"{}")
    body.pop("cost_cents", None)  # a double by now; a faulty record needs none
    body.pop("later_field", None)  # no Python value stands for what it holds
    for name, header in {"id": "ce_id", "occurred_at": "ce_time"}.items():
        body.setdefault(name, dict(entry.headers).get(header, b"x").decode())
    if field == "cached_input_tokens":
        body["input_tokens"] = 10
    body.pop(field, None)
    whole = json.dumps(body, ensure_ascii=False)
    if text is None:
        return whole.encode()
    return (whole[:-1] + f',"{field}":{text}}}').encode()


def _spliced(entry: LogRecord, text: str) -> bytes:
    return (entry.value or b"{}")[:-1] + b"," + text.encode() + b"}"
