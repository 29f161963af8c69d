"""Some hundreds of seeds, proof that the harness finds planted bugs, and that a seed is all there is to a run."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from drivers.memory.store import MemoryStore
from tests.simulation import broken
from tests.simulation.faults import Fault, Kind, draw
from tests.simulation.minimise import minimised
from tests.simulation.run import simulate

SEEDS = 240
BATCHES = 8
FIRST = 0

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """The shell warns of all that is done to it."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_whatever_goes_wrong_everything_stored_and_published_equals_the_oracle(batch: int) -> None:
    for seed in range(FIRST + batch, FIRST + SEEDS, BATCHES):
        found = simulate(draw(seed)).problems
        assert not found, "\n".join([f"python -m tests.simulation --seed {seed} --trace", *found])


def test_without_faults_the_same_holds() -> None:
    for seed in range(20):
        assert simulate(replace(draw(seed), faults=())).problems == []


def test_a_record_that_cannot_be_folded_is_a_dead_letter_and_nothing_else_changes() -> None:
    for seed in range(40):
        found = simulate(draw(seed), poisoned=True).problems
        assert not found, "\n".join([f"python -m tests.simulation --seed {seed} --poisoned --trace", *found])


@pytest.mark.parametrize(
    "tables",
    [
        broken.Unfenced,
        broken.PositionApart,
        broken.OutboxLost,
        broken.OutboxShort,
        broken.ClosedIdsLost,
        broken.SettingsUnheld,
    ],
    ids=lambda each: each.__name__,
)
def test_a_planted_bug_is_found(tables: type[MemoryStore]) -> None:
    assert any(simulate(draw(seed), tables).problems for seed in range(60))


def test_a_failing_plan_is_cut_down_to_what_matters() -> None:
    plan = next(plan for plan in map(draw, range(500)) if len(plan.faults) > 5 and Kind.CRASH in _kinds(plan.faults))
    small = minimised(plan, lambda each: Kind.CRASH in _kinds(each.faults))
    assert _kinds(small.faults) == [Kind.CRASH]
    assert (small.workers, small.partitions, small.databases, small.gaps) == (1, 1, 1, 0.0)
    assert (small.foreign, small.crowd, small.settings) == (False, False, False)


def _kinds(faults: tuple[Fault, ...]) -> list[Kind]:
    return [fault.kind for fault in faults]


def test_every_kind_of_fault_strikes() -> None:
    struck = {kind for seed in range(40) for kind in simulate(draw(seed)).struck}
    assert struck == set(Kind)


def test_one_seed_is_one_run() -> None:
    def trace(seed: int) -> list[tuple[float, str, str]]:
        steps: list[tuple[float, str, str]] = []
        simulate(draw(seed), trace=lambda *step: steps.append(step))
        return steps

    assert trace(3) == trace(3)


def test_a_seed_is_the_same_run_in_every_process() -> None:
    told = {
        subprocess.run(
            [sys.executable, "-m", "tests.simulation", "--seed", "4", "--trace"],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(told) == 1
    assert "seed 4: held" in told.pop()
