"""Workers told to end (SIGTERM) under load, one after the other, some of them while they catch up."""

from __future__ import annotations

import time
from statistics import median

from tests.chaos.arena import Arena
from tests.chaos.outcome import Outcome
from tests.end_to_end.deployment import LEAVE_S

NAME = "leaving"
_TIMES = 40
_TIMES_LEAST = 3
_ROUND_S = 4.0
_BACKLOG = 400
_CHUNKS = (20, 500, 5_000)


def run(arena: Arena) -> Outcome:
    """Stop a worker at a random moment, again and again, while another goes on and more is sent."""
    times = max(_TIMES_LEAST, min(arena.number(_TIMES), int(arena.seconds / _ROUND_S)))
    seconds = times * _ROUND_S
    stream = arena.stream(_BACKLOG + arena.events(seconds))
    took: list[float] = []
    undone = 0
    with arena.deployment(publish_snapshots=True) as deployment:
        with arena.load(deployment, stream[:_BACKLOG], 1.0):
            pass  # the first worker meets a log that is full
        with arena.load(deployment, stream[_BACKLOG:], seconds), arena.stalls(deployment) as stalls:
            for number in range(times):
                arena.say(f"{number} of {times} have left")
                with deployment.worker(chunk_records=arena.random.choice(_CHUNKS)) as worker:
                    deployment.at_work(worker)
                    time.sleep(arena.random.uniform(0, _ROUND_S / 2))  # the moment is the fault
                    took.append(worker.stop())
                assert "stopped" in worker.said.splitlines()[-1], worker.said[-2000:]
                assert "Traceback" not in worker.said, worker.said[-4000:]
                undone += "left with work undone" in worker.said
        with deployment.worker():
            found = arena.measured(deployment)
    assert max(took) < LEAVE_S, f"a worker took {max(took):.1f} s to leave"
    note = f"left after {median(took):.1f} s, {max(took):.1f} s at most; {undone} left work undone"
    return Outcome(NAME, times, 0, *found, stalls.longest_s, note)
