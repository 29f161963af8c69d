"""Events that are late, out of order, of the future, or of days that are closed."""

from __future__ import annotations

import json
import time

from engines.core.time import US_PER_DAY, US_PER_HOUR, US_PER_SECOND, format_instant
from streams import fates
from tests import oracle
from tests.chaos.arena import Arena
from tests.chaos.outcome import Outcome
from tests.end_to_end.broker import Sent
from tests.end_to_end.deployment import LEAVE_S

NAME = "untimely"
_SHUFFLED = 12
"""Records within so many places come in any order."""
_PUT_OFF = 1 / 15
_FUTURE = 1 / 50
_FUTURE_US = (US_PER_HOUR, 2 * US_PER_DAY, 400 * US_PER_DAY)
_SOON_US = 200 * US_PER_SECOND
"""Not yet the future: producers' clocks may be ahead by five minutes."""
_SOON = 5
_PATIENCE_S = 120.0


def run(arena: Arena) -> Outcome:
    """Send a stream in disorder; what is of the future is refused, what is of closed days counts there."""
    stream = _disordered(arena, arena.stream(arena.events(arena.seconds)))
    now_us = int(time.time()) * US_PER_SECOND
    future = [
        _record(f"future-{n}", now_us + arena.random.choice(_FUTURE_US)) for n in range(int(len(stream) * _FUTURE) + 1)
    ]
    for one in future:
        stream.insert(arena.random.randrange(len(stream)), one)
    # Last, for they move their tenant's watermark past everything else of it.
    soon = [_record(f"soon-{n}", now_us + _SOON_US) for n in range(_SOON)]
    with arena.deployment() as deployment, deployment.worker(chunk_records=50) as first, deployment.worker() as second:
        deployment.at_work(first, second)
        with arena.load(deployment, stream, arena.seconds), arena.stalls(deployment) as stalls:
            deployment.eventually(
                lambda: deployment.events >= len(stream) // 2 or None, "half is taken in", arena.seconds + _PATIENCE_S
            )
        with arena.load(deployment, soon, 1.0):
            deployment.reached(deployment.events + 1)
        left, found = arena.looked(deployment)
        assert first.stop() < LEAVE_S
        assert second.stop() < LEAVE_S
    refused = sum(line["reason"] == "future" for line in left.dead)
    assert refused == len(future), f"{refused} of {len(future)} records of the future are refused"
    late, restated = left.counts.get("late", 0), left.counts.get(fates.RESTATED, 0)
    assert restated, "nothing came after its day's close: this proves little"
    note = f"{restated} restated, {late} too late, {refused} of the future refused"
    return Outcome(NAME, restated + late + refused, 0, *found, stalls.longest_s, note)


def _disordered(arena: Arena, stream: list[Sent]) -> list[Sent]:
    """Return *stream* shuffled within a few places, and some records put off to anywhere later."""
    places = [place + arena.random.uniform(0, _SHUFFLED) for place in range(len(stream))]
    for place in range(len(stream)):
        if arena.random.random() < _PUT_OFF:
            places[place] = arena.random.uniform(place, len(stream))
    return [sent for _, sent in sorted(zip(places, stream, strict=True), key=lambda one: one[0])]


def _record(name: str, occurred_us: int) -> Sent:
    """Return a record of a tenant of its own."""
    tenant = f"ahead-{name.split('-', maxsplit=1)[0]}"
    body = {
        "id": name,
        "tenant_id": tenant,
        "occurred_at": format_instant(occurred_us),
        "model": "gpt-4o",
        "input_tokens": 10,
        "output_tokens": 10,
    }
    value = json.dumps(body).encode()
    assert isinstance(oracle.decode(value, ()), oracle.Record)
    return tenant.encode(), value, ()
