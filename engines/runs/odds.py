"""The calibrated probability that a worker's next runs fail, told once a day (docs/predictions.md).

One invariant: what is told at the end of a UTC day is a function of the runs of the days before, in their order; none
is still to come. Nothing is carried from day to day, so it may be turned on and off, and any replay tells the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Final

from engines.core.model import Effects
from engines.core.time import US_PER_DAY, day_of
from engines.prediction.failures import FailurePolicy, Failures, Scope
from engines.prediction.reference import Prediction
from engines.runs.book import RunBook
from engines.runs.event import FAILED
from engines.runs.lines import prediction_line, tell_prediction
from engines.runs.series import Run

FAILURE_PROBABILITY: Final = "failure_probability"
RUNS_MAX: Final = 20_000
"""A tenant's newest so many runs are looked at: more would hold its partition up, and tell nothing new."""
TOLD_DAYS: Final = 7
"""A worker is told of while one of its runs is no older."""
_POLICY: Final = FailurePolicy()
KEPT_DAYS: Final = _POLICY.kept_days


def days_read(day: int) -> range:
    """Return the UTC days whose runs telling at the end of *day* reads."""
    return range(day + 1 - KEPT_DAYS, day + 1)


def tell(book: RunBook, day: int, effects: Effects) -> None:
    """Tell the odds of the tenant's workers at the end of UTC *day*, all runs of which have come."""
    runs = list(chain.from_iterable(page.all.runs for of in days_read(day) if (page := book.day(of)) is not None))[
        -RUNS_MAX:
    ]
    failures = Failures(_POLICY, Scope.TENANT)
    for run in runs:
        of_day = day_of(run.occurred_us)
        failures.add(book.tenant_id, run.worker_id, run.model, of_day, failed=run.outcome == FAILED)
    as_of_us = (day + 1) * US_PER_DAY
    revision = 2 * book.ended_through(as_of_us - 1) + 1
    for worker_id, mine in _of_workers(runs, as_of_us - TOLD_DAYS * US_PER_DAY):
        by_model = {
            model: round(failures.probability(book.tenant_id, worker_id, model, day + 1), 3)
            for model in sorted({run.model for run in mine}, key=str)
        }
        said = _said(by_model, mine)
        who = (book.tenant_id, FAILURE_PROBABILITY, worker_id)
        tell_prediction(prediction_line(who, as_of_us, said, "active", revision), effects)


def _of_workers(runs: Sequence[Run], since_us: int) -> Iterator[tuple[str, list[Run]]]:
    """Yield each worker that ran since then, by name, and all its runs, in order."""
    by_worker: dict[str, list[Run]] = {}
    for run in runs:
        by_worker.setdefault(run.worker_id, []).append(run)
    return ((worker_id, mine) for worker_id, mine in sorted(by_worker.items()) if mine[-1].occurred_us >= since_us)


def _said(by_model: dict[str | None, float], mine: Sequence[Run]) -> Prediction:
    probability = by_model[mine[-1].model]
    named: dict[str, object] = {model: odds for model, odds in by_model.items() if model is not None}
    return Prediction(
        holds=True,
        confidence=probability,
        value={"predicted_outcome": FAILURE_PROBABILITY, "probability": probability, "by_model": named},
        factors=[
            {"factor": "runs", "count": len(mine)},
            {"factor": "failures", "count": sum(run.outcome == FAILED for run in mine)},
        ],
    )
