"""The shell's numbers: how much at once, how long, how often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_AT_LEAST_ONE: Final = (
    "chunk_records",
    "commit_records",
    "pending_records",
    "pending_outbox",
    "pending_outbox_bytes",
    "close_slice_tenants",
    "projection_rows",
    "publish_rows",
)
"""With none of it at once, work would go round and round, or wait for ever."""


@dataclass(frozen=True, slots=True)
class ShellLimits:
    """What bounds one partition's work.

    Attributes:
        chunk_records: records folded per step; the top of the failure ladder.
        commit_records, commit_every_s: while more is known to come, a commit waits for this many records or this long:
            pages that change again and again are written less often. At the end of the log it does not wait.
        pending_records: records folded but not yet committed before folding waits.
        pending_outbox: outbox rows not yet committed or not yet acknowledged before folding waits.
        pending_outbox_bytes: the same in bytes of values: dead letters may be large.
        cache_entities: entities kept in clean pages per partition before the oldest are dropped.
        dedup_days: days before the watermark's day whose identities are kept (CONTRACT §3: the floor): an older record
            of a closed day cannot be told from a copy any more and is not counted.
        closed_ids_max: identities of closed days kept in memory per partition, 20 bytes each, before the longest unused
            days go.
        close_slice_tenants: tenants per step of a close, and of judging again when settings have changed.
        projection_every_s: shortest time between two writings of projections.
        projection_rows: projection rows per commit, closes excepted.
        projection_share: largest share of the time that writing projections may take; while the log is known to hold
            more it is that of all partitions together.
        projection_rest_max_s: longest rest after one, however long it took: an outage is no load.
        published_cursor_after_s: how long a moved published cursor waits for other work to travel with.
        look_every_s: how often an owner with nothing to commit looks whether its position row still is as it left it.
        publish_rows: outbox rows per call of the publisher.
        idle_margin_s: how far an idle partition's closes stay behind the clock, for skew between it and the broker's.
        reclaim_after_s: how long a fenced owner waits before it claims again (a group session).
        claims_wait_s: how long an assignment waits for its claims before chunks of those that succeeded may come.
        release_s: how long a release may take.
        backoff_s, backoff_max_s: first and longest wait after a transient failure.
        deaths_before_dead_letter: deaths at a single record before it is dead-lettered.
        dead_letters_max, dead_letter_ratio: the worker stops when more than this many records *and* more than
            this share of all it has seen went to the dead letters.

    Raises:
        ValueError: a number that lets nothing get done; its name comes first.
    """

    chunk_records: int = 5_000
    commit_records: int = 20_000
    commit_every_s: float = 2.0
    pending_records: int = 40_000
    pending_outbox: int = 20_000
    pending_outbox_bytes: int = 64 << 20
    cache_entities: int = 100_000
    dedup_days: int = 35
    closed_ids_max: int = 8_000_000
    close_slice_tenants: int = 64
    projection_every_s: float = 1.0
    projection_rows: int = 4_000
    projection_share: float = 0.1
    projection_rest_max_s: float = 30.0
    published_cursor_after_s: float = 1.0
    look_every_s: float = 15.0
    publish_rows: int = 1_000
    idle_margin_s: float = 30.0
    reclaim_after_s: float = 12.0
    claims_wait_s: float = 2.0
    release_s: float = 4.0
    backoff_s: float = 0.1
    backoff_max_s: float = 5.0
    deaths_before_dead_letter: int = 2
    dead_letters_max: int = 10_000
    dead_letter_ratio: float = 0.5

    def __post_init__(self) -> None:
        """Refuse what would let nothing get done."""
        for name in _AT_LEAST_ONE:
            if (given := getattr(self, name)) < 1:
                raise ValueError(f"{name}: {given} is less than 1")
        if self.projection_share <= 0:
            raise ValueError(f"projection_share: {self.projection_share} is no share of the time")
