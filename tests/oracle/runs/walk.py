"""One partition's log, record by record: fates and watermark (CONTRACT §1 - §3, §7).

Invariant: every record ends as exactly one of dead, forwarded, late, duplicate, accepted; a late one is not counted.
A record that came too late is late even when it is a copy.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from tests.oracle.placement import home
from tests.oracle.records import Bad, LogRecord
from tests.oracle.runs.record import Identity, Run, decode
from tests.oracle.walk import FUTURE_MAX_US, GRACE_US, Watermark

Fate = Literal["dead", "forwarded", "late", "duplicate", "accepted"]


@dataclass(frozen=True)
class Judged:
    """A record and its fate."""

    partition: int
    offset: int
    entry: LogRecord
    fate: Fate
    run: Run | None = None
    bad: Bad | None = None
    conflicting: bool = False


@dataclass
class Walk:
    """A partition on its way through its log; identities are kept for ever."""

    partition: int
    partitions: int
    now_us: int | None = None
    watermark: Watermark = field(default_factory=Watermark)
    seen: dict[Identity, Run] = field(default_factory=dict)

    def fates(self, log: Sequence[LogRecord]) -> Iterator[Judged]:
        """Yield what becomes of each record, in order."""
        for entry in log:
            run = readable(entry, self.now_us)
            if isinstance(run, Bad):
                yield self._judged(entry, "dead", bad=run)
            elif home(run.tenant_id, self.partitions) != self.partition:
                yield self._judged(entry, "forwarded", run)
            else:
                self.watermark.wait(entry.append_us)
                yield self._at_home(entry, run)
                self.watermark.see(run.occurred_us)

    def _at_home(self, entry: LogRecord, run: Run) -> Judged:
        if self.watermark.at_us is not None and run.occurred_us < self.watermark.at_us - GRACE_US:
            return self._judged(entry, "late", run)
        first = self.seen.setdefault(run.identity, run)
        if first is not run:
            return self._judged(entry, "duplicate", run, conflicting=first != run)
        return self._judged(entry, "accepted", run)

    def _judged(
        self, entry: LogRecord, fate: Fate, run: Run | None = None, *, bad: Bad | None = None, conflicting: bool = False
    ) -> Judged:
        assert entry.offset is not None
        return Judged(self.partition, entry.offset, entry, fate, run, bad, conflicting)


def readable(entry: LogRecord, now_us: int | None = None) -> Run | Bad:
    """Return the run of a record, or why it is a dead letter; *now_us* stands for an append time it lacks."""
    run = decode(entry.value, entry.headers)
    limit_us = now_us if entry.append_us is None else entry.append_us
    if isinstance(run, Run) and limit_us is not None and run.occurred_us > limit_us + FUTURE_MAX_US:
        return Bad("occurred_at", "future")
    return run


def forwarded_copies(log: Sequence[LogRecord], partitions: int, now_us: int | None = None) -> list[LogRecord]:
    """Return what forwarding appends to the home partitions, in the order of the (placed) *log*.

    Copies have no offset yet, and the greatest append time of the log: an older one would look like a gap to the next.
    """
    latest_us = max((entry.append_us for entry in log if entry.append_us is not None), default=None)
    copies = []
    for entry in log:
        run = readable(entry, now_us)
        if isinstance(run, Run) and (at := home(run.tenant_id, partitions)) != entry.partition:
            key = run.tenant_id.encode()
            copies.append(replace(entry, partition=at, offset=None, key=key, append_us=latest_us))
    return copies
