"""Records that nobody can read: one in a hundred, of every kind; and a topic of nothing else."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack

from tests import oracle
from tests.chaos.arena import Arena
from tests.chaos.measured import Measured
from tests.chaos.outcome import Outcome
from tests.chaos.steady import Steady
from tests.end_to_end import broker, exact
from tests.end_to_end.broker import Sent
from tests.end_to_end.deployment import LEAVE_S, PATIENCE_S
from tests.generated import every_fault

NAME = "poison"
_SHARE = 100
"""One record in so many is poison."""
_RECORDS, _RECORDS_LEAST = 10_000, 1_000
_DEAD_MAX = 30
_ALONE = 120
_REASON = "records are dead letters: see `outlay dead-letters list`; to go on, raise OUTLAY_DEAD_LETTERS_MAX"


def run(arena: Arena) -> Outcome:
    """Send a stream with poison in it, then poison alone until the limit stops the workers, then raise the limit."""
    number = min(_RECORDS, max(_RECORDS_LEAST, arena.events(arena.seconds)))
    tenants = [f"tenant-{n}" for n in range(16)]
    good = Steady(arena.random, tenants, 200, clean=True).take(number)
    kinds = poison(good[0])
    arena.random.shuffle(kinds)
    mixed: list[Sent] = []
    sent: list[bytes | None] = []
    for place, record in enumerate(good):
        mixed.append(record)
        if place % _SHARE == 0:
            sent.append(kinds[len(sent) % len(kinds)])
            mixed.append((record[0], sent[-1], ()))
    with arena.deployment() as deployment, deployment.worker(chunk_records=50) as one, deployment.worker() as other:
        deployment.claimed()
        with arena.load(deployment, mixed, arena.seconds), arena.stalls(deployment) as stalls:
            deployment.reached(1)
        left, found = arena.looked(deployment)
        assert one.stop() < LEAVE_S
        assert other.stop() < LEAVE_S
    all_dead(left, sent)
    alone = nothing_else(arena, kinds)
    note = f"{len(sent)} of {len(mixed)}, {len(set(sent))} kinds; nothing else: both workers ended at the limit"
    return Outcome(NAME, len(sent) + _ALONE, 0, *(found + alone), stalls.longest_s, note)


def poison(good: Sent) -> list[bytes | None]:
    """Return a value of each kind that must be refused."""
    key, value, headers = good
    kinds = every_fault(oracle.LogRecord(value, headers, key=key))
    return [*kinds, b'{"later":"' + b"x" * (1 << 20) + b'"}']


def all_dead(left: exact.Left, sent: Sequence[bytes | None]) -> None:
    """Hold what was refused against what was *sent* to be refused: all of it, once each, and nothing else."""
    told = Counter(base64.b64decode(line["value_base64"] or "") for line in left.dead)
    assert told == Counter(value or b"" for value in sent), "other records are dead than were poisoned"


def nothing_else(arena: Arena, kinds: Sequence[bytes | None]) -> Measured:
    """Have workers meet nothing but poison: each ends at the limit and says why; with another limit all is taken in."""
    arena.say("nothing but poison")
    sent: list[Sent] = [(b"one place", kinds[n % len(kinds)], ()) for n in range(_ALONE)]
    with arena.deployment() as deployment, ExitStack() as on:
        for part in (sent[::2], sent[1::2]):  # the second worker is not to bury what stopped the first
            with broker.load(deployment.bootstrap, part):
                pass
            worker = on.enter_context(deployment.worker(dead_letters_max=_DEAD_MAX))
            worker.told_to_end = True  # by its limit
            assert worker.process.wait(PATIENCE_S) == 1
            assert _REASON in worker.said.splitlines()[-1], worker.said[-2000:]
            assert "Traceback" not in worker.said, worker.said[-4000:]
        with deployment.worker(dead_letters_max=10 * _ALONE):
            left, found = arena.looked(deployment)
    assert left.counts["events"] == _ALONE
    all_dead(left, [value for _, value, _ in sent])
    return found
