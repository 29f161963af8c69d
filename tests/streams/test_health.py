"""When a worker is alive, and when it is ready."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from drivers.metrics import PartitionReading
from engines.core.errors import Transient
from engines.core.time import US_PER_DAY
from streams.health import Health, HealthLimits

LIMITS = HealthLimits(loop_s=30.0, commit_age_s=60.0)
IDLE = PartitionReading(
    topic="costs",
    partition=0,
    position=None,
    period_us=US_PER_DAY,
    held=True,
    refused=False,
    commit_age_s=9_000.0,
    commit_took_s=0.01,
    pending_records=0,
    pending_outbox=0,
    lag=0,
    lag_s=0.0,
)


class Watched:
    """A worker with these readings, at a time that the test sets."""

    def __init__(self, *readings: PartitionReading) -> None:
        self.now_s = 0.0
        self.readings = list(readings)
        self.joined = True
        self.answering = True
        self.health = Health(lambda: self.readings, lambda: self.joined, [self.reach], LIMITS, lambda: self.now_s)

    async def reach(self) -> None:
        if not self.answering:
            raise Transient("away")

    async def seconds(self, n: float) -> None:
        """Let the loop turn for *n* seconds of this test's own time, one turn each."""
        self.now_s += n
        turns = 0

        async def sleep(_: float) -> None:
            nonlocal turns
            turns += 1
            await (asyncio.Event().wait() if turns > 1 else asyncio.sleep(0))

        await turned(self.health.follow, sleep)

    @property
    def reasons(self) -> object:
        page = self.health.ready()
        assert page.well == (not page.body["reasons"])
        return page.body["reasons"]


async def turned(
    follow: Callable[[Callable[[float], Awaitable[None]]], Awaitable[None]], sleep: Callable[[float], Awaitable[None]]
) -> None:
    following = asyncio.ensure_future(follow(sleep))
    for _ in range(10):
        await asyncio.sleep(0)
    following.cancel()
    await asyncio.wait({following})


async def test_an_idle_worker_is_ready_however_long_ago_its_last_commit_is() -> None:
    worker = Watched(IDLE, replace(IDLE, partition=1, commit_age_s=7.0))
    await worker.seconds(1)
    assert worker.health.ready().well
    assert worker.health.ready().body == {
        "ready": True,
        "reasons": [],
        "assigned": 2,
        "claimed": 2,
        "stopped": 0,
        "lag": 0,
        "last_commit_age_s": 7.0,
        "work_waits_s": 0.0,
        "database_reachable": True,
    }


async def test_before_the_group_has_answered_nothing_is_ready_and_a_worker_without_partitions_is() -> None:
    worker = Watched()
    worker.joined = False
    assert worker.reasons == ["the group has given it no partitions yet", "a database does not answer"]
    await worker.seconds(1)
    worker.joined = True
    assert worker.reasons == []


@pytest.mark.parametrize(
    "reading, reason",
    [
        (replace(IDLE, held=False), "assigned partitions are not claimed yet"),
        (replace(IDLE, held=False, refused=True), "partitions are stopped until `outlay positions accept`"),
    ],
)
async def test_a_partition_that_is_not_claimed_makes_the_worker_unready(reading: PartitionReading, reason: str) -> None:
    worker = Watched(IDLE, reading)
    await worker.seconds(1)
    assert worker.reasons == [reason]


@pytest.mark.parametrize("work", [{"lag": 5}, {"pending_records": 5}, {"pending_outbox": 5}])
async def test_only_work_that_waits_too_long_for_a_commit_makes_the_worker_unready(work: dict[str, int]) -> None:
    worker = Watched(IDLE)
    await worker.seconds(1_000)
    worker.readings = [replace(IDLE, commit_age_s=10_000.0, **work)]  # type: ignore[arg-type]
    await worker.seconds(1)
    await worker.seconds(59)
    assert worker.reasons == []
    await worker.seconds(2)
    assert worker.reasons == ["work has waited longer than 60 s for a commit"]
    worker.readings = [replace(worker.readings[0], commit_age_s=0.5)]
    assert worker.reasons == []


async def test_a_database_that_is_away_makes_the_worker_unready_until_it_is_back() -> None:
    worker = Watched(IDLE)
    worker.answering = False
    await worker.seconds(1)
    assert worker.reasons == ["a database does not answer"]
    assert worker.health.live().well
    worker.answering = True
    await worker.seconds(5)
    assert worker.reasons == []


async def test_a_loop_that_does_not_turn_is_neither_alive_nor_ready() -> None:
    worker = Watched(IDLE)
    await worker.seconds(1)
    worker.now_s += 30
    assert worker.health.live().well
    worker.now_s += 1
    assert not worker.health.live().well
    assert worker.health.live().body["loop_turned_s_ago"] == 31
    assert worker.reasons == ["the event loop does not turn"]


async def test_lag_is_unknown_when_one_partitions_is() -> None:
    worker = Watched(replace(IDLE, lag=4), replace(IDLE, partition=1, lag=None))
    assert worker.health.live().body["lag"] is None
    worker.readings[1] = replace(IDLE, partition=1, lag=3)
    assert worker.health.live().body["lag"] == 7
