"""Predictions of a worker: that it fails, and that it becomes dearer (CONTRACT §7).

One for each UTC day with an event of its kind, as of the newest of them. What it says follows from the worker's runs in
the seven days up to an instant alone.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from tests.oracle.lines import day_text, instant
from tests.oracle.records import DAY_US
from tests.oracle.runs.failures import naming
from tests.oracle.runs.record import Run
from tests.oracle.runs.tenant import Line, Tenant, cents, hashed, rounded

WINDOW_US = 7 * DAY_US
VALID_US = DAY_US
NOTE = "Advisory: a prediction changes no run, cost, retry, schedule or policy."
RECENT = 3
RUNS_MIN = 4


@dataclass(frozen=True)
class Said:
    """What a rule says of a worker at an instant, whether it holds or not."""

    holds: bool
    confidence: float
    value: Line
    factors: list[Line]


Rule = Callable[[Tenant, str, int], Said]


def failure_likelihood(tenant: Tenant, worker_id: str, at_us: int) -> Said:
    """Return how likely the worker is to fail: by the share of its ended runs that failed, whatever they said."""
    seen = _newest_first(tenant, worker_id, at_us)
    failed = [run for run in seen if run.outcome == "failed"]
    share = Fraction(len(failed), len(seen))
    rate = rounded(share, 3)
    factors: list[Line] = [
        {"factor": "recent_failures", "count": len(failed)},
        {"factor": "failure_rate", "value": rate},
        {"factor": "error_samples", "samples": _samples(failed)},
    ]
    if (count := naming(tenant, worker_id, at_us)) > 0:
        factors.append({"factor": "feedback_patterns", "count": count})
    value = {
        "predicted_outcome": "high_failure_likelihood",
        "failure_rate": rate,
        "recent_failures": len(failed),
        "total_runs": len(seen),
    }
    holds = len(failed) > 0 and share >= Fraction(1, 3)
    return Said(holds, rounded(min(share * Fraction(3, 2), Fraction(1)), 3), value, factors)


def cost_overrun(tenant: Tenant, worker_id: str, at_us: int) -> Said:
    """Return how far the worker's runs are about to cost more: R the mean of its three newest, O of the rest.

    Without a rest there are no numbers, not even the sizes of the samples.
    """
    costs = [run.cost for run in _newest_first(tenant, worker_id, at_us) if run.cost > 0]
    if len(costs) < RUNS_MIN:
        return Said(holds=False, confidence=0.0, value=_overrun(None, None, None), factors=_trend())
    now = Fraction(sum(costs[:RECENT]), RECENT)
    then = Fraction(sum(costs[RECENT:]), len(costs) - RECENT)
    projected = now * (now / then)
    over = projected / then - 1
    value = _overrun(cents(projected), cents(then), rounded(over * 100, 1))
    factors = _trend(cents(now), cents(then), rounded(now / then, 3), (RECENT, len(costs) - RECENT))
    confidence = min(max(over, Fraction(0)), Fraction(95, 100))
    return Said(over * 100 >= 30, rounded(confidence, 3), value, factors)


RULES: dict[str, Rule] = {"failure_likelihood": failure_likelihood, "cost_overrun": cost_overrun}


def predictions(tenant: Tenant) -> list[Line]:
    """Return the predictions that stand: those that hold, and those that held on their day."""
    return [line for line, _ in _judged(tenant)]


def dues(tenant: Tenant) -> list[int]:
    """Return the instants at which the predictions end."""
    return [due_us for _, due_us in _judged(tenant)]


def _judged(tenant: Tenant) -> Iterator[tuple[Line, int]]:
    for worker_id in sorted({run.worker_id for run in tenant.runs}):
        runs = [run for run in tenant.runs if run.worker_id == worker_id]
        for kind in RULES:
            events = [run for run in runs if kind == "failure_likelihood" or run.cost > 0]
            for day in sorted({run.occurred_us // DAY_US for run in events}):
                line = _line(tenant, (worker_id, kind, day), [run.occurred_us for run in events])
                if line is not None:
                    newest_us = max(run.occurred_us for run in events if run.occurred_us // DAY_US == day)
                    yield line, newest_us + VALID_US


def _line(tenant: Tenant, key: tuple[str, str, int], events_us: Sequence[int]) -> Line | None:
    worker_id, kind, day = key
    newest_us = max(at_us for at_us in events_us if at_us // DAY_US == day)
    said = RULES[kind](tenant, worker_id, newest_us)
    status = _status(tenant, key, events_us)
    if status is None:
        return None
    expires_us = newest_us + VALID_US
    return {
        "prediction_id": hashed("pr_", [tenant.tenant_id, kind, "worker", worker_id, day_text(day)]),
        "tenant_id": tenant.tenant_id,
        "prediction_type": kind,
        "subject_type": "worker",
        "subject_id": worker_id,
        "confidence_score": said.confidence,
        "prediction_value": said.value,
        "contributing_factors": said.factors,
        "as_of": instant(newest_us),
        "expires_at": instant(expires_us),
        "is_advisory": True,
        "notes": NOTE,
        "status": status,
        "revision": 2 * tenant.before(expires_us) + tenant.is_settled(expires_us),
    }


def _status(tenant: Tenant, key: tuple[str, str, int], events_us: Sequence[int]) -> str | None:
    """Return how a day's prediction stands; None: there is none."""
    worker_id, kind, day = key
    on_day = [at_us for at_us in events_us if at_us // DAY_US == day]
    held_us = {at_us for at_us in on_day if RULES[kind](tenant, worker_id, at_us).holds}
    if on_day[-1] not in held_us:
        return "withdrawn" if held_us else None
    expires_us = on_day[-1] + VALID_US
    later = [at_us for at_us in events_us if at_us // DAY_US > day]
    if later and later[0] < expires_us:
        return "superseded" if RULES[kind](tenant, worker_id, later[0]).holds else "withdrawn"
    return "expired" if tenant.is_settled(expires_us) else "active"


def _newest_first(tenant: Tenant, worker_id: str, at_us: int) -> list[Run]:
    seen = [run for run in tenant.runs if run.worker_id == worker_id and at_us - WINDOW_US <= run.occurred_us <= at_us]
    return seen[::-1]


def _samples(failed: Sequence[Run]) -> list[str]:
    texts = [(run.error or "")[:100] or "unknown" for run in failed[:5]]
    return sorted(set(texts), key=texts.index)[:3]


def _overrun(projected: float | None, average: float | None, percent: float | None) -> Line:
    return {
        "predicted_outcome": "cost_overrun",
        "projected_cost_cents": projected,
        "historical_avg_cents": average,
        "overrun_percent": percent,
    }


def _trend(
    recent: float | None = None,
    average: float | None = None,
    multiplier: float | None = None,
    sizes: tuple[int | None, int | None] = (None, None),
) -> list[Line]:
    return [
        {"factor": "recent_avg_cost", "value": recent},
        {"factor": "historical_avg_cost", "value": average},
        {"factor": "trend_multiplier", "value": multiplier},
        {"factor": "sample_size", "recent": sizes[0], "historical": sizes[1]},
    ]
