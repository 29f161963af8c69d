"""One event after the other, of what breaks programs that look at runs in windows.

Few tenants, workers and errors, so that everything fires; instants on, and a microsecond beside, the edges of windows,
hours, days and months; several events at one instant; costs on, and a nano-USD below, the thresholds of spikes and
overruns; runs that end twice; ids given and not; disorder.
"""

import json
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from tests.oracle.lines import instant
from tests.oracle.records import DAY_US, HOUR_US, NANOUSD_PER_CENT, SECOND_US, LogRecord, parse_time

MINUTE_US = 60 * SECOND_US
DISORDER_MAX_US = 65 * MINUTE_US
STARTS = ("2026-02-28T20:00:00Z", "2026-03-31T22:30:00Z", "2026-03-04T00:00:00Z", "2025-12-31T23:59:59.999999Z")
WINDOWS_US = (HOUR_US, *[DAY_US] * 8, 7 * DAY_US, 30 * DAY_US)
TENANTS = ("acme", "d", "größe", "c")
WORKERS = ("w", "w2", "zoë")


@dataclass(frozen=True)
class Shape:
    """What a history may hold.

    Attributes:
        runs_max: events, copies and spoiled ones not counted.
        append: with append times that follow the events.
        late: some come more than 65 minutes behind.
        conflicting: some copies differ.
        spoiled: some values are refused.
        foreign: some records have the key of another tenant.
        bare: no headers, as in a file.
    """

    runs_max: int = 60
    tenants: int = 2
    append: bool = False
    late: bool = True
    conflicting: bool = True
    spoiled: bool = True
    foreign: bool = False
    bare: bool = False

    def within_grace(self) -> "Shape":
        """Return the shape of histories whose end is the same in any order: nothing is late, no copies differ."""
        return replace(self, late=False, conflicting=False, foreign=False)


@dataclass
class Event:
    at_us: int
    body: dict[str, Any]
    nanousd: int | None
    lag_us: int
    source: bytes | None = None

    def record(self, random: Random, shape: Shape) -> LogRecord:
        """Return the event as a record; what it says may stand in headers instead."""
        body = {**self.body, "occurred_at": instant(self.at_us)}
        headers: list[tuple[str, bytes]] = []
        if not shape.bare and random.random() < 0.1:
            headers = [("ce_type", body.pop("type").encode()), ("ce_time", body.pop("occurred_at").encode())]
        if not shape.bare and self.source is not None:
            headers.append(("ce_source", self.source))
        text = json.dumps(body, ensure_ascii=random.random() < 0.5)
        if self.nanousd is not None:
            text = f'{text[:-1]},"cost_cents":{_cents(self.nanousd)}}}'
        arrival_us = self.at_us + self.lag_us
        key = random.choice(TENANTS).encode() if shape.foreign and random.random() < 0.1 else None
        return LogRecord(text.encode(), tuple(headers), arrival_us if shape.append else None, key)


@dataclass
class Making:
    """What was made so far; times only grow."""

    random: Random
    shape: Shape
    events: list[Event] = field(default_factory=list)
    costs: dict[tuple[str, str], list[int]] = field(default_factory=dict)

    def add(self) -> None:
        """Add one event."""
        random = self.random
        tenant_id, worker_id = random.choice(TENANTS[: self.shape.tenants]), random.choice(WORKERS[:1] * 4 + WORKERS)
        kind = random.choice(["failed"] * 4 + ["completed"] * 5 + ["crashed", "started"])
        kind = f"run-{kind}"
        body: dict[str, Any] = {"type": kind, "run_id": self._run_id(), "tenant_id": tenant_id}
        body["worker_id"] = worker_id
        copied = any(event.body["run_id"] == body["run_id"] and event.body["type"] == kind for event in self.events)
        if random.random() < 0.3 or (copied and not self.shape.conflicting):
            body["id"] = f"e{len(self.events)}"
        if kind == "run-failed" or random.random() < 0.1:
            body["error"] = self._error()
        nanousd = None
        if kind == "run-completed" or random.random() < 0.1:
            nanousd = self._cost(self.costs.setdefault((tenant_id, worker_id), []))
        source = b"elsewhere" if random.random() < 0.05 else None
        self.events.append(Event(self._time(), body, nanousd, self.lag(), source))

    def _run_id(self) -> str:
        known = [str(event.body["run_id"]) for event in self.events[-5:]]
        fresh = f"r{self.random.randint(0, 9)}-{len(self.events)}"
        return self.random.choice(known) if known and self.random.random() < 0.1 else fresh

    def _time(self) -> int:
        random = self.random
        if not self.events:
            return parse_time(random.choice(STARTS)) or 0
        now_us = self.events[-1].at_us
        edges = [now_us // span * span + span + off for span in (HOUR_US, DAY_US) for off in (-1, 0)]
        window_us = random.choice(WINDOWS_US)
        edges += [event.at_us + window_us + random.randint(-1, 1) for event in self.events[-6:]]
        steps = [
            1,
            MINUTE_US,
            0,
            0,
            1,
            SECOND_US,
            random.randint(1, HOUR_US),
            random.randint(1, 5 * MINUTE_US),
            MINUTE_US,
            HOUR_US,
        ]
        steps += [random.randint(1, 10 * MINUTE_US) for _ in range(6)] + [random.randint(1, 6 * HOUR_US)]
        step_us = now_us + random.choice(steps)
        return random.choice([edge for edge in edges if edge > now_us]) if random.random() < 0.12 else step_us

    def lag(self) -> int:
        random = self.random
        if self.shape.late and random.random() < 0.05:
            return random.choice([DISORDER_MAX_US + 1, 70 * MINUTE_US, 2 * DAY_US])
        return random.choice([0, 0, 0, 1, random.randint(0, DISORDER_MAX_US), DISORDER_MAX_US])

    def _error(self) -> str | None:
        number = self.random.randint(1, 10**6)
        return self.random.choice(
            [
                *[f"Timeout after {number} seconds"] * 6,
                f"run 550e8400-e29b-41d4-a716-{number:012d} of worker refused: quota é exceeded",
                f"DISK full at 2026-03-04T10:11:12Z on volume {'x' * 600}",
                "",
                None,
            ]
        )

    def _cost(self, known: list[int]) -> int:
        random = self.random
        options = [random.choice([0, 1, 100, 115, 120, 150, 333]) * NANOUSD_PER_CENT, random.randint(0, 10**10)]
        if len(known) >= 4:
            spike = -(-150 * sum(known) // (100 * len(known)))
            options += [spike, spike - 1, spike, spike - 1, sum(known) // len(known)]
        if len(known) >= 3:
            recent, before = known[-2:], known[:-2]
            third = _least_overrun(sum(before), len(before)) - sum(recent)
            options += [third, third - 1] if third > 1 else []
        cost = random.choice(options)
        if cost:
            known.append(cost)
        return cost


def _least_overrun(before: int, count: int) -> int:
    """Return the least sum of three runs that is an overrun of so many runs before."""
    low, high = 0, 10**15
    while low < high:
        middle = (low + high) // 2
        if 100 * (middle * count) ** 2 >= 130 * (3 * before) ** 2:
            high = middle
        else:
            low = middle + 1
    return low


def _cents(nanousd: int) -> str:
    whole, fraction = divmod(nanousd, NANOUSD_PER_CENT)
    return f"{whole}.{fraction:07d}" if fraction else f"{whole}"
