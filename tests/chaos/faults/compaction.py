"""A topic whose log is compacted under the position: offsets that are gone before it and behind it are no loss."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

from tests import oracle
from tests.chaos import admin
from tests.chaos.arena import Arena
from tests.chaos.measured import counted
from tests.chaos.outcome import Outcome
from tests.chaos.steady import Steady
from tests.end_to_end import broker, database, exact
from tests.end_to_end.deployment import LEAVE_S, Deployment

NAME = "compaction"
_RECORDS, _RECORDS_LEAST = 3_000, 600
_COMPACT = {
    "cleanup_policy": "compact",
    "segment_ms": "100",
    "min_cleanable_dirty_ratio": "0.01",
    "max_compaction_lag_ms": "100",
}
_CLEANED_S = 90.0


def run(arena: Arena) -> Outcome:
    """Stop workers in the middle of a log, have it compacted on both sides of their position, and let them go on."""
    number = arena.number(_RECORDS, _RECORDS_LEAST)
    tenants = [f"tenant-{n}" for n in range(8)]
    days = Steady(arena.random, tenants, number // 20, clean=True)
    stream = days.take(number)
    last: list[broker.Sent] = [
        record for _, record in sorted({key or b"": (key, value, ()) for key, value, _ in stream}.items())
    ]
    with arena.deployment() as deployment, ExitStack() as on:
        admin.set_broker(deployment.bootstrap, log_cleaner_backoff_ms="500")
        with broker.load(deployment.bootstrap, stream[: number // 2]):
            pass
        worker = on.enter_context(deployment.worker(chunk_records=50))
        deployment.reached(number // 3)
        worker.stop()
        with broker.load(deployment.bootstrap, stream[number // 2 :]):
            pass
        before = broker.read(deployment.bootstrap, "costs")
        stood = database.progress(deployment.database_url)
        arena.say("compacts")
        _compacted(deployment, len(before), last)
        with deployment.worker(chunk_records=50) as other:
            arena.settled(deployment)
            left = exact.left(deployment)
            assert other.stop() < LEAVE_S
    ahead = [entry for entry in left.log if entry.offset is not None and entry.offset >= _stood(stood, entry.partition)]
    read = [r for r in before if r.offset < stood[r.partition].next_offset]
    had = [oracle.LogRecord(r.value, r.headers, r.timestamp_ms * 1000, r.key, r.partition, r.offset) for r in read]
    found = counted(replace(left, log=[*had, *ahead]))
    gone_behind = len(before) - len(read) - len(ahead) + len(last)
    assert gone_behind > 0, "nothing was compacted that was still to be read: this proves little"
    note = f"{len(before) + len(last) - len(left.log)} of {len(before)} records compacted, {gone_behind} of them unread"
    return Outcome(NAME, gone_behind, 0, *found, 0.0, note)


def _stood(stood: dict[int, database.Progress], partition: int | None) -> int:
    assert partition is not None
    return stood[partition].next_offset


def _compacted(deployment: Deployment, records: int, last: list[broker.Sent]) -> None:
    """Have the log compacted, and then no more: what workers meet is what we see."""
    bootstrap = deployment.bootstrap
    admin.set_topic(bootstrap, **_COMPACT)
    with broker.load(bootstrap, last):  # the segments that hold the rest are not compacted while they are written to
        pass

    def cleaned() -> int | None:
        now = len(broker.read(bootstrap, "costs"))
        return now if now < (records + len(last)) * 2 // 3 else None

    deployment.eventually(cleaned, "the log is compacted", _CLEANED_S)
    admin.set_topic(bootstrap, cleanup_policy="delete")
