"""Events for ``outlay replay`` in files, and what it says about them."""

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from engines.core.time import US_PER_DAY, format_instant, parse_instant
from tests.streams.commands import Ran

START_US = parse_instant("2026-03-01T00:00:00Z")
NOW = "2026-06-01T00:00:00Z"
FATES = ("accepted", "duplicates", "dead", "late", "forwarded")


def event(number: int, at_us: int, **members: Any) -> bytes:
    body = {
        "id": f"e{number}",
        "tenant_id": "acme",
        "occurred_at": format_instant(at_us),
        "model": "m",
        "input_tokens": 10,
        "output_tokens": 5,
        "cost_cents": 100,
    }
    return json.dumps(body | members).encode()


def month() -> list[tuple[int, bytes]]:
    """Return (event time, event): 20 days of three tenants, one of which spends ten times as much on two of them."""
    dice = random.Random(5)
    events = []
    for number in range(2_400):
        day, tenant = number // 120, f"tenant-{number % 3}"
        at_us = START_US + day * US_PER_DAY + dice.randrange(US_PER_DAY)
        cents = 1000 if day in {16, 17} and tenant == "tenant-1" else 100
        members = {"tenant_id": tenant, "user_id": f"u{number % 5}", "feature_tag": f"f{number % 2}"}
        events.append((at_us, event(number, at_us, cost_cents=cents, **members)))
    return sorted(events)


def written(path: Path, lines: Iterable[bytes]) -> Path:
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def read(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def adds_up(ran: Ran) -> bool:
    return sum(int(ran.summary[fate]) for fate in FATES) == int(ran.summary["events"])
