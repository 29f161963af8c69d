"""Cost records of one tenant, written by hand."""

import json
from collections.abc import Sequence
from typing import Any

from tests.oracle import Line, LogRecord, Outcome, comparable, parse_time

MARCH_4 = 20_516  # 2026-03-04, in days since the epoch


def record(at: str, cents: str | None = None, append_us: int | None = None, **more: Any) -> LogRecord:
    body = {"id": at, "tenant_id": "acme", "occurred_at": at, "model": "m", "input_tokens": 3, "output_tokens": 4}
    text = json.dumps(body | more)
    if cents is not None:
        text = f'{text[:-1]},"cost_cents":{cents}}}'
    return LogRecord(text.encode(), append_us=append_us)


def days(costs: dict[str, str], **more: Any) -> list[LogRecord]:
    return [record(f"{day}T12:00:00Z", cents, **more) for day, cents in sorted(costs.items())]


def at_us(text: str) -> int:
    instant = parse_time(text)
    assert instant is not None
    return instant


def fates(outcome: Outcome) -> list[str]:
    return [judged.late_reason or judged.fate for judged in outcome.fates]


def of(lines: Sequence[Line], **wanted: Any) -> Line:
    (line,) = [line for line in lines if all(line[name] == value for name, value in wanted.items())]
    return line


def outputs(outcome: Outcome) -> list[list[Line]]:
    return [[comparable(line) for line in lines] for lines in (outcome.snapshots, outcome.anomalies, outcome.facts)]


def counts(outcome: Outcome) -> dict[str, int]:
    return {name: outcome.summary[name] for name in ("events", "accepted", "duplicates", "conflicting", "dead", "late")}
