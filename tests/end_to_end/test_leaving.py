"""A worker that is told to stop under load leaves in order, and the next one goes on where it stood."""

from __future__ import annotations

from tests.end_to_end import broker, exact, records
from tests.end_to_end.deployment import LEAVE_S, Deployment


def test_workers_stopped_one_after_the_other_under_load_leave_in_time_and_lose_nothing(deployment: Deployment) -> None:
    stream = records.small(31, 800)
    taken: list[float] = []
    with broker.load(deployment.bootstrap, stream, rate=len(stream) / 14):
        for share in (3, 6):
            with deployment.worker(chunk_records=20) as worker:
                deployment.reached(len(stream) * share // 10)
                taken.append(worker.stop())
            assert "stopped" in worker.said.splitlines()[-1]
            assert "left with work undone" not in worker.said
    with deployment.worker():
        exact.exact(deployment)
    print("left after", *(f"{seconds:.1f} s" for seconds in taken))  # noqa: T201
    assert max(taken) < LEAVE_S
