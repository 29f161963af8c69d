"""The oracle's arithmetic of predictions, by fractions, and the engine's, by integers, say the same."""

import pytest

from engines.prediction.reference import Prediction, predict_cost_overrun, predict_failure_likelihood
from engines.prediction.runs import FinishedRun, Outcome, in_window
from tests.oracle.runs import Run, decode
from tests.oracle.runs.failures import naming
from tests.oracle.runs.histories import make_history
from tests.oracle.runs.making import Shape
from tests.oracle.runs.predictions import Said, cost_overrun, failure_likelihood
from tests.oracle.runs.tenant import Tenant, tenant_of

OUTCOMES: dict[str, Outcome] = {"run-completed": "completed", "run-failed": "failed", "run-crashed": "crashed"}


def tenant(seed: int) -> Tenant:
    runs = [decode(entry.value, entry.headers) for entry in make_history(seed, Shape(tenants=1).within_grace())]
    unique = {run.identity: run for run in runs if isinstance(run, Run)}
    return tenant_of("acme", unique.values(), (), 0)


def finished(run: Run) -> FinishedRun:
    return FinishedRun(run.occurred_us, run.run_id, OUTCOMES[run.type], run.error, run.cost_nanousd)


def content(said: Said) -> Prediction | None:
    return Prediction(said.holds, said.confidence, said.value, said.factors) if said.holds else None


@pytest.mark.parametrize("seed", range(12))
def test_both_say_the_same_at_every_run(seed: int) -> None:
    one = tenant(seed)
    for run in one.runs:
        at_us, worker_id = run.occurred_us, run.worker_id
        known = [finished(other) for other in one.runs[::-1] if other.worker_id == worker_id]
        seen = in_window(known, at_us)
        patterns = naming(one, worker_id, at_us)
        assert predict_failure_likelihood(seen, patterns) == content(failure_likelihood(one, worker_id, at_us))
        assert predict_cost_overrun(seen) == content(cost_overrun(one, worker_id, at_us))
