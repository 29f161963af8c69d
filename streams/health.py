"""Whether a worker is alive and fit for work: ``/healthz`` and ``/readyz``.

Alive: its event loop turns. Ready: the group has given it its partitions, every one of them is claimed, the databases
answer, and where there is work it is committed. An idle partition commits nothing, so only work that waits counts.
Pages are made in the threads of the HTTP server: they look at what the loop has noted and ask nobody.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from drivers.metrics import PartitionReading
from drivers.web import Page
from engines.core.errors import OutlayError
from engines.core.model import TopicPartition
from streams.retrying import Sleep

_BEAT_S: Final = 1.0
_ASK_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class HealthLimits:
    """What still counts as well, in seconds.

    Attributes:
        loop_s: how long the event loop may not turn.
        commit_age_s: how long a partition with work may go without a commit.
    """

    loop_s: float
    commit_age_s: float


class Health:
    """Watches one worker.

    Args:
        read: a reading of each assigned partition; any thread may call it.
        joined: whether the group has ever given this worker its partitions, none of them perhaps.
        databases: ask each of them; raises an OutlayError when it does not answer.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        read: Callable[[], Sequence[PartitionReading]],
        joined: Callable[[], bool],
        databases: Sequence[Callable[[], Awaitable[None]]],
        limits: HealthLimits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._joined = joined
        self._databases = databases
        self._limits = limits
        self._clock = clock
        self._beat_s = clock()
        self._reachable: list[bool | None] = [None] * len(databases)
        self._busy_since_s: dict[TopicPartition, float] = {}

    async def follow(self, sleep: Sleep) -> None:
        """Note that the loop turns and who has work, and ask the databases now and then, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._beat(sleep))
            for number, reach in enumerate(self._databases):
                tasks.create_task(self._ask(number, reach, sleep))

    def note(self) -> None:
        """Note that the loop turns, and since when each partition has had work."""
        now_s = self._beat_s = self._clock()
        busy = [_place(reading) for reading in self._read() if _has_work(reading)]
        self._busy_since_s = {tp: self._busy_since_s.get(tp, now_s) for tp in busy}

    def live(self) -> Page:
        """Return whether the event loop turns."""
        silent_s = max(0.0, self._clock() - self._beat_s)
        return Page(silent_s <= self._limits.loop_s, {"loop_turned_s_ago": round(silent_s, 3)} | self._standing())

    def ready(self) -> Page:
        """Return whether work is being done."""
        standing = self._standing()
        reasons = [*self._unclaimed(standing), *self._waiting(standing)]
        if not self.live().well:
            reasons.append("the event loop does not turn")
        return Page(not reasons, {"ready": not reasons, "reasons": reasons} | standing)

    def _unclaimed(self, standing: dict[str, object]) -> list[str]:
        if not self._joined():
            return ["the group has given it no partitions yet"]
        if standing["stopped"]:
            return ["partitions are stopped until `outlay positions accept`"]
        return ["assigned partitions are not claimed yet"] if standing["claimed"] != standing["assigned"] else []

    def _waiting(self, standing: dict[str, object]) -> list[str]:
        reasons = [] if standing["database_reachable"] else ["a database does not answer"]
        if self._waits_s() > self._limits.commit_age_s:
            reasons.append(f"work has waited longer than {self._limits.commit_age_s:g} s for a commit")
        return reasons

    def _standing(self) -> dict[str, object]:
        """Return what both pages tell; None is what is not known."""
        readings = self._read()
        ages = [one.commit_age_s for one in readings if one.commit_age_s is not None]
        lags = [one.lag for one in readings if one.lag is not None]
        return {
            "assigned": len(readings),
            "claimed": sum(one.held for one in readings),
            "stopped": sum(one.refused for one in readings),
            "lag": sum(lags) if len(lags) == len(readings) else None,
            "last_commit_age_s": round(min(ages), 3) if ages else None,
            "work_waits_s": round(self._waits_s(), 3),
            "database_reachable": all(self._reachable),
        }

    def _waits_s(self) -> float:
        """Return the longest that a partition has had work and no commit."""
        now_s, busy = self._clock(), self._busy_since_s
        since = {_place(one): one.commit_age_s for one in self._read()}
        waits = (min(now_s - start_s, since[tp] or 0.0) for tp, start_s in busy.items() if since.get(tp) is not None)
        return max(waits, default=0.0)

    async def _beat(self, sleep: Sleep) -> None:
        while True:
            self.note()
            await sleep(_BEAT_S)

    async def _ask(self, number: int, reach: Callable[[], Awaitable[None]], sleep: Sleep) -> None:
        while True:
            try:
                await reach()
            except OutlayError:
                self._reachable[number] = False
            else:
                self._reachable[number] = True
            await sleep(_ASK_S)


def _place(reading: PartitionReading) -> TopicPartition:
    return TopicPartition(reading.topic, reading.partition)


def _has_work(reading: PartitionReading) -> bool:
    return bool(reading.lag or reading.pending_records or reading.pending_outbox)
