"""The odds of each day counted anew from all runs before its end: no pages, no state from day to day."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engines.prediction.failures import Failures, Scope
from tests.oracle.lines import day_text, instant
from tests.oracle.records import DAY_US, HOUR_US
from tests.oracle.runs import Line, Run
from tests.oracle.runs.tenant import hashed

ODDS = "failure_probability"
NOTE = "Advisory: a prediction changes no run, cost, retry, schedule or policy."
KEPT_DAYS, TOLD_DAYS = 35, 7


def plain_odds(runs: Sequence[Run], closed_through: int | None) -> list[Line]:
    """Return what is told of accepted *runs* at the ends of the UTC days that are over with an hour, by day."""
    ended = sorted((run for run in runs if run.outcome is not None), key=lambda run: run.place)
    days = sorted({run.occurred_us // DAY_US for run in ended})
    over = [day for day in days if closed_through is not None and (day + 1) * 24 <= closed_through + 1]
    return [
        line for day in over for tenant in sorted({run.tenant_id for run in ended}) for line in _of(ended, tenant, day)
    ]


def _of(ended: Sequence[Run], tenant: str, day: int) -> Iterator[Line]:
    mine = [run for run in ended if run.tenant_id == tenant and run.occurred_us // DAY_US <= day]
    if not any(run.occurred_us // DAY_US == day for run in mine):
        return
    kept = [run for run in mine if run.occurred_us // DAY_US > day - KEPT_DAYS]
    failures = Failures(scope=Scope.TENANT)
    for run in kept:
        failed = run.outcome == "failed"
        failures.add(tenant, run.worker_id, run.model, run.occurred_us // DAY_US, failed=failed)
    as_of_us = (day + 1) * DAY_US
    for worker in sorted({run.worker_id for run in kept}):
        of_worker = [run for run in kept if run.worker_id == worker]
        if of_worker[-1].occurred_us < as_of_us - TOLD_DAYS * DAY_US:
            continue
        models = {run.model for run in of_worker}
        odds = {model: round(failures.probability(tenant, worker, model, day + 1), 3) for model in models}
        probability = odds[of_worker[-1].model]
        yield {
            "prediction_id": hashed("pr_", [tenant, ODDS, "worker", worker, day_text(day + 1)]),
            "tenant_id": tenant,
            "prediction_type": ODDS,
            "subject_type": "worker",
            "subject_id": worker,
            "confidence_score": probability,
            "prediction_value": {
                "predicted_outcome": ODDS,
                "probability": probability,
                "by_model": {model: share for model, share in odds.items() if model is not None},
            },
            "contributing_factors": [
                {"factor": "runs", "count": len(of_worker)},
                {"factor": "failures", "count": sum(run.outcome == "failed" for run in of_worker)},
            ],
            "as_of": instant(as_of_us),
            "expires_at": instant(as_of_us + 24 * HOUR_US),
            "is_advisory": True,
            "notes": NOTE,
            "status": "active",
            "revision": 2 * len(mine) + 1,
        }
