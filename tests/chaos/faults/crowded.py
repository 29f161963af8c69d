"""A tenant with nine tenths of the load: others wait no longer than without it, and its own wait is bounded.

Calm and storm take turns in one run, so that whatever else the machine does is in both.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from statistics import quantiles

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
_TURNS, _TURNS_LEAST = 8, 2
_TURN_S = 3.0
_OTHERS_A_SECOND = 40
_STORM = 9
"""So many records of the large tenant for each of the others together."""
_WHALE = "whale"
_TIMES_MAX = 3.0
_ROOM_S = 0.5  # what a commit, a look at the positions and a loaded machine may add
_OWN_MAX_S = 5.0


def run(arena: Arena) -> Outcome:
    """Send at an even rate, and from time to time ten times as much, all of it by one tenant."""
    turns = arena.number(_TURNS, _TURNS_LEAST)
    home = oracle.home(_WHALE, PARTITIONS)
    names = [name for name in (f"tenant-{n}" for n in range(40)) if oracle.home(name, PARTITIONS) != home][:20]
    calm = round(_TURN_S * _OTHERS_A_SECOND)
    others = Steady(arena.random, names, 200, clean=True).take((2 * turns + 1) * calm)
    whale = Steady(arena.random, [_WHALE], 2_000, clean=True).take(turns * calm * _STORM)
    storms: list[tuple[float, float]] = []
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
                        _send(deployment.bootstrap, sent, [])
                        continue
                    arena.say(f"storm {turn // 2 + 1} of {turns}")
                    began, place = time.time(), turn // 2 * calm * _STORM
                    _send(deployment.bootstrap, sent, whale[place : place + calm * _STORM])
                    storms.append((began, time.time()))
            arena.settled(deployment)
        left, found = arena.looked(deployment)
        assert one.stop() < LEAVE_S
        assert other.stop() < LEAVE_S
    waits = [each for each in watching.waited(left.log) if each.sent_s > watching.began_s]

    def stormy(each: Waited) -> bool:
        return any(began <= each.sent_s <= ended for began, ended in storms)

    own = _late(each for each in waits if stormy(each) and each.partition == home)
    quiet = _late(each for each in waits if not stormy(each) and each.partition != home)
    crowded = _late(each for each in waits if stormy(each) and each.partition != home)
    note = f"19 of 20 waited at most: others {quiet:.2f} s in calm, {crowded:.2f} s in storm, its own {own:.2f} s"
    assert crowded < _TIMES_MAX * quiet + _ROOM_S, note
    assert own < _TIMES_MAX * quiet + _OWN_MAX_S, note
    return Outcome(NAME, turns, 0, *found, stalls.longest_s, note)


def _send(bootstrap: str, others: Sequence[Sent], whale: Sequence[Sent]) -> None:
    with (
        broker.load(bootstrap, others, rate=len(others) / _TURN_S),
        broker.load(bootstrap, whale, rate=max(1.0, len(whale) / _TURN_S)),
    ):
        pass


def _late(waits: Iterable[Waited]) -> float:
    """Return how long 19 of 20 waited at most, in seconds."""
    return quantiles([each.waited_s for each in waits], n=20)[-1]
