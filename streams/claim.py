"""One claim of a partition: its state, its committer and its outbox, living and ending together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import replace
from functools import partial
from typing import TypeVar

from engines.core.model import Batch, Context, LogBounds, PageKey, Position, SettingRow
from engines.core.ports import Domain, Store
from streams.committer import Committer
from streams.deps import Deps
from streams.endings import ClaimOver
from streams.homes import Homes
from streams.outbox import Outbox
from streams.retrying import persist
from streams.scan import Scanner
from streams.state import PartitionState

_OUTBOX_LOAD = 5_000
T = TypeVar("T")


class Claim:
    """A partition's work between a claim and its end.

    Whatever ends it drops everything that is not committed: nothing half-folded survives.
    """

    def __init__(self, deps: Deps, position: Position, log: LogBounds, committed: Callable[[Batch], None]) -> None:
        self.tp = position.tp
        self.log = log
        """The log as it was when it was claimed."""
        self.deps = deps
        self.domain: Domain = deps.domains[position.topic]
        self.store: Store = deps.store_for(position.tp)
        self.state = PartitionState(self.domain, replace(position, released=False), deps.limits)
        self.homes = Homes(log.partitions, deps.partition_of)
        self.scanner = Scanner(self.tp, self.domain, self.homes, self.state.identities, deps.limits.dedup_days)
        self.settings: list[SettingRow] = []
        """Every settings row of the partition's database, as far as it is known."""
        self._in_force = self.domain.settings(self.settings)
        self.outbox = Outbox(deps.publisher, deps.limits, deps.sleep, position.published, self._published)
        self.committer = Committer(self.tp, self.state, self.outbox, deps, log.partitions, committed)
        self.resumed = asyncio.Event()
        """Set when what an earlier owner left over is done: closes, windows to judge again; no chunk before."""
        self._leaving = False
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def load(self) -> None:
        """Read what a fresh claim must know beside the position.

        That is settings, identities of open days, unpublished rows, stale projections.
        """
        position, tp = self.state.sealed, self.tp
        await self.load_settings()
        closed = self.state.identities.closed_through
        first_open = None if closed is None else closed + 1
        for block in await self._persist("ids", lambda: self.store.load_ids(tp, first_open)):
            self.state.identities.load(block)
        after = position.published
        while rows := await self._persist("outbox", partial(self.store.load_outbox, tp, after, _OUTBOX_LOAD)):
            self.outbox.add(rows)
            after = rows[-1].seq
        # Not since their offsets: an operator may have set the position back, and what is written next lies below them.
        stale = await self._persist("pages", lambda: self.store.stale_pages(tp, position.projected))
        self.state.cache.mark_stale((key for key, _ in stale), position.projected + 1)

    @property
    def context(self) -> Context:
        """What folding and judging depend on beside pages, as of now."""
        return Context(self.state.folded.closed_through, self._in_force)

    async def load_settings(self) -> None:
        """Read the settings rows appended since the last time: judgements know them from now on."""
        known = self.settings[-1].seq if self.settings else 0
        fresh = await self._persist("settings", partial(self.store.load_settings, self.tp, known))
        if fresh:
            self.settings += fresh
            self._in_force = self.domain.settings(self.settings)
        self.state.settings_known = self.settings[-1].seq if self.settings else 0

    async def load_ids(self, days: Iterable[int]) -> None:
        """Load the identities of closed *days*, none of which is here; raises ClaimOver when the claim ended."""
        for day in days:
            blocks = await self._persist("ids", partial(self.store.load_ids, self.tp, day, day))
            self.check()
            self.state.identities.load_day(day, blocks)

    async def ensure(self, missing: Callable[[], Collection[PageKey]]) -> None:
        """Load what *missing* names until it names nothing; raises ClaimOver when the claim ended meanwhile."""
        while keys := missing():
            found = await self._persist("pages", partial(self.store.load_pages, self.tp, keys))
            self.check()
            self.state.cache.fill(keys, found)

    def check(self) -> None:
        """Raise ClaimOver when nothing may be folded any more."""
        self.committer.check()
        if self._leaving:
            raise ClaimOver

    def leave(self) -> None:
        """Fold nothing more; what is folded may still be committed."""
        self._leaving = True
        self.committer.make_room()

    async def page_tenants(self, kind: str, buckets: range, after: str | None, limit: int) -> list[str]:
        """Return the next tenants above *after* with a stored page of *kind* in *buckets*."""
        return await self._persist("tenants", lambda: self.store.page_tenants(self.tp, kind, buckets, after, limit))

    async def first_bucket(self, kind: str, buckets: range) -> int | None:
        """Return the lowest stored bucket of *kind* in *buckets*."""
        return await self._persist("buckets", lambda: self.store.first_bucket(self.tp, kind, buckets))

    async def run(self) -> None:
        """Commit and publish until cancelled, or raise what ended the claim."""
        tasks = [asyncio.ensure_future(self.committer.run()), asyncio.ensure_future(self.outbox.run())]
        self.committer.wake()
        try:
            done, _ = await asyncio.wait([*tasks, self._failure], return_when=asyncio.FIRST_COMPLETED)
            for ended in done:
                ended.result()
        finally:
            self.committer.end()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._failure.cancel()

    def fail(self, error: Exception) -> None:
        """End the claim because of *error*."""
        self.committer.end()
        if not self._failure.done():
            self._failure.set_exception(error)

    def _published(self) -> None:
        self.committer.published()

    async def _persist(self, what: str, call: Callable[[], Awaitable[T]]) -> T:
        name = f"{self.tp.topic}/{self.tp.partition} loading {what}"
        return await persist(name, call, self.deps.limits, self.deps.sleep)
