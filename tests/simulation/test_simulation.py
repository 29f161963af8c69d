"""Some thousand seeds, proof that the harness finds planted bugs, and that a seed is all there is to a run."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.simulation.broken import PLANTED
from tests.simulation.faults import Fault, Kind, Plan, draw
from tests.simulation.feeds import feed_of
from tests.simulation.minimise import minimised
from tests.simulation.run import simulate

SEEDS = 2_000
BATCHES = 40
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
        found = simulate(replace(draw(seed), poison=3)).problems
        assert not found, "\n".join([f"python -m tests.simulation --seed {seed} --trace", *found])


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_is_found(name: str) -> None:
    """Most seeds that could show it do; those that cannot are not run first."""
    for seed in range(SEEDS):
        if simulate(draw(seed), PLANTED[name]).problems:
            return
    pytest.fail(f"{SEEDS} seeds do not find: {name}")


def test_a_failing_plan_is_cut_down_to_what_matters() -> None:
    plan = next(plan for plan in map(draw, range(500)) if len(plan.faults) > 5 and Kind.CRASH in _kinds(plan.faults))
    small = minimised(plan, lambda each: Kind.CRASH in _kinds(each.faults))
    assert _kinds(small.faults) == [Kind.CRASH]
    assert len(feed_of(small).log) == 1
    assert (small.workers, small.partitions, small.databases, small.gaps) == (1, 1, 1, 0.0)
    assert (small.foreign, small.crowd, small.settings, small.publish_snapshots) == (False, False, False, False)
    assert (small.killers, small.poison, small.refused) == (0, 0, 0)


def test_a_failing_plan_of_runs_stays_one_and_is_told_step_by_step() -> None:
    parts = PLANTED["what an hour settled untold"]
    plan = next(plan for plan in map(draw, range(3, 400, 4)) if simulate(plan, parts).problems)
    small = minimised(plan, lambda each: bool(simulate(each, parts).problems))
    assert small.runs
    assert len(feed_of(small).log) <= 3
    traced: list[str] = []
    assert simulate(small, parts, tell=traced.append).problems
    assert traced[-1].endswith("is gone")


def test_every_fourth_seed_plays_runs_and_people_acknowledge_feedback_on_the_way() -> None:
    assert [draw(seed).runs for seed in range(8)] == [False, False, False, True] * 2
    told: set[str] = set()
    for seed in range(3, 160, 4):
        log: list[str] = []
        assert not simulate(draw(seed), tell=log.append).problems
        told.update(line for line in log if "kind='acknowledgement'" in line)
    assert len(told) > 3, "hardly anything was acknowledged on the way"


def test_no_more_is_tried_than_is_allowed() -> None:
    tried: list[Plan] = []

    def fails(plan: Plan) -> bool:
        tried.append(plan)
        return True

    plan = minimised(draw(7), fails, tries=5)
    assert len(tried) == 5
    assert plan == tried[-1]


def _kinds(faults: tuple[Fault, ...]) -> list[Kind]:
    return [fault.kind for fault in faults]


def test_every_kind_of_fault_strikes() -> None:
    struck = {kind for seed in range(80) for kind in simulate(draw(seed)).struck}
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
