"""Every record delivered one to five times, at once and more than a day later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tests import oracle
from tests.chaos.arena import Arena
from tests.chaos.outcome import Outcome
from tests.end_to_end.broker import Sent
from tests.end_to_end.deployment import LEAVE_S, PARTITIONS
from tests.generated import Shape
from tests.generated.events import DAY_US
from tests.strategies import make_stream
from tests.streams.running import price

NAME = "copies"
_TIMES_MAX = 5
_SOON = 20
"""Places behind it that a copy sent at once may have."""
_YIELD = 2
_PATIENCE_S = 120.0


def run(arena: Arena) -> Outcome:
    """Send each record several times; everything counts as if each had come once."""
    once = _sound(arena, arena.events(arena.seconds) // 3)
    stream = _repeated(arena, once)
    with arena.deployment() as deployment, deployment.worker() as first, deployment.worker(chunk_records=50) as second:
        deployment.at_work(first, second)
        with arena.load(deployment, stream, arena.seconds), arena.stalls(deployment) as stalls:
            arena.say(f"sends {len(once)} records {len(stream)} times")
            deployment.eventually(
                lambda: deployment.events >= len(stream) // 2 or None, "half is taken in", arena.seconds + _PATIENCE_S
            )
        left, found = arena.looked(deployment)
        assert first.stop() < LEAVE_S
        assert second.stop() < LEAVE_S
    days = {
        (line["tenant_id"], line["start"]): line["requests"]
        for line in left.snapshots
        if (line["window"], line["entity_type"]) == ("day", "tenant")
    }
    assert days == _counted(once), "copies count, too"
    copies = len(stream) - len(once)
    return Outcome(NAME, copies, 0, *found, stalls.longest_s, f"{len(once)} records sent 1-{_TIMES_MAX} times")


def _sound(arena: Arena, events: int) -> list[Sent]:
    """Return a stream whose totals do not depend on the order of its records."""
    shape = Shape(records_max=events * _YIELD, tenants=12, conflicts=False, late=False, append="none")
    found: list[Sent] = []
    while len(found) < events // 2:
        log = make_stream(arena.random.randrange(10**6), shape)
        found = [(entry.key, entry.value, entry.headers) for entry in log][:events]
    return found


def _repeated(arena: Arena, once: Sequence[Sent]) -> list[Sent]:
    """Return each of *once*, and copies of it: some soon after, some when its day and another are over."""
    placed: list[tuple[float, Sent]] = []
    reached = _times(once)
    for place, sent in enumerate(once):
        placed.append((place, sent))
        for _ in range(arena.random.randrange(_TIMES_MAX)):
            later = place + arena.random.randint(0, _SOON)
            if arena.random.random() < 1 / 2:
                later = next((at for at in range(place, len(once)) if reached[at] > reached[place] + DAY_US), len(once))
            placed.append((later + 0.5, sent))
    return [sent for _, sent in sorted(placed, key=lambda one: one[0])]


def _times(stream: Sequence[Sent]) -> list[int]:
    """Return for each place the latest time of an event up to there, in microseconds."""
    found, latest = [], 0
    for _, value, headers in stream:
        record = oracle.decode(value, headers)
        latest = max(latest, record.occurred_us) if isinstance(record, oracle.Record) else latest
        found.append(latest)
    return found


def _counted(once: Sequence[Sent]) -> dict[tuple[str, str], int]:
    """Return how many records each tenant's day has when each is delivered once."""
    log = [oracle.LogRecord(value, headers, None, key) for key, value, headers in once]
    outcome = oracle.evaluate(log, partitions=PARTITIONS, price=price)
    counts: Counter[tuple[str, str]] = Counter()
    for line in outcome.snapshots:
        if (line["window"], line["entity_type"]) == ("day", "tenant"):
            counts[line["tenant_id"], line["start"]] += line["requests"]
    return dict(counts)
