"""Partitions that fall silent: their days close by the clock, each in its time, and those of others do not."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from aiokafka import AIOKafkaProducer

from drivers import topics
from engines.core.time import US_PER_DAY, US_PER_HOUR, US_PER_MINUTE, format_instant
from tests import oracle
from tests.chaos.arena import Arena
from tests.chaos.measured import counted
from tests.chaos.outcome import Outcome
from tests.end_to_end import database, exact
from tests.end_to_end.deployment import LEAVE_S, PARTITIONS, Deployment, Worker

NAME = "silence"
_LAST_DAY = 20_505
_DAYS = 6
_SILENT, _SILENT_LEAST = 8, 3
_FIRST_S, _STEP_S = 6.0, 4.0
"""When the silence of the first has lasted long enough, and how much later that of each other."""
_MARGIN_S = 1
_LATEST_S = 45.0  # after that, for a successor that claims, on a loaded machine
_BUSY_EVERY_S = 0.4
# From 23:00 of the last day, less the five minutes that a watermark lags, to the end of its grace.
_SILENCE_US = 2 * US_PER_HOUR + 5 * US_PER_MINUTE
_BUSY = "busy"


@dataclass(frozen=True)
class Silent:
    """A tenant that sends no more; its day is to close `lacking_s` after the first was sent."""

    tenant: str
    home: int
    lacking_s: float


def run(arena: Arena) -> Outcome:
    """Let tenants fall silent, kill a worker meanwhile, and see when their last day closes."""
    silent = _tenants(arena.number(_SILENT, _SILENT_LEAST))
    # Producers cannot choose append times; a topic that lets them stands in for hours of silence.
    chosen = [topic.model_copy(update={"timestamp": "CreateTime"}) for topic in topics.load().topics]
    with ExitStack() as on:
        deployment = on.enter_context(arena.deployment(topics=chosen, topics_check="off", idle_margin_s=_MARGIN_S))
        victim, other = (on.enter_context(deployment.worker()) for _ in range(2))
        deployment.claimed()
        began = time.time()
        successor: list[Worker] = []

        def succeed() -> None:
            arena.say("kills a worker in the silence")
            victim.kill()
            successor.append(on.enter_context(deployment.worker()))

        closed = asyncio.run(_silence(deployment, silent, succeed, began))
        deployment.at_work(*successor)
        arena.settled(deployment)
        found = exact.left(deployment)
        assert all(worker.stop() < LEAVE_S for worker in (other, *successor))
    assert len(closed) == len(silent), f"after {_LATEST_S:.0f} s only those of {sorted(closed)} have closed"
    for one in silent:
        waited_s = closed[one.tenant] - began
        assert waited_s >= one.lacking_s + _MARGIN_S, f"{one} closed after {waited_s:.1f} s already"
        assert waited_s <= one.lacking_s + _LATEST_S, f"{one} closed after {waited_s:.1f} s only"
    at = {partition: one.closed_through for partition, one in found.positions.items()}
    homes = {one.home for one in silent}
    busy = oracle.home(_BUSY, PARTITIONS)
    assert {at[home] for home in homes} == {_LAST_DAY}
    assert at[busy] == _LAST_DAY - 1, "the day of a partition that is not silent has closed"
    assert {at[p] for p in range(PARTITIONS)} - {at[p] for p in homes | {busy}} == {None}
    held = counted(replace(found, closed_by_clock=dict.fromkeys(homes, _LAST_DAY)))
    late = max(closed[one.tenant] - began - one.lacking_s for one in silent)
    return Outcome(NAME, len(silent), 1, *held, 0.0, f"days closed at most {late:.1f} s after the silence sufficed")


def _tenants(number: int) -> list[Silent]:
    """Return so many tenants, no two of them at one home, and none with the busy one."""
    homes = {oracle.home(_BUSY, PARTITIONS)}
    found: list[Silent] = []
    for name in (f"silent-{n}" for n in range(1_000)):
        home = oracle.home(name, PARTITIONS)
        if home not in homes and len(found) < number:
            homes.add(home)
            found.append(Silent(name, home, _FIRST_S + len(found) * _STEP_S))
    return found


async def _silence(
    deployment: Deployment, silent: Sequence[Silent], succeed: Callable[[], None], began: float
) -> Mapping[str, float]:
    """Send, fall silent, have a worker killed, and return when each tenant's last day was seen to be closed."""
    closed: dict[str, float] = {}
    async with AIOKafkaProducer(bootstrap_servers=deployment.bootstrap) as producer:
        for one in silent:
            appended_ms = int((began + one.lacking_s) * 1000) - _SILENCE_US // 1000
            await _send(producer, one.tenant, range(_DAYS), appended_ms)
        await _send(producer, _BUSY, range(_DAYS), int(began * 1000))
        await asyncio.to_thread(deployment.reached, (len(silent) + 1) * _DAYS)
        succeed()
        number = _DAYS
        until = time.time() + silent[-1].lacking_s + _LATEST_S
        while len(closed) < len(silent) and time.time() < until:
            await _send(producer, _BUSY, range(number, number + 1), int(time.time() * 1000))
            number += 1
            at = await asyncio.to_thread(database.progress, deployment.database_url)
            for one in silent:
                if at[one.home].closed_through == _LAST_DAY:
                    closed.setdefault(one.tenant, time.time())
            await asyncio.sleep(_BUSY_EVERY_S)  # the rate of the busy one
    return closed


async def _send(producer: AIOKafkaProducer, tenant: str, numbers: range, appended_ms: int) -> None:
    """Send a record for 23:00 of each day; those past the last day's are of the last day, too, the last of all dear."""
    for number in numbers:
        day = _LAST_DAY - max(0, _DAYS - 1 - number)
        record = {
            "id": f"e{number}",
            "tenant_id": tenant,
            "occurred_at": format_instant(day * US_PER_DAY + 23 * US_PER_HOUR),
            "model": "gpt-4o",
            "input_tokens": 1,
            "output_tokens": 1,
            "cost_cents": 100_000 if day == _LAST_DAY and tenant != _BUSY else 1_000,
        }
        await producer.send_and_wait("costs", json.dumps(record).encode(), tenant.encode(), timestamp_ms=appended_ms)
