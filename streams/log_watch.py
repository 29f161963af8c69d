"""Watches that the logs are still those that were claimed.

A consumer fetches by the name of a topic: one that is deleted and made anew while a worker is busy or stands still may
hold the position again before the next fetch, and would be read on as if nothing had happened. So the broker is asked
from time to time; a claim of another log ends, and the next claim refuses it (docs/guarantees.md).
"""

from __future__ import annotations

from collections.abc import Iterable

from engines.core.errors import Transient
from engines.core.model import LogBounds
from engines.core.ports import ChunkSource
from streams.claim import Claim
from streams.endings import LogChanged
from streams.owner import Owner
from streams.retrying import Sleep
from streams.shell import Shell


class LogWatch:
    """Asks of one partition of each topic that *shell* has claims of, every *every_s* seconds."""

    def __init__(self, shell: Shell, source: ChunkSource, every_s: float, sleep: Sleep) -> None:
        self._shell = shell
        self._source = source
        self._every_s = every_s
        self._sleep = sleep

    async def follow(self) -> None:
        """Keep looking until cancelled; a broker that does not answer has not changed."""
        while True:
            await self._sleep(self._every_s)
            for topic in {tp.topic for tp in self._shell.owners}:
                await self._look(topic)

    async def _look(self, topic: str) -> None:
        claims = _claims(owner for tp, owner in self._shell.owners.items() if tp.topic == topic)
        if not claims:
            return
        try:
            log = await self._source.bounds(claims[0].tp)
        except Transient:
            return
        for claim in claims:
            change = _change(claim.log, log)
            if change is not None:
                claim.fail(LogChanged(change))


def _claims(owners: Iterable[Owner]) -> list[Claim]:
    return [owner.claim for owner in owners if owner.claim is not None]


def _change(claimed: LogBounds, now: LogBounds) -> str | None:
    """Return what is another than when it was claimed, None when all is the same as far as the broker tells."""
    for what, before, after in (
        ("cluster id", claimed.cluster_id, now.cluster_id),
        ("topic id", claimed.topic_id, now.topic_id),
    ):
        if before and after and before != after:
            return f"the {what} was {before} when it was claimed, and is {after} now: claiming it again"
    if claimed.partitions != now.partitions:
        return f"the topic had {claimed.partitions} partitions when it was claimed, and has {now.partitions} now"
    return None
