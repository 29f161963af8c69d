"""One seed from beginning to end: the shell on simulated ports, a stream, faults, calm, and the oracle's verdict."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from drivers.kafka.murmur2 import partition_of
from drivers.memory.store import MemoryStore
from engines.core.model import Invalid, LogRecord, TopicPartition
from engines.core.ports import Domain
from engines.cost.fold import FoldLimits
from engines.cost.lines import SNAPSHOTS_TOPIC
from streams import fates
from streams.deps import Deps
from streams.settings_watch import SettingsWatch
from streams.shell import Shell
from tests.simulation.broker import SimLog
from tests.simulation.check import problems
from tests.simulation.database import IDENTITY_BYTES
from tests.simulation.faults import Kind, Plan
from tests.simulation.feeds import Feed, feed_of
from tests.simulation.group import SimSource
from tests.simulation.loop import SimLoop, SimulationError
from tests.simulation.operator import SimHead
from tests.simulation.reading import TOLD, topic_of
from tests.simulation.rules import SimDomain, SimRuns, identity_of
from tests.simulation.world import World

STORM_S = 45.0
DAYS_AFTER = 40
"""In the end the clock goes on until every month is closed: then what stands is what was told."""
LATE_S = 5.0
"""Whatever is on its way has arrived so much later than it struck, or than what stood still goes on."""
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


@dataclass(frozen=True, slots=True)
class Parts:
    """What is simulated: the real thing, or something with a bug planted in it."""

    tables: Callable[[], MemoryStore] = MemoryStore
    shell: Callable[[Deps], Shell] = Shell
    rules: type[SimDomain] = SimDomain
    rules_of_runs: type[SimRuns] = SimRuns
    log: type[SimLog] = SimLog


REAL = Parts()


class Worker:
    """The shell and its source, as the composition root joins them."""

    def __init__(self, domain: Domain, shell: Callable[[Deps], Shell], world: World, source: SimSource) -> None:
        plan = world.plan
        self._source = source
        heads = [SimHead(database, world) for database in world.databases]
        self._watch = SettingsWatch(heads, plan.settings_poll_s, plan.limits, asyncio.sleep)
        self._shell = shell(
            Deps(
                domains={domain.topic: domain},
                store_for=world.store_for,
                publisher=world.broker,
                source=source,
                clock=world.wall,
                partition_of=partition_of,
                limits=plan.limits,
                sleep=asyncio.sleep,
                settings_known=self._watch.known,
                halt=self._halt,
            )
        )

        self._world = world

    def _halt(self, reason: str) -> None:
        if not self._world.loop.is_dead(self._source.node):
            self._world.halts.append(f"{self._source.node}: {reason}")

    async def run(self) -> None:
        """Work until ``stop``."""
        watching = asyncio.ensure_future(self._watch.follow())
        try:
            await self._source.run(self._shell)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def stop(self) -> None:
        """Leave in good order."""
        await self._source.stop()


def simulate(
    plan: Plan,
    parts: Parts = REAL,
    *,
    tell: Callable[[str], None] | None = None,
    trace: Callable[[float, str, str], None] | None = None,
) -> Result:
    """Return what came of *plan*.

    Args:
        parts: what is simulated.
        tell: hears what happens; *trace* every step.
    """
    random.seed(plan.seed)  # retries draw their jitter from the common source
    loop = SimLoop(plan.seed, trace=trace)
    feed = feed_of(plan)
    told = [SNAPSHOTS_TOPIC, *TOLD[topic_of(plan)]]
    topics = {topic_of(plan): plan.partitions, **dict.fromkeys(told, 2), fates.DEAD_LETTERS: 1, fates.LATE_RECORDS: 1}
    domain = _rules(plan, parts, feed)
    build = partial(Worker, domain, parts.shell)
    world = World(plan, loop, topics, START_MS[feed.live], build, parts.tables, tell or (lambda _line: None), parts.log)
    domain.harm.struck = world.mishaps.failed
    for database in world.databases:
        database.refused = _stamps(feed, domain)
    found: list[str] = []
    try:
        loop.run(_main(world, feed))
        found = problems(world, feed)
    except SimulationError as error:
        found = [f"{type(error).__name__}: {error}"]
    finally:
        found += [*world.group.failures, *world.halts]
        loop.tear_down()
    found += loop.failures
    return Result(plan, found, world.weather.struck, loop.steps, len(feed.log))


async def _main(world: World, feed: Feed) -> None:
    world.operator.begin(feed.rows)
    world.open()
    await _produce(world, feed)
    with suppress(TimeoutError):
        await asyncio.wait_for(world.weather.spent.wait(), STORM_S)
    world.tell("calm")
    world.calm()
    rest_s = max(0.0, world.weather.until_s - world.loop.time())
    await asyncio.sleep(rest_s + world.plan.limits.look_every_s + LATE_S)
    await world.settled(lambda: _undone(world))
    world.wall.advance_to(world.wall.now_ms() + DAYS_AFTER * 86_400_000)
    if world.broker.history.generation:
        await asyncio.sleep(world.plan.limits.projection_rest_max_s + LATE_S)
    world.tell("days pass")
    seen_ms = world.wall.now_ms()
    await world.settled(lambda: _unclosed(world, seen_ms) or _undone(world))
    await world.close()


async def _produce(world: World, feed: Feed) -> None:
    """Append the stream; live, at the times it names, the clock put forward in between."""
    rng = random.Random(f"producer {world.plan.seed}")
    for number, entry in enumerate(feed.log):
        world.operator.reached(number)
        await asyncio.sleep(rng.choice((0.0, 0.0, 0.0, 0.01, 0.5)))
        if entry.append_us is not None:
            at_ms = entry.append_us // 1000
            if at_ms - world.wall.now_ms() > 60_000 and rng.random() < 0.3:
                world.wall.advance_to(rng.randint(world.wall.now_ms(), at_ms))
                await asyncio.sleep(rng.choice((1.0, 5.0)))
            world.wall.advance_to(at_ms)
        assert entry.partition is not None
        tp = TopicPartition(world.broker.log.topic, entry.partition)
        if rng.random() < world.plan.gaps:
            world.broker.log.skip(tp, rng.randint(1, 5))
            world.mishaps.happened(Kind.GAP)
        world.broker.log.append(tp, entry.value, key=entry.key, headers=entry.headers)
        world.broker.wake()
    for tp in world.broker.partitions:
        if rng.random() < world.plan.gaps:
            world.broker.log.skip(tp, 1)
    world.operator.reached(None)
    world.tell(f"{len(feed.log)} records produced")


def _rules(plan: Plan, parts: Parts, feed: Feed) -> SimDomain | SimRuns:
    if plan.runs:
        return parts.rules_of_runs(feed.poison, feed.killers, calibrated=plan.rich)
    return parts.rules(feed.poison, feed.killers, FoldLimits(plan.entities_max, plan.publish_snapshots))


def _stamps(feed: Feed, domain: Domain) -> frozenset[bytes]:
    """Return what identities those records have that are refused."""
    found = set()
    for entry in feed.log if feed.refused else ():
        event = domain.decode(LogRecord(0, 1 << 42, entry.key, entry.value, entry.headers))
        if not isinstance(event, Invalid) and identity_of(event) in feed.refused:
            found.add(domain.stamp(event)[:IDENTITY_BYTES])
    return frozenset(found)


def _undone(world: World) -> str:
    """Return what is not consumed, committed, published and projected yet."""
    for tp in world.broker.partitions:
        position, tables = world.position(tp), world.store_for(tp).tables
        end = world.broker.log.stable_end(tp)
        if position is None or position.next_offset != end:
            return f"{tp} is not consumed up to {end}: {position}"
        if tables.outbox.get(tp) or position.published != position.outbox_seq:
            return f"{tp} is not published: {position}"
        if any(page.as_of > position.projected for page in tables.pages.get(tp, {}).values()):
            return f"{tp} is not projected: {position}"
        if position.closing_day is not None:
            return f"{tp} has a close under way: {position}"
        if position.settings_seq != len(tables.settings):
            return f"{tp} is not judged by all settings: {position}"
    return ""


def _unclosed(world: World, seen_ms: int) -> str:
    """Return which partition has not closed what the silence up to *seen_ms* closes."""
    domain = SimRuns() if world.plan.runs else SimDomain()
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
