"""Workers killed at random moments."""

from __future__ import annotations

import time
from contextlib import ExitStack

from tests.chaos.arena import Arena
from tests.chaos.measured import NOTHING, Measured
from tests.chaos.outcome import Outcome
from tests.end_to_end import records
from tests.end_to_end.broker import Sent
from tests.end_to_end.deployment import LEAVE_S, Deployment, Worker

NAME = "kills"
_WORKERS = 3
_ROUND_S = 80.0
_KILLS = 50
"""At least so many in the long run."""
_RICH_SEEDS = 100
_EVER = "--effective-from 2020-01-01T00:00:00Z"
_BETWEEN_S = (0.1, 4.0)
_AT_WORK = 0.5
"""The share of the kills that wait for progress: without any, the group does nothing but meet."""
_CHUNKS = (7, 50, 1000)


def run(arena: Arena) -> Outcome:
    """Kill workers at random moments, round after round, each on a deployment of its own."""
    rounds = max(1, round(arena.seconds / _ROUND_S))
    least = arena.number(_KILLS) // rounds + 1
    total, kills, stall_s = NOTHING, 0, 0.0
    for number in range(rounds):
        arena.say(f"round {number + 1} of {rounds}, {kills} kills")
        with arena.deployment() as deployment:
            stream = _small(arena, rounds) if number % 2 else _rich(arena, deployment)
            struck, longest_s, found = _round(arena, deployment, stream, least, arena.seconds / rounds)
        total, kills, stall_s = total + found, kills + struck, max(stall_s, longest_s)
    return Outcome(NAME, kills, kills, *total, stall_s, f"{rounds} rounds with {_WORKERS} workers")


def _small(arena: Arena, rounds: int) -> list[Sent]:
    return arena.stream(arena.events(arena.seconds / rounds))


def _rich(arena: Arena, deployment: Deployment) -> list[Sent]:
    """Return a stream on which all rules have something to say, under settings of its tenants."""
    stream = records.rich(*arena.random.sample(range(_RICH_SEEDS), 3))
    commands = [f"rules set unpriced_requests_min 10 {_EVER}"]
    for tenant in stream.tenants.values():
        daily, monthly = arena.random.choice([1, 30, 100]), arena.random.choice([200, 700, 5000])
        commands.append(
            f"budgets set --tenant {tenant} --type tenant --daily-usd {daily} --monthly-usd {monthly} {_EVER}"
        )
        commands.append(f"rules set spike_pct {arena.random.choice([130, 140, 200])} --tenant {tenant} {_EVER}")
    if arena.databases > 1:
        with deployment.worker():
            deployment.claimed()  # before that, which of them is a tenant's is not known
    deployment.outlay(*commands)
    return stream.records


def _round(
    arena: Arena, deployment: Deployment, stream: list[Sent], least: int, seconds: float
) -> tuple[int, float, Measured]:
    kills = 0
    with ExitStack() as held:

        def one() -> Worker:
            return held.enter_context(deployment.worker(chunk_records=arena.random.choice(_CHUNKS)))

        workers = [one() for _ in range(_WORKERS)]
        deployment.at_work(*workers)
        with arena.load(deployment, stream, seconds), arena.stalls(deployment) as stalls:
            deployment.reached(1)
            until = time.monotonic() + seconds - _BETWEEN_S[1]
            while time.monotonic() < until or kills < least:
                time.sleep(arena.random.uniform(*_BETWEEN_S))  # the moment is the fault
                if arena.random.random() < _AT_WORK:
                    deployment.reached(min(deployment.events + 1, len(stream)))
                workers.pop(0).kill()
                kills += 1
                arena.say(f"{kills} kills")
                workers.append(one())
        found = arena.measured(deployment)
        deployment.at_work(*workers)
        assert all(worker.stop() < LEAVE_S for worker in workers)
    return kills, stalls.longest_s, found
