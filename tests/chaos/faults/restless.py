"""Members that join and leave every few seconds, in order or killed, on a topic of 64 partitions."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack

from tests.chaos.arena import Arena
from tests.chaos.outcome import Outcome
from tests.end_to_end.broker import Sent
from tests.end_to_end.deployment import LEAVE_S, Deployment, Worker
from tests.generated import Shape
from tests.strategies import make_stream

NAME = "restless"
PARTITIONS = 64
_EVERY_S = 3.0
_WHOLE_S = 60.0
_LEAST_S = 9.0
_FEWEST, _MOST = 1, 4
_JOINED = "working in group"
_KILLED = 0.2
"""The share of those leaving that do not say so."""
_YIELD = 3


def run(arena: Arena) -> Outcome:
    """Have a member come or go every three seconds, for a minute in the long run."""
    seconds = arena.duration(_WHOLE_S, _LEAST_S)
    stream = _stream(arena, arena.events(seconds))
    changes = left = kills = 0
    with arena.deployment(partitions=PARTITIONS) as deployment, ExitStack() as held:

        def one() -> Worker:
            return held.enter_context(deployment.worker(chunk_records=arena.random.choice([20, 500])))

        workers = [one(), one()]
        deployment.claimed()
        with arena.load(deployment, stream, seconds), arena.stalls(deployment) as stalls:
            deployment.reached(1)
            began = time.monotonic()
            while (now := time.monotonic()) < began + seconds or not left:
                time.sleep(max(0.0, began + changes * _EVERY_S - now))  # the fault's own beat
                if len(workers) == _FEWEST or (len(workers) < _MOST and arena.random.random() < 1 / 2):
                    workers.append(one())
                else:
                    leaving = arena.random.choice(_joined(deployment, workers))
                    workers.remove(leaving)
                    kills += _leave(arena, leaving)
                    left += 1
                changes += 1
                arena.say(f"change {changes}: {len(workers)} members")
        found = arena.measured(deployment)
        deployment.at_work(*workers)
        assert all(worker.stop() < LEAVE_S for worker in workers)
    note = f"{changes - left} members came and {left} went in {seconds:.0f} s, {PARTITIONS} partitions"
    return Outcome(NAME, changes, kills, *found, stalls.longest_s, note)


def _joined(deployment: Deployment, workers: Sequence[Worker]) -> list[Worker]:
    """Return those of *workers* that are members; one is, soon."""
    return deployment.eventually(
        lambda: [worker for worker in workers if _JOINED in worker.said] or None, "somebody has joined"
    )


def _leave(arena: Arena, leaving: Worker) -> int:
    """Have *leaving* leave, in order most times; return how many were killed."""
    if arena.random.random() < _KILLED:
        leaving.kill()
        return 1
    assert leaving.stop() < LEAVE_S
    return 0


def _stream(arena: Arena, events: int) -> list[Sent]:
    """Return a stream of many tenants, so that many partitions have work."""
    shape = Shape(records_max=events * _YIELD, tenants=33, append="none")
    log = make_stream(arena.random.randrange(10**6), shape)
    return [(entry.key, entry.value, entry.headers) for entry in log][:events]
