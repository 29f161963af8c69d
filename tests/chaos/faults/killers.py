"""Records that kill the process which folds them: dead letters after the configured tries, and nothing else is."""

from __future__ import annotations

import base64
import json
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Final

from streams.limits import ShellLimits
from tests import oracle
from tests.chaos import deadly
from tests.chaos.arena import Arena
from tests.chaos.measured import Measured, counted
from tests.chaos.outcome import Outcome
from tests.end_to_end import broker, exact, records
from tests.end_to_end.broker import Sent
from tests.end_to_end.deployment import LEAVE_S, Deployment, Worker

NAME = "killers"
_PROGRAM: Final = (sys.executable, "-m", "tests.chaos.deadly")
_SPOILED: Final = b"not json"
_DIED: Final = "the process died"
_WHOLE = 6
"""Killers in the long run; each costs some seven deaths of a worker and as many sessions."""
_WORKERS = 2
_CHUNK, _SMALL_CHUNK = 50, 8
"""Records a step; with fewer a killer is found after fewer deaths."""
_LOAD_S: Final = 60.0
_PATIENCE_S: Final = 60.0
_EACH_S: Final = 90.0


def run(arena: Arena) -> Outcome:
    """Send a stream with killers in it, and keep starting workers until it is taken in."""
    killers = arena.number(_WHOLE)
    stream = arena.stream(arena.events(min(arena.seconds, _LOAD_S)))
    deadly_ones = _killers(arena, stream, killers)
    with arena.deployment() as deployment, ExitStack() as held:

        def one() -> Worker:
            return held.enter_context(deployment.worker(chunk_records=_CHUNK if killers > 1 else _SMALL_CHUNK))

        deployment.program = _PROGRAM
        workers = [one() for _ in range(_WORKERS)]
        seconds = min(arena.seconds, _LOAD_S)
        with (
            arena.load(deployment, stream, seconds),
            broker.load(deployment.bootstrap, deadly_ones, rate=killers / seconds),  # at home: none is forwarded
            arena.stalls(deployment) as stalls,
        ):
            deaths = _kept_alive(arena, deployment, workers, one, killers)
        exact.settled(deployment, _PATIENCE_S)
        found = _counted(exact.left(deployment))
        deployment.at_work(*workers)
        assert all(worker.stop() < LEAVE_S for worker in workers)
    note = f"{killers} killers are dead letters after {deaths} deaths; nothing else is"
    return Outcome(NAME, killers, deaths, *found, stalls.longest_s, note)


def _killers(arena: Arena, stream: list[Sent], killers: int) -> list[Sent]:
    """Return copies of some records of *stream* that have the id of a killer, to be sent to where they belong."""
    sound = [(value or b"", name) for _, value, headers in stream if (name := _named(value, headers))]
    renamed = [
        (None, value.replace(name, b'"id":"%s%d"' % (deadly.KILLER.encode(), number)), ())
        for number, (value, name) in enumerate(arena.random.sample(sound, killers))
    ]
    return records.at_home(renamed)


def _named(value: bytes | None, headers: tuple[tuple[str, bytes], ...]) -> bytes:
    """Return how a record that can be read says its id; nothing where it does so in another way."""
    record = oracle.decode(value, headers)
    if not isinstance(record, oracle.Record) or headers:
        return b""
    name = b'"id":"%s"' % record.id.encode()
    return name if (value or b"").count(name) == 1 else b""


def _kept_alive(
    arena: Arena, deployment: Deployment, workers: list[Worker], one: Callable[[], Worker], killers: int
) -> int:
    """Start a worker for each that died until all killers are dead letters; return how many died."""
    deaths, until = 0, time.monotonic() + killers * _EACH_S + arena.seconds
    while _buried(deployment) < killers:
        assert time.monotonic() < until, f"after {deaths} deaths {_buried(deployment)} of {killers} are dead letters"
        for worker in [worker for worker in workers if worker.failed]:
            worker.kill()  # dead already: so that nobody takes it for one that failed
            workers.remove(worker)
            workers.append(one())
            deaths += 1
            arena.say(f"death {deaths}")
        time.sleep(0.2)
    return deaths


def _buried(deployment: Deployment) -> int:
    """Return how many killers are dead letters."""
    lines = [json.loads(one.value or b"{}") for one in broker.read(deployment.bootstrap, "dead-letters")]
    return len(
        {
            (line["partition"], line["offset"])
            for line in lines
            if _is_killer(base64.b64decode(line["value_base64"] or ""))
        }
    )


def _is_killer(value: bytes | None) -> bool:
    return b'"id":"' + deadly.KILLER.encode() in (value or b"")


def _counted(found: exact.Left) -> Measured:
    """Hold what was *found* against the oracle, for whom killers are unreadable."""
    at = {(entry.partition, entry.offset) for entry in found.log if _is_killer(entry.value)}
    log = [replace(entry, value=_SPOILED) if (entry.partition, entry.offset) in at else entry for entry in found.log]
    reasons = {line["reason"] for line in found.dead if (line["partition"], line["offset"]) in at}
    tries = ShellLimits().deaths_before_dead_letter
    assert reasons == {f"{_DIED} {tries} times while it was being processed"}, reasons
    others = [line for line in found.dead if (line["partition"], line["offset"]) not in at and _DIED in line["reason"]]
    assert not others, f"{len(others)} records that kill nobody are dead letters, too: {others[:2]}"
    spoiled = {"value_base64": base64.b64encode(_SPOILED).decode()}
    dead = [line | spoiled if (line["partition"], line["offset"]) in at else line for line in found.dead]
    return counted(replace(found, log=log, dead=dead))
