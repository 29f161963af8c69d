"""What the owners of one worker know of their partitions, for whoever watches (``/metrics``)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Final

from drivers.metrics import Counter, Family, Names, PartitionReading
from engines.core.errors import Transient
from engines.core.model import TopicPartition
from engines.core.ports import Clock
from streams import fates
from streams.owner import Owner
from streams.retrying import Sleep
from streams.shell import Shell

log = logging.getLogger(__name__)

NAMES: Final = Names(
    events=fates.EVENTS,
    fates=fates.FATES,
    late_nanousd=fates.LATE_NANOUSD,
    counters=(
        Counter(fates.CONFLICTING, "outlay_conflicting", "Duplicates whose content differs from the first copy."),
        Counter(fates.RESTATED, "outlay_restated", "Accepted records of days already closed."),
        Counter("capped", "outlay_capped", "Names that a tenant's day had no room for; they count under ~other."),
    ),
    families=(
        Family("unpriced.", "outlay_unpriced", "reason", "Accepted records without a known price."),
        Family(f"{fates.LATE}.", "outlay_late", "reason", "Records too late to be counted."),
        Family("facts.", "outlay_facts", "type", "Facts published, each revision once."),
        Family("feedback.", "outlay_feedback", "type", "Feedback on runs published, each revision once."),
        Family("predictions.", "outlay_predictions", "type", "Predictions published, each revision once."),
        Family(fates.SENT, "outlay_messages", "to", "Messages written for each output topic."),
    ),
)

LogEnds = Callable[[Collection[TopicPartition]], Awaitable[dict[TopicPartition, int]]]


class Readings:
    """Reads a shell's owners; ends of logs are asked for now and then and remembered.

    ``read`` may be called from another thread: it only looks, and copies the collection first.
    """

    def __init__(self, shell: Shell, log_ends: LogEnds, clock: Clock) -> None:
        self._shell = shell
        self._log_ends = log_ends
        self._clock = clock
        self._ends: dict[TopicPartition, int] = {}

    async def follow(self, every_s: float, sleep: Sleep) -> None:
        """Keep asking where the logs end, until cancelled; while nobody answers lag is not known."""
        while True:
            held = [owner.tp for owner in list(self._shell.owners.values())]
            try:
                self._ends = await self._log_ends(held) if held else {}
            except Transient as error:
                self._ends = {}
                log.debug("log ends: %s", error)
            await sleep(every_s)

    def read(self) -> list[PartitionReading]:
        """Return a reading of each assigned partition."""
        return [self._reading(owner) for owner in list(self._shell.owners.values())]

    def _reading(self, owner: Owner) -> PartitionReading:
        now_ms, position, claim = self._clock.now_ms(), owner.committed, owner.claim
        times = None if claim is None else claim.committer.times
        end = self._ends.get(owner.tp)
        lag = None if end is None or position is None else max(0, end - position.next_offset)
        lag_s: float | None = None
        if lag == 0:
            lag_s = 0.0
        elif lag is not None and position is not None and position.last_append_ms is not None:
            lag_s = max(0.0, (now_ms - position.last_append_ms) / 1000)
        return PartitionReading(
            topic=owner.tp.topic,
            partition=owner.tp.partition,
            position=position,
            period_us=self._shell.period_us(owner.tp.topic),
            held=claim is not None,
            refused=owner.refusal is not None,
            commit_age_s=None if times is None else max(0.0, (now_ms - times.last_commit_ms) / 1000),
            commit_took_s=None if times is None else times.last_took_ms / 1000,
            pending_records=0 if claim is None else claim.state.pending_records,
            pending_outbox=0 if claim is None else claim.state.pending_outbox + len(claim.outbox),
            lag=lag,
            lag_s=lag_s,
        )
