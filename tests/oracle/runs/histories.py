"""Run logs made from a seed: the events of `making`, with disorder, copies, conflicts, late ones, refused ones."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from hypothesis import strategies as st

from tests.oracle.records import NANOUSD_PER_CENT, LogRecord
from tests.oracle.runs.making import DISORDER_MAX_US, Event, Making, Shape
from tests.oracle.runs.record import Run
from tests.oracle.runs.record import decode as decode_run

ANY = Shape()
SPOILED: tuple[bytes | None, ...] = (
    None,
    b"",
    b"[]",
    b"{",
    b'{"type":"run-paused"}',
    b'{"type":"run-failed","run_id":"","tenant_id":"acme","worker_id":"w","occurred_at":"2026-03-04T00:00:00Z"}',
)


def build(random: Random, shape: Shape = ANY) -> list[LogRecord]:
    """Return a history, unplaced, in the order of its append."""
    history = Making(random, shape)
    for _ in range(random.randint(1, shape.runs_max)):
        history.add()
    events = [*history.events, *_copies(history)]
    events.sort(key=lambda event: event.at_us + event.lag_us)
    log = [event.record(random, shape) for event in events]
    if shape.spoiled:
        for _ in range(random.randint(0, 3)):
            at = random.randrange(len(log))
            log.insert(at, LogRecord(random.choice(SPOILED), (), log[at].append_us))
    return log


def _copies(history: Making) -> list[Event]:
    random, copies = history.random, []
    for event in random.sample(history.events, len(history.events) // 6):
        copy = Event(event.at_us, dict(event.body), event.nanousd, history.lag(), event.source)
        if history.shape.conflicting and random.random() < 0.3:
            copy.nanousd = random.choice([None, 1, 500 * NANOUSD_PER_CENT])
        copies.append(copy)
    return copies


def make_history(seed: int, shape: Shape = ANY) -> list[LogRecord]:
    """Return the history of a seed, unplaced, in the order of its append."""
    return build(Random(seed), shape)


def histories(shape: Shape = ANY) -> st.SearchStrategy[list[LogRecord]]:
    """Draw a history by its seed, so that what fails can be made again, and is quickly made smaller."""
    return st.integers(0, 1 << 32).map(lambda seed: make_history(seed, shape))


def disordered(log: Sequence[LogRecord], random: Random) -> list[LogRecord]:
    """Return the same records in another order in which none is late; those with append times get new ones.

    Refused records go anywhere.
    """
    runs = [decode_run(entry.value, entry.headers) for entry in log]
    times = [run.occurred_us for run in runs if isinstance(run, Run)]
    if not times:
        return list(log)
    arrivals = [
        (run.occurred_us if isinstance(run, Run) else random.choice(times)) + random.randint(0, DISORDER_MAX_US)
        for run in runs
    ]
    order = sorted(range(len(log)), key=lambda at: arrivals[at])
    return [replace(log[at], append_us=None if log[at].append_us is None else arrivals[at]) for at in order]
