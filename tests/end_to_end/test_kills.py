"""Workers that are killed: nothing is lost, nothing counts twice, whatever they were doing."""

from contextlib import ExitStack
from random import Random

import pytest

from tests.end_to_end import broker, exact, records
from tests.end_to_end.deployment import LEAVE_S, Deployment


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_kills_at_random_moments_and_moving_partitions_change_nothing(deployment: Deployment, seed: int) -> None:
    random = Random(seed)
    stream = records.small(seed)
    with ExitStack() as held:
        workers = [held.enter_context(deployment.worker(chunk_records=random.choice([7, 50]))) for _ in range(2)]
        deployment.claimed()
        with broker.load(deployment.bootstrap, stream, rate=len(stream) / 12):
            for _ in range(3):
                deployment.reached(deployment.events + random.randint(1, len(stream) // 5))
                workers.pop(0).kill()
                workers.append(held.enter_context(deployment.worker(chunk_records=random.choice([7, 50]))))
        assert exact.exact(deployment).counts["accepted"] > len(stream) // 2
        for worker in workers:
            assert worker.stop() < LEAVE_S
