"""What an operator does to positions, as programs are told of it: JSON alone on standard output."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.end_to_end import broker, records
from tests.end_to_end.deployment import PARTITIONS, Deployment


@pytest.fixture
def left(deployment: Deployment) -> Deployment:
    """A deployment that has taken records in, and whose worker has gone."""
    stream = records.small(4, 60)
    with deployment.worker() as worker:
        deployment.claimed()
        with broker.load(deployment.bootstrap, stream):
            pass
        deployment.reached(len(stream))
        worker.stop()
    return deployment


def positions(deployment: Deployment) -> dict[int, Any]:
    return {one["partition"]: one for one in json.loads(deployment.ran("positions list --json").stdout)}


def test_what_is_done_to_positions_can_be_had_as_json(left: Deployment) -> None:
    before = positions(left)
    partition = max(before, key=lambda one: int(before[one]["next_offset"]))
    refused = left.ran(f"positions accept costs {partition} --earliest --json", code=1)
    assert (refused.stdout.strip(), "Set this position?" in refused.stderr) == ("", True)
    assert positions(left) == before

    ran = left.ran(f"positions accept costs {partition} --earliest --yes --json")
    told = json.loads(ran.stdout)
    assert told == {"before": before[partition], "after": positions(left)[partition]}
    assert told["after"]["next_offset"] == 0 < told["before"]["next_offset"]
    assert f"before: costs/{partition} of {PARTITIONS}" in ran.stderr

    for command, member in (("repartition", "tenants_moved"), ("spread", "partitions_of_others")):
        ran = left.ran(f"positions {command} --yes --json")
        [told] = json.loads(ran.stdout)
        assert (told["database"], told[member]) == (0, 0)
        assert "database 0: 0 " in ran.stderr
