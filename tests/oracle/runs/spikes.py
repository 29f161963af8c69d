"""Cost spikes: runs far dearer than those of their worker before them (CONTRACT §7).

A run of a completed worker that cost something is judged alone, so it is one line for ever. Where two runs have one
id, the line of the greater revision stands.
"""

from collections.abc import Iterator
from fractions import Fraction

from tests.oracle.lines import instant
from tests.oracle.records import DAY_US
from tests.oracle.runs.record import Run
from tests.oracle.runs.tenant import Line, Tenant, acknowledged, cents, hashed, rounded

WINDOW_US = 30 * DAY_US
BEFORE_MIN = 4
THRESHOLD_PCT = 50


def spikes(tenant: Tenant) -> list[Line]:
    """Return the spikes that stand, one for each id."""
    best: dict[str, Line] = {}
    for line in _lines(tenant):
        known = best.get(line["feedback_id"])
        if known is None or known["revision"] < line["revision"]:
            best[line["feedback_id"]] = line
    return list(best.values())


def dues(tenant: Tenant) -> list[int]:
    """Return the instants from which on a spike is final."""
    return [run.occurred_us + 1 for run in tenant.runs if fires(run, before(tenant, run))]


def before(tenant: Tenant, run: Run) -> list[Run]:
    """Return the runs that *run* is compared with."""
    earlier = tenant.runs[: tenant.runs.index(run)]
    return [
        other
        for other in earlier
        if other.cost > 0 and other.worker_id == run.worker_id and other.occurred_us >= run.occurred_us - WINDOW_US
    ]


def fires(run: Run, others: list[Run]) -> bool:
    """Return whether *run* cost at least half as much again as the mean of *others*."""
    if run.cost == 0 or len(others) < BEFORE_MIN:
        return False
    mean = Fraction(sum(other.cost for other in others), len(others))
    return run.cost >= mean * (100 + THRESHOLD_PCT) / 100


def _lines(tenant: Tenant) -> Iterator[Line]:
    for place, run in enumerate(tenant.runs):
        others = before(tenant, run)
        if fires(run, others):
            yield _line(tenant, place, others)


def _line(tenant: Tenant, place: int, others: list[Run]) -> Line:
    run = tenant.runs[place]
    mean = Fraction(sum(other.cost for other in others), len(others))
    recent, percent = cents(Fraction(run.cost)), rounded((run.cost / mean - 1) * 100, 1)
    feedback_id = hashed("pf_", [tenant.tenant_id, run.worker_id, run.run_id])
    final = tenant.is_settled(run.occurred_us + 1)
    return {
        "feedback_id": feedback_id,
        "tenant_id": tenant.tenant_id,
        "pattern_type": "cost_spike",
        "severity": "warning",
        "status": "final" if final else "provisional",
        "active": True,
        "signature": f"cost_spike_{run.worker_id}",
        "sig_v1": None,
        "template": None,
        "description": _description(run, recent, percent, len(others)),
        "worker_id": run.worker_id,
        "sample_error": None,
        "occurrence_count": 1,
        "provenance": [run.run_id],
        "time_window_minutes": None,
        "threshold_used": "spike_threshold=50.0%",
        "active_since": instant(run.occurred_us),
        "as_of": instant(run.occurred_us),
        "cleared_at": None,
        "metadata": {
            "worker_id": run.worker_id,
            "avg_cost_cents": cents(mean),
            "recent_cost_cents": recent,
            "spike_percent": percent,
            "baseline_run_count": len(others),
        },
        **acknowledged(tenant, feedback_id, run.occurred_us),
        "proposal_eligible": False,
        "revision": 2 * (place + 1 + len(tenant.rows(feedback_id))) + final,
    }


def _description(run: Run, recent: float, percent: float, others: int) -> str:
    """Return the sentence; its numbers are those of the metadata, as JSON writes them."""
    return f"run {run.run_id} cost {recent} cents, {percent} % over the mean of {others} runs before it"
