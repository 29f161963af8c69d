"""Fail-overs to a copy of the database that is seconds old: positions go back, and what was done is done again."""

from __future__ import annotations

import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

from tests.chaos.arena import Arena
from tests.chaos.outcome import Outcome
from tests.end_to_end import database
from tests.end_to_end.deployment import LEAVE_S, Deployment, Worker
from tests.stack import Stack

NAME = "failover"
_TIMES = 6
_ROUND_S = 9.0
_OLD_S = (1.0, 4.0)
"""How old the copy is, in seconds."""


def run(arena: Arena) -> Outcome:
    """Copy the database's folder, go on for seconds, lose the database, and go on with the copy."""
    times = arena.number(_TIMES)
    part = arena.events(_ROUND_S)
    stream = arena.stream(times * part)
    back, stall_s = [], 0.0
    with ExitStack() as on:
        stack = on.enter_context(arena.own_servers(with_broker=False))
        deployment = on.enter_context(arena.deployment(stack=stack, chunk_records=50))
        workers = [on.enter_context(deployment.worker()) for _ in range(2)]
        deployment.claimed()
        for number in range(times):
            arena.say(f"fail-over {number + 1} of {times}")
            sent = stream[number * part : (number + 1) * part]
            copy = _copied(stack, number)
            with arena.load(deployment, sent, _ROUND_S), arena.stalls(deployment) as stalls:
                deployment.reached(deployment.events + len(sent) // 4)
                time.sleep(arena.random.uniform(*_OLD_S))  # what the copy does not know of
                back.append(_failed_over(deployment, stack, copy, workers))
                deployment.reached(deployment.events + 1)
            stall_s = max(stall_s, stalls.longest_s)
        found = arena.measured(deployment)
        assert all(worker.stop() < LEAVE_S for worker in workers)
    said = "".join(worker.said for worker in workers)
    assert "Traceback" not in said, said[-4000:]
    assert "the database is not where we left it" in said
    return Outcome(NAME, times, times, *found, stall_s, f"went back by {', '.join(map(str, back))} offsets")


def _copied(stack: Stack, number: int) -> Path:
    """Copy the files of the database, of one moment: it is stopped for that."""
    assert stack.cluster is not None
    data = stack.cluster.data
    copy = data.parent / f"copy-{number}"
    stack.stop_postgres()
    subprocess.run(["cp", "-a", data, copy], check=True)
    stack.start_postgres()
    return copy


def _failed_over(deployment: Deployment, stack: Stack, copy: Path, workers: list[Worker]) -> int:
    """Lose the database, go on with its *copy*, and return how many offsets that went back."""
    assert stack.cluster is not None
    for worker in workers:
        worker.freeze()
    before = _offsets(deployment)
    stack.stop_postgres(kill=True)
    lost = copy.with_name(f"lost-{copy.name}")
    stack.cluster.data.rename(lost)
    copy.rename(stack.cluster.data)
    stack.start_postgres()
    after = _offsets(deployment)
    for worker in workers:
        worker.thaw()
    assert after < before, "the copy is not older"
    return before - after


def _offsets(deployment: Deployment) -> int:
    return sum(one.next_offset for one in database.progress(deployment.database_url).values())
