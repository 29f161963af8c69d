"""Group commit: one task per claim seals what is folded and commits it while the next chunks are folded.

Retries send the same sealed bytes. A commit whose outcome is unknown is looked up in the position row: same epoch
and the wanted version means it happened.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from engines.core.errors import Transient
from engines.core.model import Batch, PageKey, Position, TopicPartition
from streams.deps import Deps
from streams.endings import ClaimOver, Fenced, Rewound
from streams.outbox import Outbox
from streams.retrying import persist
from streams.state import PartitionState

log = logging.getLogger(__name__)


@dataclass(slots=True)
class CommitTimes:
    """When and how long, for metrics; wall-clock milliseconds."""

    last_commit_ms: int = 0
    last_took_ms: int = 0


class Committer:
    """Commits one claim's state until it is fenced, rewound or cancelled."""

    def __init__(
        self,
        tp: TopicPartition,
        state: PartitionState,
        outbox: Outbox,
        deps: Deps,
        partitions: int,
        committed: Callable[[Batch], None],
    ) -> None:
        self.times = CommitTimes(last_commit_ms=deps.clock.now_ms())
        self._tp = tp
        self._partitions = partitions
        self._state = state
        self._outbox = outbox
        self._store = deps.store_for(tp)
        self._domain = deps.domains[tp.topic]
        self._clock = deps.clock
        self._limits = deps.limits
        self._sleep = deps.sleep
        self._committed = committed
        self._work = asyncio.Event()
        self._room = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._projection_due_s = 0.0  # in the loop's time: a clock that is set must not put projections off
        self._hold: asyncio.TimerHandle | None = None
        self._tick: asyncio.TimerHandle | None = None
        self._seen_s = asyncio.get_running_loop().time()  # when the row was last known to be ours
        self._committed_s = self._seen_s
        self._cursor_ripe = False
        self._more_to_come = False
        self._flushing = 0
        self._over = False
        self._everything = False

    def wake(self) -> None:
        """Say that something is folded."""
        self._idle.clear()
        self._work.set()

    def more_to_come(self, known: bool) -> None:  # noqa: FBT001 a fact, not an option
        """Say whether the log is *known* to hold more: then a commit may wait for it."""
        self._more_to_come = known
        self._work.set()

    def published(self) -> None:
        """Say that the published cursor moved: it travels with the next commit, or alone after a while."""
        if self._hold is None:
            self._hold = asyncio.get_running_loop().call_later(self._limits.published_cursor_after_s, self._cursor_due)
        self.make_room()

    async def room(self) -> None:
        """Return when so little waits for its commit or acknowledgement that folding may go on; or ClaimOver."""
        while self._crowded() and not self._over:
            self._room.clear()
            await self._room.wait()
        self.check()

    async def flushed(self) -> None:
        """Return when everything folded is committed; raises ClaimOver when that will not be."""
        self.check()
        self._flushing += 1
        try:
            self.wake()
            await self._idle.wait()
        finally:
            self._flushing -= 1
        self.check()

    async def projected(self) -> None:
        """Return when every projection row of what is folded is committed, whatever that costs."""
        self._everything = True
        await self.flushed()
        self._everything = False

    def check(self) -> None:
        """Raise ClaimOver when this claim has ended."""
        if self._over:
            raise ClaimOver

    def make_room(self) -> None:
        """Wake whoever waits for room, to look again."""
        self._room.set()

    async def run(self) -> None:
        """Commit until cancelled; raises Fenced, Rewound, DataRefused or SettingsMoved when it is over."""
        try:
            while True:
                await self._woken()
                self._work.clear()
                await self._look()
                while self._has_work():
                    await self._commit_once()
                if not self._state.dirty:
                    self._idle.set()
                self.make_room()
                self._come_back()
        finally:
            self.end()

    async def _woken(self) -> None:
        """Return when somebody woke us, or when it is time to look at the row again."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._seen_s + self._limits.look_every_s):
                await self._work.wait()

    async def _look(self) -> None:
        """Notice a successor, or a database restored to an earlier commit, though there is nothing to commit."""
        now_s = asyncio.get_running_loop().time()
        if now_s >= self._seen_s + self._limits.look_every_s:
            _untouched(await self._read_position(), self._state.sealed)
            self._seen_s = now_s

    def end(self) -> None:
        """End the claim: whoever waits on it gets ClaimOver."""
        self._over = True
        self._idle.set()
        self.make_room()
        for timer in (self._hold, self._tick):
            if timer is not None:
                timer.cancel()

    def _cursor_due(self) -> None:
        self._hold = None
        self._cursor_ripe = True
        self.wake()

    def _come_back(self) -> None:
        """Look again when a commit that waits, or projections that lag, are due."""
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        due_s = [self._committed_s + self._limits.commit_every_s] if self._state.dirty else []
        due_s += [self._projection_due_s] if self._state.cache.stale else []
        if due_s:
            loop = asyncio.get_running_loop()
            self._tick = loop.call_at(max(min(due_s), loop.time()) + 0.001, self._work.set)

    def _crowded(self) -> bool:
        limits = self._limits
        return (
            self._state.pending_records >= limits.pending_records
            or self._state.pending_outbox + len(self._outbox) >= limits.pending_outbox
            or self._state.pending_outbox_bytes + self._outbox.bytes >= limits.pending_outbox_bytes
        )

    def _has_work(self) -> bool:
        if self._over:
            return False
        cursor_moved = self._cursor_ripe and self._outbox.published > self._state.sealed.published
        projections = bool(self._state.cache.stale) and self._projection_due()
        return self._commit_due() or cursor_moved or projections

    def _commit_due(self) -> bool:
        """Whether what is folded should be committed now rather than together with what is still to come."""
        if not self._state.dirty:
            return False
        return (
            not self._more_to_come
            or self._flushing > 0
            or self._state.pending_records >= self._limits.commit_records
            or asyncio.get_running_loop().time() >= self._committed_s + self._limits.commit_every_s
            or self._crowded()
        )

    def _projection_due(self) -> bool:
        return self._everything or asyncio.get_running_loop().time() >= self._projection_due_s

    async def _commit_once(self) -> None:
        project = await self._to_project()
        if self._over:  # a fold that failed may have left pages half changed
            return
        if self._outbox.published > self._state.folded.published:
            self._state.acknowledge(self._outbox.published)
        if self._hold is not None:
            self._hold.cancel()
        self._hold, self._cursor_ripe = None, False
        started_s = asyncio.get_running_loop().time()
        batch = self._state.seal(project)
        self.make_room()
        worked_s = await self._commit(batch)
        now_s = asyncio.get_running_loop().time()
        self.times.last_commit_ms, self.times.last_took_ms = self._clock.now_ms(), int((now_s - started_s) * 1000)
        if project:
            crowd = self._partitions if self._more_to_come else 1  # catching up, all partitions share the processor
            rest_s = min(crowd * worked_s / self._limits.projection_share, self._limits.projection_rest_max_s)
            self._projection_due_s = now_s + max(self._limits.projection_every_s, rest_s)
        self._seen_s = self._committed_s = now_s
        self._state.sealed_committed()
        self._outbox.add(batch.outbox)
        self._committed(batch)
        self.make_room()

    async def _to_project(self) -> list[PageKey]:
        """Choose the pages whose rows go along, the longest waiting first, and load those that were dropped."""
        if not self._projection_due():
            return []
        cache, chosen, rows = self._state.cache, [], 0
        for key in [*cache.stale, *(key for key in cache.dirty if key not in cache.stale)]:
            if rows >= self._limits.projection_rows and not self._everything:
                break
            chosen.append(key)
            rows += 1 + (self._weight(key))
        absent = [key for key in chosen if not cache.known(key)]
        if absent:
            found = await persist(
                f"{self._tp} loading", lambda: self._store.load_pages(self._tp, absent), self._limits, self._sleep
            )
            cache.fill(absent, found)
        return chosen

    def _weight(self, key: PageKey) -> int:
        cache = self._state.cache
        body = cache.get(key) if cache.known(key) else None
        return 0 if body is None else self._domain.weight(body)

    async def _commit(self, batch: Batch) -> float:
        """Commit *batch* and return how long the try took that did it, in seconds: an outage before it is no load."""
        pause_s = self._limits.backoff_s
        clock = asyncio.get_running_loop().time
        while True:
            began_s = clock()
            try:
                if await self._store.commit(batch):
                    return clock() - began_s
            except Transient as error:
                log.warning("%s commit: %s; looking whether it happened", self._tp, error)
                await self._sleep(pause_s)
                pause_s = min(2 * pause_s, self._limits.backoff_max_s)
            row = await self._read_position()
            if _happened(batch, row):
                return 0.0

    async def _read_position(self) -> Position | None:
        return await persist(
            f"{self._tp} reading position",
            lambda: self._store.read_position(self._tp),
            self._limits,
            self._sleep,
        )


def _untouched(row: Position | None, left: Position) -> None:
    """Raise Fenced or Rewound unless *row* is as its owner *left* it."""
    if row is None or row.epoch < left.epoch:
        raise Rewound
    if row.epoch > left.epoch:
        raise Fenced
    if (row.version, row.next_offset, row.outbox_seq) != (left.version, left.next_offset, left.outbox_seq):
        raise Rewound


def _happened(batch: Batch, row: Position | None) -> bool:
    """Whether *batch* is in the database; False: not yet, and it still can be."""
    if row is None or row.epoch < batch.expected_epoch:
        raise Rewound
    if row.epoch > batch.expected_epoch:
        raise Fenced
    if row.version == batch.position.version:
        return True
    if row.version != batch.expected_version:
        raise Rewound
    return False
