"""Workers that serve both domains are killed: each is exact, whatever they were doing."""

from contextlib import ExitStack
from random import Random

import pytest

from tests.end_to_end import broker, exact, exact_runs, records
from tests.end_to_end.deployment import LEAVE_S, Deployment


@pytest.mark.parametrize("seed", [1, 2])
def test_kills_at_random_moments_leave_costs_and_runs_exact(deployment: Deployment, seed: int) -> None:
    random = Random(seed)
    costs, runs = records.small(seed, 600), records.of_runs(seed)
    deployment.environment["OUTLAY_DOMAINS"] = "all"
    with ExitStack() as held:
        workers = [held.enter_context(deployment.worker(chunk_records=random.choice([7, 50]))) for _ in range(2)]
        deployment.claimed()
        with (
            broker.load(deployment.bootstrap, costs, rate=len(costs) / 12),
            broker.load(deployment.bootstrap, runs, rate=len(runs) / 12, topic="runs"),
        ):
            for _ in range(4):
                deployment.reached(deployment.events + random.randint(1, len(costs) // 6))
                workers.pop(0).kill()
                workers.append(held.enter_context(deployment.worker(chunk_records=random.choice([7, 50]))))
        assert exact.exact(deployment).counts["accepted"] > len(costs) // 2
        found = exact_runs.left(deployment)
        assert exact_runs.problems(found) == []
        assert found.count("accepted") > len(runs) // 2
        assert len(found.told) > len(runs) // 10
        for worker in workers:
            assert worker.stop() < LEAVE_S
