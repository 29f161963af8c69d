"""Workers that serve both domains, killed at random moments, while people acknowledge feedback."""

from __future__ import annotations

import time
from contextlib import ExitStack

from tests.chaos.arena import Arena
from tests.chaos.measured import Measured
from tests.chaos.outcome import Outcome
from tests.end_to_end import database, exact_runs, records
from tests.end_to_end.broker import Sent
from tests.end_to_end.deployment import LEAVE_S, Deployment, Worker
from tests.oracle.runs import Line, telling

NAME = "runs"
_WORKERS = 2
_KILLS = 20
"""At least so many in the long run."""
_BETWEEN_S = (0.1, 3.0)
_CHUNKS = (7, 50, 1000)
_COSTS_SHARE = 0.5
_KIND = "acknowledgement"
_OVER = "only what is active can be acknowledged"
_EVENTS_OF_A_HISTORY = 200


def run(arena: Arena) -> Outcome:
    """Kill workers while costs and runs come in; both must be exact, each by its own oracle."""
    kills = said = 0
    costs = arena.stream(round(arena.events(arena.seconds) * _COSTS_SHARE))
    histories = max(2, len(costs) // _EVENTS_OF_A_HISTORY)
    runs = records.of_runs(arena.random.randrange(10**6), histories, _EVENTS_OF_A_HISTORY)
    with arena.deployment(domains="all") as deployment, ExitStack() as held:

        def one() -> Worker:
            return held.enter_context(deployment.worker(chunk_records=arena.random.choice(_CHUNKS)))

        workers = [one() for _ in range(_WORKERS)]
        deployment.at_work(*workers)
        with (
            arena.load(deployment, costs, arena.seconds),
            arena.load(deployment, runs, arena.seconds, "runs"),
            arena.stalls(deployment) as stalls,
        ):
            deployment.reached(1)
            until = time.monotonic() + arena.seconds - _BETWEEN_S[1]
            while time.monotonic() < until or kills < arena.number(_KILLS, 3):
                time.sleep(arena.random.uniform(*_BETWEEN_S))  # the moment is the fault
                said += _acknowledge(arena, deployment)
                workers.pop(0).kill()
                kills += 1
                arena.say(f"{kills} kills, {said} acknowledged")
                workers.append(one())
        found = arena.measured(deployment) + _of_runs(deployment, runs)
        deployment.at_work(*workers)
        assert all(worker.stop() < LEAVE_S for worker in workers)
    return Outcome(NAME, kills, kills, *found, stalls.longest_s, f"{len(runs)} events of runs, {said} acknowledged")


def _acknowledge(arena: Arena, deployment: Deployment) -> int:
    """Acknowledge a failure pattern that is active, if there is one nobody has seen; return how many were."""
    rows = telling.highest(database.told_of_runs(deployment.database_url)).values()
    seen = [row.body["feedback_id"] for row in database.settings(deployment.database_url) if row.kind == _KIND]
    active = [line for line in rows if _stands(line) and line["feedback_id"] not in seen]
    if not active:
        return 0
    line = arena.random.choice(active)
    try:
        deployment.outlay(f"feedback acknowledge {line['feedback_id']} --by somebody")
    except AssertionError as refused:
        if _OVER not in str(refused):  # it may end meanwhile
            raise
        return 0
    return 1


def _stands(line: Line) -> bool:
    return line.get("pattern_type") == "failure_pattern" and bool(line["active"])


def _of_runs(deployment: Deployment, sent: list[Sent]) -> Measured:
    """Return what is wrong with what is told of runs."""
    found = exact_runs.left(deployment)
    assert found.count("events") >= len(sent)
    wrong = exact_runs.problems(found)
    assert wrong == [], wrong[:2]
    return Measured(found.count("events"), 0, 0, 0)
