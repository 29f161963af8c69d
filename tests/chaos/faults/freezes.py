"""Workers that stand still past their session and then go on: anywhere, and inside their transaction."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Final, Literal

from tests.chaos.arena import Arena
from tests.chaos.outcome import Outcome
from tests.end_to_end import brake, freezing
from tests.end_to_end.deployment import LEAVE_S, SESSION_S, Deployment, Worker

NAME = "freezes"
_WORKERS = 2
_STEP_S = 16.0
"""About so long one takes: the session, what the successor waits for, and the way back."""
_STILL_S = SESSION_S + 2.0
_BACK_S: Final = 30.0
_AGAIN: Final = ("partitions taken",)
_FENCED: Final = ("left with work undone", "another worker owns it now")
_PLACES: Final[tuple[brake.Place | Literal["anywhere"], ...]] = ("anywhere", "before", "inside")


def run(arena: Arena) -> Outcome:
    """Stop workers, let them go on when others own what they had, and hold what they did then against the oracle."""
    times = max(len(_PLACES), round(arena.seconds / _STEP_S))
    stream = arena.stream(arena.events(times * _STEP_S))
    waits: list[float] = []
    with arena.deployment() as deployment, ExitStack() as held:
        brake.fit(deployment.database_url)
        workers = [held.enter_context(deployment.worker(**freezing.SETTINGS)) for _ in range(_WORKERS)]
        deployment.claimed()
        with arena.load(deployment, stream, times * _STEP_S), arena.stalls(deployment) as stalls:
            deployment.reached(1)
            for number in range(times):
                place = _PLACES[number % len(_PLACES)]
                arena.say(f"stop {number + 1} of {times}: {place}")
                said = {worker.log: len(worker.said) for worker in workers}
                if place == "anywhere":
                    stopped = arena.random.choice(workers)
                    _still(deployment, stopped)
                else:
                    stopped, wait_s = freezing.frozen(deployment, workers, place)
                    waits.append(wait_s)
                stopped.thaw()
                _back(deployment, stopped, said[stopped.log], _FENCED if place == "before" else _AGAIN)
        found = arena.measured(deployment)
        deployment.at_work(*workers)
        assert all(worker.stop() < LEAVE_S for worker in workers)
    note = f"stopped {', '.join(_PLACES)}; successors claimed all within {max(waits):.1f} s"
    return Outcome(NAME, times, 0, *found, stalls.longest_s, note)


def _still(deployment: Deployment, worker: Worker) -> None:
    """Stop *worker* wherever it is, until its session is over and others have gone on."""
    worker.freeze()
    time.sleep(_STILL_S)  # the fault itself
    deployment.reached(deployment.events + 1)


def _back(deployment: Deployment, worker: Worker, since: int, told: tuple[str, ...]) -> None:
    """Return once *worker* has said since then that it knows what happened, and has partitions again."""

    def looked() -> bool | None:
        said = worker.said[since:]
        return (any(one in said for one in told) and _AGAIN[0] in said) or None

    deployment.eventually(looked, "the stopped one is back", _BACK_S)
