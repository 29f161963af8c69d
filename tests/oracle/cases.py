"""Cost records of one tenant, written by hand."""

import json
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from tests.oracle import Line, LogRecord, Outcome, Setting, comparable, parse_time

MARCH_4 = 20_516  # 2026-03-04, in days since the epoch


def record(at: str, cents: str | None = None, append_us: int | None = None, **more: Any) -> LogRecord:
    body = {"id": at, "tenant_id": "acme", "occurred_at": at, "model": "m", "input_tokens": 3, "output_tokens": 4}
    text = json.dumps(body | more)
    if cents is not None:
        text = f'{text[:-1]},"cost_cents":{cents}}}'
    return LogRecord(text.encode(), append_us=append_us)


def days(costs: dict[str, str], **more: Any) -> list[LogRecord]:
    return [record(f"{day}T12:00:00Z", cents, **more) for day, cents in sorted(costs.items())]


def series(first: str, costs: Sequence[str | None], **more: Any) -> list[LogRecord]:
    """One record a day from *first* on, at noon; None: a silent day."""
    start = date.fromisoformat(first)
    dated = {(start + timedelta(days=place)).isoformat(): cents for place, cents in enumerate(costs)}
    return days({day: cents for day, cents in dated.items() if cents is not None}, **more)


def many(day: str, count: int, cents: str | None, hour: int = 6, **more: Any) -> list[LogRecord]:
    """So many records of one day, a second apart."""
    return [record(f"{day}T{hour:02}:{n // 60:02}:{n % 60:02}Z", cents, **more) for n in range(count)]


def rule(name: str, value: Any, since: str | None = None, tenant_id: str = "*", **more: Any) -> Setting:
    return Setting("rule", tenant_id, None if since is None else at_us(since), {"name": name, "value": value}, **more)


def budget(entity: tuple[str, str], *, since: str | None = None, known: int | None = None, **body: Any) -> Setting:
    """A budget of acme; *known*: before this offset of partition 0, None: from the start."""
    whole = {"budget_type": entity[0], "entity_id": entity[1], "daily_limit_cents": None, "monthly_limit_cents": None}
    whole |= {"warn_threshold_pct": 80, "hard_limit_enabled": False, "is_active": True} | body
    known_before = {} if known is None else {0: known}
    return Setting("budget", "acme", None if since is None else at_us(since), whole, known_before)


def tag(name: str, *, active: bool = True, since: str | None = None, **more: Any) -> Setting:
    body = {"tag": name, "display_name": name, "is_active": active}
    return Setting("tag", "acme", None if since is None else at_us(since), body, **more)


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
