"""Logs that are not those that the positions belong to: cut past them, made anew, or with more partitions.

Each stops the partitions that it concerns, loudly, and until an operator has decided nothing of them is counted.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import pytest

from drivers import topics
from drivers.embedded.processes import free_port
from tests import oracle
from tests.chaos import admin
from tests.chaos.arena import Arena
from tests.chaos.measured import Measured, counted
from tests.chaos.outcome import Outcome
from tests.chaos.steady import Steady
from tests.end_to_end import broker, database, exact
from tests.end_to_end.deployment import LEAVE_S, PARTITIONS, Deployment, Worker

NAME = "moved-log"
_RECORDS, _RECORDS_LEAST = 2_400, 480
_CUT = (1, 4, 7)
"""Partitions whose logs are cut past their positions."""
_CUT_AT_WORK = 10
"""One whose log is cut while its owner stands still."""
_MORE = PARTITIONS + 1


def run(arena: Arena) -> Outcome:
    """Move logs in three ways, see who notices, and do what an operator would."""
    days = Steady(arena.random, [f"tenant-{n}" for n in range(30)], 120, clean=True)
    number = arena.number(_RECORDS, _RECORDS_LEAST)
    lost, cut = _cut(arena, days.take(number))
    renewed = _renewed(arena, days.take(number))
    widened = _widened(arena, days.take(number))
    note = f"log start moved: {lost} records nobody read; topic made anew: stopped, accepted; more partitions: stopped"
    return Outcome(NAME, len(_CUT) + 2 * PARTITIONS + 1, 0, *(cut + renewed + widened), 0.0, note)


# ------------------------------------------------------------ the log start moved


def _cut(arena: Arena, stream: Sequence[broker.Sent]) -> tuple[int, Measured]:
    """Cut logs past their positions, while nobody reads and while somebody stands still; then accept."""
    third = len(stream) // 3
    with arena.deployment() as deployment:
        had = _taken_in(arena, deployment, stream[:third])
        arena.say("the log start moves while nobody reads")
        sent = _sent(deployment, stream[third : 2 * third])
        ends = broker.ends(deployment.bootstrap, "costs")
        stood = database.progress(deployment.database_url)
        starts = {p: (stood[p].next_offset + ends[p] + 1) // 2 for p in _CUT}
        assert all(start > stood[p].next_offset for p, start in starts.items())
        admin.cut(deployment.bootstrap, starts)
        port = free_port()
        with deployment.worker(metrics_port=port) as worker:
            _stopped(deployment, worker, _CUT, "lies outside the log")
            _others_go_on(deployment, ends, _CUT)
            now = database.progress(deployment.database_url)
            assert all(now[p].counts == stood[p].counts for p in _CUT), "something of a stopped partition was counted"
            assert _ready(port)["stopped"] == len(_CUT)
            kept, gone = _without(sent, stood, starts)
            deployment.outlay(*(f"positions accept costs {p} --earliest --yes" for p in _CUT))
            arena.settled(deployment)
            arena.say("the log start moves under a worker that stands still")
            worker.freeze()
            sent = _sent(deployment, stream[2 * third :])
            starts = {_CUT_AT_WORK: broker.ends(deployment.bootstrap, "costs")[_CUT_AT_WORK] - 1}
            admin.cut(deployment.bootstrap, starts)
            worker.thaw()
            _stopped(deployment, worker, [_CUT_AT_WORK], "lies outside the log")
            kept_then, gone_then = _without(sent, database.progress(deployment.database_url), starts)
            deployment.outlay(f"positions accept costs {_CUT_AT_WORK} --earliest --yes")
            arena.settled(deployment)
            left = exact.left(deployment)
            assert worker.stop() < LEAVE_S
    assert gone
    assert gone_then
    return gone + gone_then, counted(replace(left, log=[*had, *kept, *kept_then]))


def _without(
    sent: Sequence[oracle.LogRecord], stood: dict[int, database.Progress], starts: dict[int, int]
) -> tuple[list[oracle.LogRecord], int]:
    """Return what of *sent* can still be read or has been, and how many records lay between position and start."""
    gone = {(p, offset) for p, start in starts.items() for offset in range(stood[p].next_offset, start)}
    kept = [entry for entry in sent if (entry.partition, entry.offset) not in gone]
    return kept, len(sent) - len(kept)


# ------------------------------------------------------------ the topic made anew


def _renewed(arena: Arena, stream: Sequence[broker.Sent]) -> Measured:
    """Make the topic anew while nobody reads; no partition may go on in it by itself."""
    half = len(stream) // 2
    with arena.deployment() as deployment:
        had = _taken_in(arena, deployment, stream[:half])
        arena.say("the topic is made anew")
        stood = database.progress(deployment.database_url)
        broker.renew_topics(deployment.bootstrap, [topics.load().named("costs")])
        _sent(deployment, stream[half:])
        with deployment.worker() as worker:
            _stopped(deployment, worker, range(PARTITIONS), "the topic id is")
            now = database.progress(deployment.database_url)
            assert all(now[p].counts == stood[p].counts for p in range(PARTITIONS)), "something was counted"
            deployment.outlay(*(f"positions accept costs {p} --earliest --yes" for p in range(PARTITIONS)))
            arena.settled(deployment)
            left = exact.left(deployment)
            assert worker.stop() < LEAVE_S
    return counted(replace(left, log=[*had, *left.log]))


# ------------------------------------------------------------ more partitions


def _widened(arena: Arena, stream: Sequence[broker.Sent]) -> Measured:
    """Give the topic one more partition; everything stops, until the state is built anew from the log."""
    half = len(stream) // 2
    with arena.deployment() as deployment:
        with deployment.worker() as worker:
            deployment.claimed()
            _sent(deployment, stream[:half])
            arena.settled(deployment)
            arena.say("the topic gets one more partition")
            admin.widen(deployment.bootstrap, _MORE)
            with deployment.worker() as other:  # who joins has the group look at the topic again
                for one in (worker, other):
                    deployment.eventually(
                        lambda one=one: "STOPPED" in one.said or None,  # type: ignore[misc]
                        "a worker sees that the topic has one more partition",
                    )
                stood = database.progress(deployment.database_url)
                _sent(deployment, stream[half:])
                said = worker.said + other.said
                for p in range(PARTITIONS):
                    assert f"costs/{p}: the topic has {_MORE} partitions, the state was built with {PARTITIONS}" in said
                assert worker.stop() < LEAVE_S
                assert other.stop() < LEAVE_S
            now = database.progress(deployment.database_url)
            assert all(now[p].counts == stood[p].counts for p in stood), "something was counted"
        deployment.outlay("migrate --rebuild --yes")
        deployment.partitions = _MORE
        with deployment.worker() as worker:
            arena.settled(deployment)
            left = exact.left(deployment)
            assert worker.stop() < LEAVE_S
    # What was told provisionally of the order that records had before stays in its topic (CONTRACT §5).
    now_told = {(line["anomaly_id"], line["revision"]) for line in left.revisions}
    return counted(replace(left, facts={name: fact for name, fact in left.facts.items() if name in now_told}))


# ------------------------------------------------------------ parts of these


def _sent(deployment: Deployment, stream: Sequence[broker.Sent]) -> list[oracle.LogRecord]:
    """Send *stream*, and return what that added to the log."""
    before = broker.ends(deployment.bootstrap, "costs")
    with broker.load(deployment.bootstrap, stream):
        pass
    return [entry for entry in _log(deployment) if (entry.offset or 0) >= before[entry.partition or 0]]


def _taken_in(arena: Arena, deployment: Deployment, stream: Sequence[broker.Sent]) -> list[oracle.LogRecord]:
    """Send *stream*, have it taken in, and return the log."""
    with broker.load(deployment.bootstrap, stream):
        pass
    with deployment.worker() as worker:
        arena.settled(deployment)
        assert worker.stop() < LEAVE_S
    return _log(deployment)


def _log(deployment: Deployment) -> list[oracle.LogRecord]:
    return [
        oracle.LogRecord(r.value, r.headers, r.timestamp_ms * 1000, r.key, r.partition, r.offset)
        for r in broker.read(deployment.bootstrap, "costs")
    ]


def _stopped(deployment: Deployment, worker: Worker, partitions: Collection[int], why: str) -> None:
    """Return when *worker* has said of each of *partitions* that it is stopped, and *why*."""

    def said() -> bool | None:
        lines = worker.said.splitlines()
        told = [any(f"costs/{p}: STOPPED" in line and why in line for line in lines) for p in partitions]
        return all(told) or None

    deployment.eventually(said, f"partitions {list(partitions)} are stopped: {why}")


def _others_go_on(deployment: Deployment, ends: dict[int, int], stopped: Collection[int]) -> None:
    def drained() -> bool | None:
        found = database.progress(deployment.database_url)
        return all(found[p].next_offset == end for p, end in ends.items() if p not in stopped) or None

    deployment.eventually(drained, "other partitions go on")


def _ready(port: int) -> dict[str, Any]:
    """Return what the worker says to whoever asks whether it is ready: it is not."""
    with pytest.raises(urllib.error.HTTPError, match="503") as refused:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5)
    answer: dict[str, Any] = json.loads(refused.value.read())
    return answer
