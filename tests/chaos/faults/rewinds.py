"""Kafka's offsets rewound and deleted while the state is kept, and the state wiped while the log is kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Final

import asyncpg
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.chaos.arena import Arena
from tests.chaos.measured import Measured
from tests.chaos.outcome import Outcome
from tests.end_to_end import broker, database, exact, records
from tests.end_to_end.deployment import LEAVE_S, Deployment

NAME = "rewinds"
_ROUND_S = 20.0
_WAIT_S: Final = 20.0
_PATIENCE_S = 60.0
_WIPE = ("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")


def run(arena: Arena) -> Outcome:
    """Do the one and the other; with state nothing changes, without it everything comes out the same."""
    rounds = max(1, round(arena.seconds / 2 / _ROUND_S))
    kept = _kept(arena, rounds)
    wiped = _wiped(arena)
    note = f"offsets deleted and half of them set {rounds} times, state wiped and replayed once: same bytes"
    return Outcome(NAME, rounds + 1, 0, *(kept + wiped), 0.0, note)


def _kept(arena: Arena, rounds: int) -> Measured:
    seconds = arena.seconds / 2 / rounds
    stream = arena.stream(arena.events(arena.seconds / 2))
    part = len(stream) // (rounds + 1)
    before: exact.Left | None = None
    with arena.deployment() as deployment:
        for number in range(rounds + 1):
            arena.say(f"offsets, {number} of {rounds}")
            with deployment.worker(chunk_records=50) as worker:
                if before is None:
                    deployment.claimed()
                else:
                    deployment.eventually(partial(_claimed, deployment, before), "all is claimed again")
                    arena.settled(deployment)
                    _same(before, exact.left(deployment))
                with arena.load(deployment, stream[number * part :][:part], seconds):
                    deployment.reached(deployment.events + 1)
                arena.settled(deployment)
                assert worker.stop() < LEAVE_S
            before = exact.left(deployment)
            if number < rounds:
                _move_offsets(arena, deployment)
        return arena.measured(deployment)


def _same(before: exact.Left, after: exact.Left) -> None:
    for name in ("log", "facts", "dead", "late", "snapshots", "anomalies", "revisions"):
        assert getattr(after, name) == getattr(before, name), f"{name} changed with the offsets"
    assert after.counts == before.counts


def _claimed(deployment: Deployment, before: exact.Left) -> bool | None:
    """Return True once another worker owns every partition."""
    now = database.progress(deployment.database_url)
    return (
        len(now) == len(before.positions) and all(now[p].epoch > one.epoch for p, one in before.positions.items())
    ) or None


def _move_offsets(arena: Arena, deployment: Deployment) -> None:
    """Have the group stand anywhere in some partitions, and nowhere in others."""
    group = deployment.environment["OUTLAY_GROUP_ID"]
    client = AdminClient({"bootstrap.servers": deployment.bootstrap, "log_level": 0})
    client.delete_consumer_groups([group])[group].result(_WAIT_S)
    ends = broker.ends(deployment.bootstrap, "costs")
    places = [
        TopicPartition("costs", p, arena.random.choice([0, ends[p], arena.random.randint(0, ends[p])]))
        for p in arena.random.sample(sorted(ends), len(ends) // 2)
    ]
    client.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, places)])[group].result(_WAIT_S)


def _wiped(arena: Arena) -> Measured:
    """Replay a log to which a replay appends nothing, so that it is the same log."""
    stream = records.at_home(arena.stream(arena.events(arena.seconds / 2)))
    with arena.deployment() as deployment:
        with deployment.worker(chunk_records=50) as worker:
            deployment.claimed()
            with broker.load(deployment.bootstrap, stream, rate=2 * len(stream) / arena.seconds):
                deployment.eventually(
                    lambda: deployment.events >= len(stream) // 2 or None,
                    "half is taken in",
                    arena.seconds + _PATIENCE_S,
                )
            first = arena.measured(deployment)
            assert worker.stop() < LEAVE_S
        before = _last_lines(deployment)
        arena.say("wipes the state and replays")
        database.run(deployment.database_url, *_WIPE)
        database.prepare(deployment.database_url)
        with deployment.worker(chunk_records=1000) as worker:
            deployment.claimed()
            again = arena.measured(deployment)
            assert worker.stop() < LEAVE_S
        assert _last_lines(deployment) == before, "replayed, a last revision is not the same bytes"
    return first + again


def _last_lines(deployment: Deployment) -> dict[str, dict[object, bytes]]:
    """Return the bytes of the last revision of each anomaly, as stored and as published."""

    async def look(connection: asyncpg.Connection[asyncpg.Record]) -> list[str]:
        return [row[0] for row in await connection.fetch("SELECT line::text FROM anomalies")]

    stored = [line.encode() for lines in database.ask_each(deployment.database_url, look) for line in lines]
    told = [one.value or b"null" for one in broker.read(deployment.bootstrap, exact.FACTS)]
    return {"stored": _newest(stored), "published": _newest(told)}


def _newest(lines: Sequence[bytes]) -> dict[object, bytes]:
    named = sorted((one["anomaly_id"], one["revision"], line) for line in lines for one in [json.loads(line)])
    return {name: line for name, _, line in named}
