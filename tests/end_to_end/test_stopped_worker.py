"""A worker that stands still inside its transaction, longer than its session lives (a paused machine, a long swap)."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from tests.end_to_end import brake, broker, exact, freezing, records
from tests.end_to_end.deployment import LEAVE_S, Deployment


@pytest.mark.parametrize("when", freezing.BLOCKED_S)
def test_a_worker_stopped_at_its_commit_is_succeeded_in_time_and_fenced(
    deployment: Deployment, when: brake.Place
) -> None:
    brake.fit(deployment.database_url)
    stream = records.small(11, 800)
    with ExitStack() as held:
        workers = [held.enter_context(deployment.worker(**freezing.SETTINGS)) for _ in range(2)]
        deployment.claimed()
        with broker.load(deployment.bootstrap, stream, rate=len(stream) / 10):
            deployment.reached(len(stream) // 10)
            stopped, stall_s = freezing.frozen(deployment, workers, when)
            deployment.reached(deployment.events + len(stream) // 10)
            stopped.thaw()
        exact.exact(deployment)
        freezing.fenced(stopped)
        assert all(worker.stop() < LEAVE_S for worker in workers)
    print(f"stopped {when} its commit: its partitions were taken up after {stall_s:.1f} s")  # noqa: T201
