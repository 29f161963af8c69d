"""A tenant with nine tenths of the load: others wait no longer than without it, and its own wait is bounded.

Calm and storm take turns in one run, so that whatever else the machine does is in both; what is claimed are ratios of
their medians, which one pause of a busy machine does not move.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from statistics import median, quantiles

from tests import oracle
from tests.chaos import delays
from tests.chaos.arena import Arena
from tests.chaos.delays import Waited
from tests.chaos.outcome import Outcome
from tests.chaos.steady import Steady
from tests.end_to_end import broker
from tests.end_to_end.broker import Sent
from tests.end_to_end.deployment import LEAVE_S, PARTITIONS

NAME = "crowded"
Turn = tuple[float, float]
"""When it began and ended, in seconds since the epoch."""
_TURNS, _TURNS_LEAST = 9, 3
_TURN_S = 2.0
_OTHERS_A_SECOND = 40
_STORM = 9
"""So many records of the large tenant for each of the others together."""
_WHALE = "whale"
_TIMES_MAX = 5.0
"""So many times longer others may wait in a storm; behind the large tenant they would wait for its end, some tens of
times as long."""
_OWN_MAX = 3.0
"""The large tenant waits for at most so many times as long as its storm lasts: it does not fall further behind."""


def run(arena: Arena) -> Outcome:
    """Send at an even rate, and from time to time ten times as much, all of it by one tenant."""
    turns = arena.number(_TURNS, _TURNS_LEAST)
    home = oracle.home(_WHALE, PARTITIONS)
    names = [name for name in (f"tenant-{n}" for n in range(40)) if oracle.home(name, PARTITIONS) != home][:20]
    calm = round(_TURN_S * _OTHERS_A_SECOND)
    others = Steady(arena.random, names, 200, clean=True).take((2 * turns + 1) * calm)
    whale = Steady(arena.random, [_WHALE], 2_000, clean=True).take(turns * calm * _STORM)
    calms: list[Turn] = []
    storms: list[Turn] = []
    with arena.deployment() as deployment, deployment.worker() as one, deployment.worker() as other:
        deployment.at_work(one, other)
        deployment.claimed()
        _send(deployment.bootstrap, others[:calm], [])  # what is read for the first time is slow once
        arena.settled(deployment)
        with delays.watched(deployment.database_url) as watching:
            with arena.stalls(deployment) as stalls:
                for turn in range(2 * turns):
                    sent = others[(turn + 1) * calm : (turn + 2) * calm]
                    if turn % 2 == 0:
                        calms.append(_send(deployment.bootstrap, sent, []))
                        continue
                    arena.say(f"storm {turn // 2 + 1} of {turns}")
                    place = turn // 2 * calm * _STORM
                    storms.append(_send(deployment.bootstrap, sent, whale[place : place + calm * _STORM]))
            arena.settled(deployment)
        left, found = arena.looked(deployment)
        assert one.stop() < LEAVE_S
        assert other.stop() < LEAVE_S
    waits = list(watching.waited(left.log))
    quiet = median(_late(waits, turn, lambda partition: partition != home) for turn in calms)
    crowded = median(_late(waits, turn, lambda partition: partition != home) for turn in storms)
    own = median(_late(waits, turn, lambda partition: partition == home) for turn in storms)
    lasted = median(ended - began for began, ended in storms)
    note = f"19 of 20 waited at most: others {quiet:.2f} s in calm, {crowded:.2f} s in storm, its own {own:.2f} s"
    assert crowded < _TIMES_MAX * quiet, note
    assert own < _OWN_MAX * lasted, f"{note}, which lasted {lasted:.2f} s"
    return Outcome(NAME, turns, 0, *found, stalls.longest_s, note)


def _send(bootstrap: str, others: Sequence[Sent], whale: Sequence[Sent]) -> Turn:
    began = time.time()
    with (
        broker.load(bootstrap, others, rate=len(others) / _TURN_S),
        broker.load(bootstrap, whale, rate=max(1.0, len(whale) / _TURN_S)),
    ):
        pass
    return began, time.time()


def _late(waits: Iterable[Waited], turn: Turn, of: Callable[[int], bool]) -> float:
    """Return how long 19 of 20 waited at most of those sent in that *turn*, in seconds."""
    began, ended = turn
    return quantiles([one.waited_s for one in waits if of(one.partition) and began <= one.sent_s <= ended], n=20)[-1]
