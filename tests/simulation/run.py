"""One seed from beginning to end: the shell on simulated ports, a stream, faults, calm, and the oracle's verdict."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from drivers.kafka.murmur2 import partition_of
from drivers.memory.store import MemoryStore
from engines.core.model import Context, Effects, TopicPartition
from engines.core.ports import Domain, Event, Pages
from engines.cost.anomalies import FACTS_TOPIC
from engines.cost.domain import TOPIC, CostDomain
from engines.cost.event import CostEvent
from engines.cost.prices import UNKNOWN_MODEL, UNKNOWN_PROVIDER, Unpriced
from engines.cost.rules import STANDARD
from streams import fates
from streams.deps import Deps
from streams.shell import Shell
from tests.generated import Shape
from tests.oracle import LogRecord, Record, decode, placed
from tests.simulation.check import problems
from tests.simulation.faults import Kind, Plan
from tests.simulation.group import SimSource
from tests.simulation.loop import SimLoop, SimulationError
from tests.simulation.world import World
from tests.strategies import make_stream

STORM_S = 120.0
DAYS_AFTER = 3
LATE_S = 75.0
"""What is on its way or stands still when the calm comes has arrived and goes on after this."""
START_MS = {True: 1_600_000_000_000, False: 1_800_000_000_000}
"""Where the clock starts, by whether the stream is live: before its first event, or after its last."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a plan: problems (none: it held), faults that struck, steps run, records read."""

    plan: Plan
    problems: list[str]
    struck: Counter[Kind]
    steps: int
    events: int


class _NoPrices:
    """Knows no model: a record without a cost stays unpriced."""

    version = "none"

    def price_of(self, event: CostEvent) -> int | Unpriced:
        """Return the reason, by the provider's name."""
        return UNKNOWN_PROVIDER if (event.provider or "").startswith("no-such") else UNKNOWN_MODEL


class Worker:
    """The shell and its source, as the composition root joins them."""

    def __init__(self, domain: Domain, world: World, source: SimSource) -> None:
        self._source = source
        self._shell = Shell(
            Deps(
                domains={TOPIC: domain},
                store_for=world.store_for,
                publisher=world.broker,
                source=source,
                clock=world.wall,
                partition_of=partition_of,
                limits=world.plan.limits,
                sleep=asyncio.sleep,
                halt=lambda reason: world.halts.append(f"{source.node}: {reason}"),
            )
        )

    async def run(self) -> None:
        """Work until ``stop``."""
        await self._source.run(self._shell)

    async def stop(self) -> None:
        """Leave in good order."""
        await self._source.stop()


class _Poisoned(CostDomain):
    """The rules with a bug: folding a record whose id is *poison* fails, after pages have been changed."""

    def __init__(self, poison: Collection[str]) -> None:
        super().__init__(_NoPrices(), STANDARD)
        self._poison = frozenset(poison)

    def fold(self, pages: Pages, events: Mapping[str, Sequence[Event]], context: Context) -> Effects:
        """Fold *events*, and fail when one of them is poison."""
        effects = super().fold(pages, events, context)
        if any(event.id in self._poison for of_tenant in events.values() for event in of_tenant):
            raise ValueError("poison")
        return effects


def simulate(
    plan: Plan,
    tables: Callable[[], MemoryStore] = MemoryStore,
    *,
    poisoned: bool = False,
    tell: Callable[[str], None] | None = None,
    trace: Callable[[float, str, str], None] | None = None,
) -> Result:
    """Return what came of *plan*.

    Args:
        tables: makes a database.
        poisoned: let the folding of some records fail for good; those must end as dead letters, and nothing else.
        tell: hears what happens; *trace* every step.
    """
    random.seed(plan.seed)  # retries draw their jitter from the common source
    loop = SimLoop(plan.seed, trace=trace)
    shape = Shape(records_max=plan.events, foreign=plan.foreign, append="live" if plan.live else "none")
    if poisoned:  # which of several copies is folded would decide what is dead
        shape = replace(shape, conflicts=False, late=False, bad=False, foreign=False, append="live")
    stream = placed(make_stream(plan.seed, shape), plan.partitions)
    poison = _poisonable(stream)[::7] if poisoned else []
    domain = _Poisoned(poison)
    topics = {TOPIC: plan.partitions, FACTS_TOPIC: 2, fates.DEAD_LETTERS: 1, fates.LATE_RECORDS: 1}
    world = World(
        plan,
        loop,
        topics,
        START_MS[plan.live or poisoned],
        partial(Worker, domain),
        tables,
        tell or (lambda _line: None),
    )
    found: list[str] = []
    try:
        loop.run(_main(world, stream))
        found = problems(world, poison)
    except SimulationError as error:
        found = [f"{type(error).__name__}: {error}"]
    finally:
        found += [*world.group.failures, *world.halts]
        loop.tear_down()
    found += loop.failures
    return Result(plan, found, world.weather.struck, loop.steps, len(stream))


def _poisonable(stream: list[LogRecord]) -> list[str]:
    """Return the ids that only one record bears, and that not as the last one of its partition.

    That a record cannot be folded shows only when the silence before it has been passed; the record after it makes
    up for that, if there is one.
    """
    records = {at: decode(entry.value, entry.headers) for at, entry in enumerate(stream)}
    last = {entry.partition: at for at, entry in enumerate(stream)}.values()
    counts = Counter(record.id for record in records.values() if isinstance(record, Record))
    return [r.id for at, r in records.items() if isinstance(r, Record) and counts[r.id] == 1 and at not in last]


async def _main(world: World, stream: list[LogRecord]) -> None:
    world.open()
    await _produce(world, stream)
    with suppress(TimeoutError):
        await asyncio.wait_for(world.weather.spent.wait(), STORM_S)
    world.tell("calm")
    world.weather.calm()
    await asyncio.sleep(world.plan.limits.look_every_s + LATE_S)
    await world.settled(lambda: _undone(world))
    world.wall.advance_to(world.wall.now_ms() + DAYS_AFTER * 86_400_000)
    world.tell("days pass")
    seen_ms = world.wall.now_ms()
    await world.settled(lambda: _unclosed(world, seen_ms) or _undone(world))
    await world.close()


async def _produce(world: World, stream: list[LogRecord]) -> None:
    """Append *stream*; live, at the times it names, the clock put forward in between."""
    rng = random.Random(f"producer {world.plan.seed}")
    for entry in stream:
        await asyncio.sleep(rng.choice((0.0, 0.0, 0.0, 0.01, 0.5)))
        if entry.append_us is not None:
            at_ms = entry.append_us // 1000
            if at_ms - world.wall.now_ms() > 60_000 and rng.random() < 0.3:
                world.wall.advance_to(rng.randint(world.wall.now_ms(), at_ms))
                await asyncio.sleep(rng.choice((1.0, 5.0)))
            world.wall.advance_to(at_ms)
        assert entry.partition is not None
        tp = TopicPartition(TOPIC, entry.partition)
        if rng.random() < world.plan.gaps:
            world.broker.log.skip(tp, rng.randint(1, 5))
        world.broker.log.append(tp, entry.value, key=entry.key, headers=entry.headers)
        world.broker.wake()
    for tp in world.broker.partitions:
        if rng.random() < world.plan.gaps:
            world.broker.log.skip(tp, 1)
    world.tell(f"{len(stream)} records produced")


def _undone(world: World) -> str:
    """Return what is not consumed, committed, published and projected yet."""
    for tp in world.broker.partitions:
        position, tables = world.position(tp), world.store_for(tp).tables
        end = world.broker.log.log(tp).end
        if position is None or position.next_offset != end:
            return f"{tp} is not consumed up to {end}: {position}"
        if tables.outbox.get(tp) or position.published != position.outbox_seq:
            return f"{tp} is not published: {position}"
        if any(page.as_of > position.projected for page in tables.pages.get(tp, {}).values()):
            return f"{tp} is not projected: {position}"
        if position.closing_day is not None:
            return f"{tp} has a close under way: {position}"
    return ""


def _unclosed(world: World, seen_ms: int) -> str:
    """Return which partition has not closed what the silence up to *seen_ms* closes."""
    domain = CostDomain(_NoPrices(), STANDARD)
    margin_ms = int(world.plan.limits.idle_margin_s * 1000)
    for tp in world.broker.partitions:
        position = world.position(tp)
        if position is None or position.watermark_us is None or position.last_append_ms is None:
            continue
        gap_us = (seen_ms - margin_ms - position.last_append_ms) * 1000
        due = domain.closable_through(position.watermark_us + gap_us)
        if gap_us > 60_000_000 and (position.closed_through is None or position.closed_through < due):
            return f"{tp} is not closed through {due}: {position}"
    return ""
