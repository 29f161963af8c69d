"""What goes wrong beside nodes and connections: clocks, chunks, logs; and what a database tells of deaths and refusals.

Invariant: whatever a log loses is passed over only where an operator accepted it; ``History`` knows what that was.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from drivers.claims import pin_of
from engines.core.model import Position, TopicPartition
from tests.drivers.accepting import accept
from tests.simulation.database import Database, Watch
from tests.simulation.faults import Kind
from tests.simulation.tasks import NODE

if TYPE_CHECKING:
    from tests.simulation.world import World

ATTENTION_S = 5.0
"""How often an operator looks whether a partition has stopped."""
_NODE_STEPS_MS = (-3_600_000, -10_000, 20_000)
_BROKER_STEPS_MS = (-5_000, 60_000, 3_600_000)
_BEHIND_MAX_MS = 5_000
"""How far the broker's clock may be set back in all: days close on idle partitions by what it once said."""


class Mishaps(Watch):
    """Does to the world what faults say, and counts what came of it."""

    def __init__(self, world: World) -> None:
        self.deaths_at: Counter[tuple[TopicPartition, int]] = Counter()
        """By partition and offset how often an owner came to an unclean end while it tried that record alone."""
        self._world = world
        self._weather = world.weather
        self._behind_ms = 0
        self.deeds: dict[Kind, Callable[[str, float], None]] = {
            Kind.CHUNK_DROPPED: partial(self._disturb, Kind.CHUNK_DROPPED),
            Kind.CHUNK_REPEATED: partial(self._disturb, Kind.CHUNK_REPEATED),
            Kind.CLOCK_STEP: self._step,
            Kind.TRANSACTION: self._hold,
            Kind.LOG_START: lambda _node, _seconds: self._forget(),
            Kind.LOG_LOST: lambda _node, _seconds: self._lose(),
            Kind.TOPIC_RENEWED: lambda _node, _seconds: self._renew(),
        }

    def happened(self, kind: Kind, n: int = 1) -> None:
        """Count what is not drawn as a fault."""
        if n:
            self._weather.struck[kind] += n

    def failed(self, kind: Kind) -> None:
        """Take in that folding a record failed, or killed its process."""
        self.happened(kind)
        if kind is Kind.KILLED:
            self._world.tell(f"{NODE.get()} is killed by a record")
            self._world.crash(NODE.get())

    # -- what a database tells

    def closing(self) -> None:
        """Perhaps a settings row is appended now."""
        self._world.operator.closing()

    def claimed(self, before: Position | None, after: Position) -> None:
        """Count a death, and note what a first claim does not see any more."""
        if before is None:
            history = self._world.broker.history
            history.lose(after.tp, 0, history.place(after.tp, after.next_offset))
        elif not before.released and before.attempt is not None and before.attempt.limit == 1:
            self.deaths_at[after.tp, before.attempt.offset] += 1

    def rolled_back(self, database: Database) -> None:
        """Note that what was given up since is not given up any more."""
        for tp in self._world.broker.partitions:
            if self._world.store_for(tp) is database:
                position = database.tables.positions.get(tp)
                self._world.broker.history.went_back(tp, -1 if position is None else self._place(position))

    def refused(self) -> None:
        """Count a batch."""
        self.happened(Kind.REFUSED)

    # -- what faults do

    def _disturb(self, kind: Kind, node: str, _seconds: float) -> None:
        source = self._world.source_of(node)
        if source is not None:
            source.disturb(kind)

    def _step(self, node: str, _seconds: float) -> None:
        rng, source = self._weather.random, self._world.source_of(node)
        if source is not None and rng.random() < 0.7:
            source.ahead_ms = rng.choice(_NODE_STEPS_MS)
            return
        ms = rng.choice(_BROKER_STEPS_MS)
        if ms > 0 or self._behind_ms - ms <= _BEHIND_MAX_MS:
            self._behind_ms -= min(ms, 0)
            self._world.wall.step(ms)

    def _hold(self, _node: str, seconds: float) -> None:
        tp = self._world.broker.hold()
        if tp is not None:
            self._world.loop.later(seconds, self._world.broker.release, tp)

    def _forget(self) -> None:
        """Move a log's start up to where the oldest backup stands."""
        tp = self._weather.random.choice(self._world.broker.partitions)
        position, history = self._world.store_for(tp).oldest(tp), self._world.broker.history
        if position is not None and position.topic_id == self._world.broker.log.bounds(tp).topic_id:
            self._world.broker.forget(tp, position.next_offset)
        self._world.tell(f"{tp} begins at {self._world.broker.log.log(tp).start} of generation {history.generation}")

    def _lose(self) -> None:
        """Move a log's start past the position, as when a worker was away for longer than records are kept."""
        tp = self._weather.random.choice(self._world.broker.partitions)
        self._world.broker.forget(tp, self._world.broker.log.log(tp).end)
        self._world.tell(f"{tp} is lost up to {self._world.broker.log.log(tp).start}")

    def _renew(self) -> None:
        self._world.broker.renew()
        self._world.group.rebalance()
        self._world.tell("the topic is made anew")

    # -- the operator

    async def attend(self) -> None:
        """Let partitions go on that stopped because of their log, for ever."""
        while True:
            await asyncio.sleep(ATTENTION_S)
            for tp in self._world.broker.partitions:
                position = self._world.position(tp)
                if position is not None and self._stopped(position):
                    self._accept(position)

    def _stopped(self, position: Position) -> bool:
        log = self._world.broker.log.bounds(position.tp)
        return position.topic_id != log.topic_id or not log.start <= position.next_offset <= log.end

    def _accept(self, position: Position) -> None:
        """Do what ``outlay positions accept --earliest`` does."""
        tp, broker = position.tp, self._world.broker
        log, tables = broker.log.bounds(tp), self._world.store_for(tp).tables
        broker.history.lose(tp, self._place(position), broker.history.place(tp, log.start))
        accept(tables, tp, log, log.start)
        tables._state.pins[tp.topic] = pin_of(tp.topic, log)
        self.happened(Kind.ACCEPTED)
        self._world.tell(f"{tp} goes on at {log.start}")

    def _place(self, position: Position) -> int:
        generation = int(position.topic_id.rpartition(" ")[2])
        return self._world.broker.history.place(position.tp, position.next_offset, generation)
