"""Lists of runs keep their order and their sums, however the runs come."""

from random import Random

import pytest

from engines.runs.event import COMPLETED, FAILED
from engines.runs.series import Run, Series, order


def some(random: Random, number: int) -> Run:
    outcome = random.choice([COMPLETED, COMPLETED, FAILED])
    name = f"run {number}"
    return Run(random.randrange(50), name, "", name, outcome, "worker", random.choice([None, 0, 7, 1 << 70]))


@pytest.mark.parametrize("seed", range(30))
def test_a_series_says_what_a_plain_list_says_after_each_run(seed: int) -> None:
    random, series, runs = Random(seed), Series(), list[Run]()
    for number in range(40):
        run = some(random, number)
        series.add(run)
        runs = sorted([*runs, run], key=order)
        assert series.runs == runs
        if random.random() < 0.5:  # what was not asked for is not summed up yet
            count = random.randrange(len(runs) + 1)
            assert series.cost(count) == sum(one.costs for one in runs[:count])
        us, other = random.randrange(52), random.randrange(52)
        between = [one for one in runs if us <= one.occurred_us <= other]
        assert series.between(us, other) == between
        assert series.newest(us, other, 3) == between[-3:]
        assert (series.before(us), series.through(us)) == (
            sum(one.occurred_us < us for one in runs),
            sum(one.occurred_us <= us for one in runs),
        )
        one = random.choice(runs)
        assert (series.ahead_of(one), series.upto(one)) == (runs.index(one), runs.index(one) + 1)
