"""Watches for settings rows that are appended while the worker runs (CONTRACT §4).

It only ever says how new the newest row is, and may be behind: owners load the rows themselves, and a close is refused
by the store when it did not know the newest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from engines.core.model import TopicPartition
from streams.limits import ShellLimits
from streams.retrying import Sleep, persist


class Head(Protocol):
    """The newest settings row of one database."""

    async def newest(self) -> int:
        """Return its sequence number, 0 when there is none. Raises Transient."""

    async def stirred(self, within_s: float) -> None:
        """Return when there may be a newer one, or after *within_s*."""


class SettingsWatch:
    """What is known of the newest settings rows.

    Args:
        heads: of each database, in the order that decides where a partition lives.
        poll_s: how often to look where nothing stirs; also the longest wait after a failure.
    """

    def __init__(self, heads: Sequence[Head], poll_s: float, limits: ShellLimits, sleep: Sleep) -> None:
        self._heads = heads
        self._newest = [0] * len(heads)
        self._poll_s = poll_s
        self._limits = replace(limits, backoff_s=min(limits.backoff_s, poll_s), backoff_max_s=poll_s)
        self._sleep = sleep

    def known(self, tp: TopicPartition) -> int:
        """Return the sequence number of the newest row seen in the database of *tp*, 0 before the first look."""
        return self._newest[tp.partition % len(self._newest)]

    async def follow(self) -> None:
        """Watch all databases, for ever, through their outages."""
        async with asyncio.TaskGroup() as tasks:
            for number, head in enumerate(self._heads):
                tasks.create_task(self._follow(number, head))

    async def _follow(self, number: int, head: Head) -> None:
        what = f"looking for new settings in database {number}"
        while True:
            newest = await persist(what, head.newest, self._limits, self._sleep)
            self._newest[number] = newest  # lower when the database was restored
            await head.stirred(self._poll_s)
