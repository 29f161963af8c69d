"""Rows of feedback and predictions as the worker writes them: made of the lines that it publishes."""

from typing import Any

from engines.core.model import Effects, TableRow
from engines.core.money import NANOUSD_PER_CENT
from engines.core.time import US_PER_MINUTE, parse_instant
from engines.prediction.reference import Prediction
from engines.runs import lines
from engines.runs.event import COMPLETED, FAILED
from engines.runs.series import Failure, Run

T_US = parse_instant("2026-01-15T10:00:00Z")
"""As of when rows are, unless a test says otherwise."""


def pattern(tenant_id: str = "acme", signature: str = "sig", template: str = "it broke", **changes: Any) -> TableRow:
    """A failure pattern of three runs."""
    told = _told(lines.feedback_id(tenant_id, signature), tenant_id, {"status": "active"} | changes)
    failure = Failure(signature, "v1", template, template)
    at = told.as_of_us
    runs = [
        Run(at - n * US_PER_MINUTE, f"run-{n}", "", f"{n}", FAILED, "billing-bot", None, failure) for n in (2, 1, 0)
    ]
    return _feedback_row(lines.pattern_line(told, runs))


def spike(tenant_id: str = "acme", run_id: str = "run-9", **changes: Any) -> TableRow:
    """A run that cost 1.5 times the mean of four before it."""
    told = _told(lines.feedback_id(tenant_id, "billing-bot", run_id), tenant_id, {"status": "final"} | changes)
    cent = NANOUSD_PER_CENT
    run = Run(told.as_of_us, run_id, "", run_id, COMPLETED, "billing-bot", 150 * cent)
    return _feedback_row(lines.spike_line(told, run, 4, 400 * cent))


def likelihood(tenant_id: str = "acme", worker_id: str = "billing-bot", **changes: Any) -> TableRow:
    """A prediction that a worker's runs fail."""
    value = {"predicted_outcome": "high_failure_likelihood", "failure_rate": 0.5, "recent_failures": 2, "total_runs": 4}
    return _prediction_row(tenant_id, "failure_likelihood", worker_id, value, {"confidence": 0.75} | changes)


def overrun(tenant_id: str = "acme", worker_id: str = "billing-bot", **changes: Any) -> TableRow:
    """A prediction that a worker's runs cost more."""
    value = {"predicted_outcome": "cost_overrun", "projected_cost_cents": 225.0, "historical_avg_cents": 100.0}
    return _prediction_row(tenant_id, "cost_overrun", worker_id, value, {"confidence": 0.325} | changes)


def id_of(row: TableRow) -> str:
    """The id of what the row tells of."""
    return str(row.values[0])


def _told(feedback_id: str, tenant_id: str, changes: dict[str, Any]) -> lines.Feedback:
    at = changes.get("as_of_us", T_US)
    values = {"active_since_us": at, "as_of_us": at, "acknowledged": None, "revision": 8} | changes
    return lines.Feedback(tenant_id=tenant_id, feedback_id=feedback_id, **values)


def _feedback_row(line: lines.Line) -> TableRow:
    effects = Effects()
    lines.tell_feedback(line, effects)
    return effects.rows[0]


def _prediction_row(
    tenant_id: str, kind: str, worker: str, value: dict[str, object], changes: dict[str, Any]
) -> TableRow:
    said = Prediction(holds=True, confidence=changes["confidence"], value=value, factors=[])
    at, status = changes.get("as_of_us", T_US), changes.get("status", "active")
    effects = Effects()
    line = lines.prediction_line((tenant_id, kind, worker), at, said, status, changes.get("revision", 8))
    lines.tell_prediction(line, effects)
    return effects.rows[0]
