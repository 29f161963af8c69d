"""Producers whose records count only when their transaction is committed: some abort, some die in the middle."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from random import Random

from confluent_kafka import Producer

from tests.chaos.arena import Arena
from tests.chaos.outcome import Outcome
from tests.chaos.steady import Steady
from tests.end_to_end.broker import Partitioner, Sent
from tests.end_to_end.deployment import LEAVE_S

NAME = "transactions"
_PARTITIONERS: tuple[Partitioner, ...] = ("murmur2_random", "consistent_random", "murmur2_random", "consistent_random")
_WAIT_S = 30.0


@dataclass
class Teller:
    """A transactional producer, at any moment in a transaction or outside."""

    bootstrap: str
    name: str
    partitioner: Partitioner
    counted: set[str] = field(default_factory=set)
    taken_back: set[str] = field(default_factory=set)
    deaths: int = 0
    _open: list[str] | None = None

    def __post_init__(self) -> None:
        self._producer = self._new()

    def send(self, record: Sent) -> None:
        """Send *record* in the transaction that is open, a new one if none is."""
        if self._open is None:
            self._producer.begin_transaction()
            self._open = []
        key, value, headers = record
        self._producer.produce("costs", value, key, headers=list(headers))
        self._open.append(json.loads(value or b"{}")["id"])

    def end(self, random: Random) -> None:
        """Commit what is open, or abort it, or die; its successor of the same name then ends it."""
        if self._open is None:
            return
        match random.randrange(6):
            case 0 | 1:
                self._producer.flush(_WAIT_S)  # so that there is something in the log to be left out
                self._producer.abort_transaction(_WAIT_S)
                self.taken_back.update(self._open)
            case 2:
                self._producer.flush(_WAIT_S)
                self._producer = self._new()
                self.deaths += 1
                self.taken_back.update(self._open)
            case _:
                self._producer.commit_transaction(_WAIT_S)
                self.counted.update(self._open)
        self._open = None

    def _new(self) -> Producer:
        producer = Producer(
            {
                "bootstrap.servers": self.bootstrap,
                "transactional.id": self.name,
                "partitioner": self.partitioner,
                "transaction.timeout.ms": 60_000,
                "linger.ms": 2,
                "log_level": 0,
            }
        )
        producer.init_transactions(_WAIT_S)
        return producer


def run(arena: Arena) -> Outcome:
    """Send a stream in transactions that overlap; some are taken back; kill a worker meanwhile."""
    events = arena.events(arena.seconds)
    stream = Steady(arena.random, [f"tenant-{n}" for n in range(12)], 200, clean=True).take(events)
    half = len(stream) // 2
    with arena.deployment(chunk_records=50) as deployment, ExitStack() as on:
        tellers = [Teller(deployment.bootstrap, f"teller-{n}", each) for n, each in enumerate(_PARTITIONERS)]
        victim, other = (on.enter_context(deployment.worker()) for _ in range(2))
        deployment.claimed()
        with arena.stalls(deployment) as stalls:
            _sent(arena, tellers, stream[:half])
            victim.kill()
            successor = on.enter_context(deployment.worker())
            _sent(arena, tellers, stream[half:])
        for teller in tellers:
            teller.end(arena.random)
        left, found = arena.looked(deployment)
        assert all(worker.stop() < LEAVE_S for worker in (other, successor))
    counted = [name for teller in tellers for name in teller.counted]
    taken_back = [name for teller in tellers for name in teller.taken_back]
    assert taken_back
    assert left.counts["accepted"] == len(counted), "what was committed is not what was counted"
    deaths = sum(teller.deaths for teller in tellers)
    note = f"{len(taken_back)} of {len(stream)} records taken back, {deaths} producers died in a transaction"
    return Outcome(NAME, len(taken_back), 1, *found, stalls.longest_s, note)


def _sent(arena: Arena, tellers: Sequence[Teller], stream: Sequence[Sent]) -> None:
    """Send *stream* in about its share of the time, each record by any of the *tellers*."""
    pause_s = arena.seconds / 2 / len(stream)
    for record in stream:
        teller = arena.random.choice(tellers)
        teller.send(record)
        if arena.random.random() < 0.1:
            arena.random.choice(tellers).end(arena.random)
        time.sleep(pause_s)  # the rate
