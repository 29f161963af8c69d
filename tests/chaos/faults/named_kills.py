"""Workers killed at named points of a batch's way: around its commit, its publishing and the record of that."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Final, Literal, get_args

import asyncpg

from tests.chaos.arena import Arena
from tests.chaos.outcome import Outcome
from tests.end_to_end import brake, database
from tests.end_to_end.deployment import LEAVE_S, Deployment, Worker

NAME = "named-kills"
Point = Literal["before commit", "in commit", "publishing", "published", "acknowledged"]
POINTS: Final[tuple[Point, ...]] = get_args(Point)
"""In the transaction, which is taken back; in its commit, which happens unheard; after it, while nothing is published
yet; with everything published, in the transaction that says so; in the commit of that."""
_PLACES: Final[dict[Point, brake.Place]] = {
    "before commit": "before",
    "in commit": "inside",
    "publishing": "inside",
    "published": "published",
    "acknowledged": "recorded",
}
_WORKERS = 2
_CHUNKS = (20, 100)
_STEP_S = 7.0
"""About so long one kill takes, with the group's rounds and the start of another worker."""


def run(arena: Arena) -> Outcome:
    """Kill a worker at each point, over and over."""
    kills = max(len(POINTS), round(arena.seconds / _STEP_S))
    stream = arena.stream(arena.events(kills * _STEP_S))
    with arena.deployment() as deployment, ExitStack() as held:
        brake.fit(deployment.database_url)

        def one() -> Worker:
            return held.enter_context(deployment.worker(chunk_records=arena.random.choice(_CHUNKS)))

        workers = [one() for _ in range(_WORKERS)]
        deployment.claimed()
        with arena.load(deployment, stream, kills * _STEP_S), arena.stalls(deployment) as stalls:
            deployment.reached(1)
            for number in range(kills):
                point = POINTS[number % len(POINTS)]
                arena.say(f"kill {number + 1} of {kills}: {point}")
                killed = _kill(arena, deployment, workers, point)
                workers.remove(killed)
                if number < kills - 1:
                    workers.append(one())
        found = arena.measured(deployment)
        deployment.at_work(*workers)
        assert all(worker.stop() < LEAVE_S for worker in workers)
    return Outcome(NAME, kills, kills, *found, stalls.longest_s, ", ".join(POINTS))


async def _unpublished(connection: asyncpg.Connection[asyncpg.Record]) -> int:
    return int(await connection.fetchval("SELECT coalesce(sum(outbox_seq - published), 0) FROM positions"))


def _kill(arena: Arena, deployment: Deployment, workers: list[Worker], point: Point) -> Worker:
    """Kill a worker at *point*; return it."""
    url = deployment.database_url
    brake.press(url, _PLACES[point])
    caught = brake.frozen_there(url, workers)
    if point == "publishing":
        _until_it_publishes(arena, deployment, caught)
    caught.kill()
    brake.release(url)
    return caught


def _until_it_publishes(arena: Arena, deployment: Deployment, caught: Worker) -> None:
    """Return when *caught*, in its commit, has committed and has nobody to publish to."""
    with arena.frozen_broker():
        brake.release(deployment.database_url)
        caught.thaw()
        until = time.monotonic() + 2 * brake.BRAKE_S
        while time.monotonic() < until:
            time.sleep(0.05)
        unpublished = sum(database.ask_each(deployment.database_url, _unpublished))
        assert unpublished, "all is published, though the broker stands still"
        caught.kill()
