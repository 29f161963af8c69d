"""The broker restarted, killed, and gone for a minute, while records are sent."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack

from tests.chaos.arena import Arena
from tests.chaos.outcome import Outcome
from tests.end_to_end.deployment import LEAVE_S
from tests.stack import Stack

NAME = "broker-outage"
_AWAY_S, _AWAY_LEAST_S = 60.0, 4.0
_LOAD_S, _LOAD_LEAST_S = 25.0, 5.0
"""For each of them; what is not sent when the broker goes away is sent when it is back."""


def run(arena: Arena) -> Outcome:
    """Take the broker away in three ways; what was sent meanwhile waits with its producers."""
    away_s = arena.duration(_AWAY_S, _AWAY_LEAST_S)
    load_s = arena.duration(_LOAD_S, _LOAD_LEAST_S)
    with arena.own_servers() as stack, arena.deployment(stack=stack, chunk_records=50) as deployment, ExitStack() as on:
        workers = [on.enter_context(deployment.worker()) for _ in range(2)]
        deployment.claimed()
        faults = _faults(stack, away_s)
        part = arena.events(load_s)
        stream = arena.stream(len(faults) * part)
        notes, stall_s = [], 0.0
        for number, (what, disturb) in enumerate(faults):
            arena.say(what)
            sent = stream[number * part : (number + 1) * part]
            with arena.load(deployment, sent, load_s), arena.stalls(deployment) as stalls:
                deployment.reached(deployment.events + len(sent) // 4)
                disturb()
                back = time.monotonic()
                deployment.reached(deployment.events + 1)
                notes.append(f"{what}: on after {time.monotonic() - back:.1f} s")
            arena.settled(deployment)
            stall_s = max(stall_s, stalls.longest_s)
        found = arena.measured(deployment)
        assert all(worker.stop() < LEAVE_S for worker in workers)
    said = "".join(worker.said for worker in workers)
    assert "Traceback" not in said, said[-4000:]
    return Outcome(NAME, len(faults), 1, *found, stall_s, "; ".join(notes))


def _faults(stack: Stack, away_s: float) -> list[tuple[str, Callable[[], None]]]:
    def gone() -> None:
        stack.stop_broker()
        time.sleep(away_s)  # the outage itself
        stack.start_broker()

    return [
        ("restarted", stack.restart_broker),
        ("killed", lambda: stack.restart_broker(kill=True)),
        (f"gone for {away_s:.0f} s", gone),
    ]
