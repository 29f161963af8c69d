"""PostgreSQL restarted, killed, and gone for a minute, while more is sent than a worker may hold."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack

from tests.chaos import admin, memory
from tests.chaos.arena import Arena
from tests.chaos.outcome import Outcome
from tests.chaos.steady import Steady
from tests.end_to_end import broker, database
from tests.end_to_end.deployment import LEAVE_S, Deployment, Worker
from tests.stack import Stack

NAME = "database-outage"
_AWAY_S, _AWAY_LEAST_S = 60.0, 6.0
_LOAD_S, _LOAD_LEAST_S = 25.0, 5.0
_LATEST_ACK_S = 2.0
"""Offsets of what was committed just before reach the group within this time."""
_PENDING_RECORDS = 200
"""So few that folding soon waits, for what is folded holds no values: then chunks are what could pile up."""
_PADDING = 50_000
_FLOOD_MIB, _FLOOD_LEAST_MIB = 300, 64
_GROWN_MAX = 32 * memory.MIB
"""The worker whose partition is flooded holds three chunks of 4 MiB, some copies of them, and no more."""


def run(arena: Arena) -> Outcome:
    """Restart the database, then kill it and keep it away while far more is sent than may be held."""
    away_s = arena.duration(_AWAY_S, _AWAY_LEAST_S)
    load_s = arena.duration(_LOAD_S, _LOAD_LEAST_S)
    flood = Steady(arena.random, ["flood"], 100, clean=True, padding=_PADDING)
    big = flood.take(arena.number(_FLOOD_MIB, _FLOOD_LEAST_MIB) * memory.MIB // _PADDING)
    part = arena.events(load_s)
    stream = arena.stream(2 * part)
    with ExitStack() as on:
        stack = on.enter_context(arena.own_servers(with_broker=False))
        deployment = on.enter_context(arena.deployment(stack=stack, chunk_records=50, pending_records=_PENDING_RECORDS))
        workers = [on.enter_context(deployment.worker()) for _ in range(2)]
        deployment.claimed()
        with arena.load(deployment, stream[:part], load_s), arena.stalls(deployment) as restarted:
            deployment.reached(part // 4)
            arena.say("restarts the database")
            stack.restart_postgres()
            deployment.reached(deployment.events + 1)
        arena.settled(deployment)
        with arena.load(deployment, stream[part:], load_s), arena.stalls(deployment) as gone:
            deployment.reached(deployment.events + part // 4)
            arena.say(f"the database is gone for {away_s:.0f} s")
            with memory.watched([worker.process.pid for worker in workers]) as held:
                acknowledged = _gone(deployment, stack, big, away_s)
            _back(deployment, stack, workers, acknowledged)
            began = time.monotonic()
        arena.settled(deployment)
        drained_s = time.monotonic() - began
        found = arena.measured(deployment)
        assert all(worker.stop() < LEAVE_S for worker in workers)
    said = "".join(worker.said for worker in workers)
    assert "Traceback" not in said, said[-4000:]
    grown_mib = held.grown / memory.MIB
    assert held.grown < _GROWN_MAX, f"a worker grew by {grown_mib:.0f} MiB while the database was away"
    note = f"gone for {away_s:.0f} s: {len(big) * _PADDING / memory.MIB:.0f} MiB sent meanwhile, at most "
    note += f"{grown_mib:.0f} MiB more in a worker, drained after {drained_s:.0f} s"
    return Outcome(NAME, 2, 1, *found, max(restarted.longest_s, gone.longest_s), note)


def _gone(deployment: Deployment, stack: Stack, big: Sequence[broker.Sent], away_s: float) -> dict[int, int]:
    """Take the database away, send *big* meanwhile, and return what the group has acknowledged at the end."""
    group = deployment.environment["OUTLAY_GROUP_ID"]
    stack.stop_postgres(kill=True)
    gone = time.monotonic()
    time.sleep(_LATEST_ACK_S)
    before = admin.acknowledged(deployment.bootstrap, group)
    with broker.load(deployment.bootstrap, big, rate=len(big) / (away_s / 2)):
        pass
    time.sleep(max(0.0, gone + away_s - time.monotonic()))  # the outage itself
    after = admin.acknowledged(deployment.bootstrap, group)
    assert after == before, "offsets were acknowledged that no database holds"
    return after


def _back(deployment: Deployment, stack: Stack, workers: Sequence[Worker], acknowledged: dict[int, int]) -> None:
    """Bring the database back; nothing may be acknowledged that it does not hold."""
    for worker in workers:
        worker.freeze()
    stack.start_postgres()
    positions = database.progress(deployment.database_url)
    for worker in workers:
        worker.thaw()
    ahead = {p: offset for p, offset in acknowledged.items() if offset > positions[p].next_offset}
    assert not ahead, f"acknowledged and not committed: {ahead}"
