"""Servers that go away under load and come back: exact, nothing dead-lettered for it, and drained soon after."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.end_to_end import broker, exact, records
from tests.end_to_end.deployment import LEAVE_S, Deployment
from tests.stack import Stack

_AWAY_S = 10.0
_HALF_S = 5.0
_DRAIN_S = 30.0


def test_a_broker_restarted_and_killed_under_load_loses_and_doubles_nothing(shaky: Deployment, stack: Stack) -> None:
    with working(shaky):
        disturbed(shaky, 21, stack.restart_broker, "broker restarted")
        disturbed(shaky, 1, lambda: stack.restart_broker(kill=True), "broker killed")


def test_a_database_restarted_and_gone_for_a_while_is_waited_for(shaky: Deployment, stack: Stack) -> None:
    def gone() -> None:
        stack.stop_postgres(kill=True)
        time.sleep(_AWAY_S)  # the outage itself
        stack.start_postgres()

    with working(shaky):
        disturbed(shaky, 21, stack.restart_postgres, "database restarted")
        disturbed(shaky, 1, gone, f"database killed and gone for {_AWAY_S:.0f} s")


@contextmanager
def working(deployment: Deployment) -> Iterator[None]:
    """Have two workers at work while the block lasts; at its end all is exact, and they leave in order."""
    with deployment.worker(chunk_records=50) as first, deployment.worker(chunk_records=50) as second:
        deployment.claimed()
        yield
        exact.exact(deployment)
        assert first.stop() < LEAVE_S
        assert second.stop() < LEAVE_S
    assert "Traceback" not in first.said + second.said


def disturbed(deployment: Deployment, seed: int, disturb: Callable[[], None], told: str) -> None:
    """Disturb the servers while records are sent, and return once everything is drained."""
    stream = records.small(seed, 800)
    with broker.load(deployment.bootstrap, stream, rate=len(stream) / _HALF_S):
        deployment.reached(deployment.events + len(stream) // 4)
        disturb()
        back = time.monotonic()
        deployment.reached(deployment.events + 1)
        going_s = time.monotonic() - back
    exact.settled(deployment, _DRAIN_S)
    print(f"{told}: going on after {going_s:.1f} s, drained after {time.monotonic() - back:.1f} s")  # noqa: T201
