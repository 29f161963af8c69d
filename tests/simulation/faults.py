"""What goes wrong in a run, as data drawn from the seed: a plan can be printed, cut down and run again."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum

from streams.limits import ShellLimits


class Kind(StrEnum):
    """What a fault does to the call it strikes, to the node that made it, or to the world.

    A call of a port suspends twice: before its effect and after it. A fault strikes at one of the two.
    """

    CRASH = "crash"  # the node is gone, here and now
    STALL = "stall"  # the whole node stands still for a while, as under SIGSTOP
    DELAY = "delay"  # this call takes long
    DROP = "drop"  # the connection breaks: no effect when it strikes before, a lost reply when after
    LATE = "late"  # the connection breaks, and the effect happens later, after the caller gave up
    ZOMBIE = "zombie"  # the group moves the node's partitions away and does not tell it for a while
    REBALANCE = "rebalance"  # every partition is revoked and dealt again
    LEAVE = "leave"  # the node is asked to stop in good order
    JOIN = "join"  # one more node for a while
    ROLLBACK = "rollback"  # a database is restored to an earlier commit
    DATABASE_AWAY = "database away"
    BROKER_AWAY = "broker away"
    CHUNK_DROPPED = "chunk dropped"  # the source passes over a chunk
    CHUNK_REPEATED = "chunk repeated"  # the source delivers a chunk twice
    CLOCK_STEP = "clock step"  # the clock of the node or of the broker is set
    TRANSACTION = "transaction"  # one that is open for a while, and aborted: its offsets are never read
    LOG_START = "log start"  # retention moves the log's start, not past what a restore may need
    LOG_LOST = "log lost"  # retention moves it past the position: an operator must accept that
    TOPIC_RENEWED = "topic renewed"  # the topic is deleted and made again: an operator must accept that

    # Not drawn one by one: these are in the stream, or come of it.
    GAP = "gap"  # offsets that hold no record
    KILLED = "killed"  # a record that kills its process did
    POISON = "poison"  # folding a record failed
    REFUSED = "refused"  # the database refused what a record came to
    SETTING = "setting"  # a settings row was appended while workers ran
    SETTING_AT_CLOSE = "setting at close"  # … just before a close was committed
    RESTATED = "restated"  # a record corrected a closed day
    ACCEPTED = "position accepted"  # an operator let a stopped partition go on


@dataclass(frozen=True, slots=True)
class Fault:
    """Strike with *kind* when *after* further suspensions have passed; *seconds* is how long it lasts."""

    after: int
    kind: Kind
    seconds: float


@dataclass(frozen=True, slots=True)
class Plan:
    """One simulated world.

    Attributes:
        seed: decides everything that the other attributes leave open.
        runs: the topic is that of runs, not that of costs.
        workers: nodes kept running. partitions: of the input topic. databases: partition modulo this.
        chunk_max: records per fetch, at most.
        limits: the shell's, small enough to be reached.
        events: size of the stream, about. live: appended at its own pace, or as fast as it goes.
        rich: a stream on which every rule has something to say; of runs: the odds are told, too. crowd: more users on a
            day than one part holds (of costs alone).
        settings: whether rows are appended while workers run. settings_poll_s: how soon they look, at the latest.
        foreign: whether some records lie on another partition than their tenant's.
        gaps: share of records before which offsets are missing.
        killers: so many records kill the process that folds them. poison: so many cannot be folded.
        refused: so many the database refuses.
        entities_max: of a tenant's day. publish_snapshots: on ``cost-snapshots``.
        cut: first and last record of the stream that are left, None: all are.
        faults: in order.
    """

    seed: int
    runs: bool
    workers: int
    partitions: int
    databases: int
    chunk_max: int
    limits: ShellLimits
    events: int
    live: bool
    rich: bool
    crowd: bool
    settings: bool
    settings_poll_s: float
    foreign: bool
    gaps: float
    killers: int
    poison: int
    refused: int
    entities_max: int
    publish_snapshots: bool
    cut: tuple[int, int] | None
    faults: tuple[Fault, ...]


_WEIGHTS = {
    Kind.CRASH: 6,
    Kind.STALL: 3,
    Kind.DELAY: 5,
    Kind.DROP: 8,
    Kind.LATE: 4,
    Kind.ZOMBIE: 4,
    Kind.REBALANCE: 4,
    Kind.LEAVE: 2,
    Kind.JOIN: 1,
    Kind.ROLLBACK: 2,
    Kind.DATABASE_AWAY: 1,
    Kind.BROKER_AWAY: 1,
    Kind.CHUNK_DROPPED: 2,
    Kind.CHUNK_REPEATED: 2,
    Kind.CLOCK_STEP: 2,
    Kind.TRANSACTION: 2,
    Kind.LOG_START: 1,
    Kind.LOG_LOST: 0.5,
    Kind.TOPIC_RENEWED: 0.5,
}
STRIKING = tuple(_WEIGHTS)
"""The kinds that are drawn one by one."""
RUNS_EVERY = 4
"""One seed in so many plays the runs domain."""
_SECONDS = (0.001, 0.05, 1.0, 5.0, 15.0, 40.0)


def draw(seed: int) -> Plan:
    """Return the plan of *seed*. Small worlds find most, so sizes lean to the small end."""
    rng = random.Random(f"plan {seed}")
    killers = rng.choice((0,) * 7 + (1, 2))
    return Plan(
        seed=seed,
        runs=seed % RUNS_EVERY == RUNS_EVERY - 1,
        workers=rng.choice((1, 2, 2, 3)),
        partitions=rng.choice((1, 1, 2, 3, 4)),
        databases=rng.choice((1, 1, 2)),
        chunk_max=rng.choice((1, 3, 10, 50)),
        limits=_limits(rng, bury=killers > 0 or rng.random() < 0.1),
        events=rng.choice((10, 20, 30, 80)),
        live=rng.random() < 0.8,
        rich=rng.random() < 0.6,
        crowd=rng.random() < 0.1,
        settings=rng.random() < 0.6,
        settings_poll_s=rng.choice((1.0, 5.0, 5.0)),
        foreign=rng.random() < 0.6,
        gaps=rng.choice((0.0, 0.05, 0.3)),
        killers=killers,
        poison=rng.choice((0,) * 7 + (1, 3)),
        refused=rng.choice((0,) * 7 + (1, 3)),
        entities_max=rng.choice((20_000, 20_000, 20_000, 3, 5, 10)),
        publish_snapshots=rng.random() < 0.3,
        cut=None,
        faults=_faults(rng),
    )


def _limits(rng: random.Random, *, bury: bool) -> ShellLimits:
    """Return limits that matter in a small world; *bury*: a record is given up after a few deaths at it alone."""
    return ShellLimits(
        chunk_records=rng.choice((1, 8, 64, 5_000)),
        pending_records=rng.choice((1, 5, 50, 40_000)),
        pending_outbox=rng.choice((1, 5, 20_000)),
        cache_entities=rng.choice((0, 5, 30, 100_000)),
        dedup_days=rng.choice((35, 35, 35, 3)),
        closed_ids_max=rng.choice((0, 3, 30, 8_000_000)),
        close_slice_tenants=rng.choice((1, 2, 64)),
        projection_rows=rng.choice((10, 100, 4_000)),
        projection_every_s=rng.choice((0.05, 1.0, 5.0)),
        publish_rows=rng.choice((1, 3, 1_000)),
        deaths_before_dead_letter=rng.choice((1, 2, 3)) if bury else 10**9,
    )


def _faults(rng: random.Random) -> tuple[Fault, ...]:
    """Return up to some dozens of faults: from seed to seed sparse or dense, of all kinds or of a few."""
    kinds = list(STRIKING) if rng.random() < 0.5 else rng.sample(STRIKING, rng.randint(1, 4))
    weights = [_WEIGHTS[kind] for kind in kinds]
    between = rng.choice((3, 10, 30, 80))
    return tuple(
        Fault(1 + int(rng.expovariate(1 / between)), kind, rng.choice(_SECONDS) * rng.uniform(0.5, 1.5))
        for kind in rng.choices(kinds, weights, k=rng.choice((0, 2, 5, 12, 25)))
    )
