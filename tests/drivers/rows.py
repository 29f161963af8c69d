"""Projection rows for tests: plain ones, of which a test names what it is about."""

from typing import Any

from engines.core.model import TableRow
from engines.core.tables import ANOMALIES, PATTERN_FEEDBACK, PREDICTION_EVENTS, SNAPSHOTS, SPEND_FORECASTS, Table

_SNAPSHOT: dict[str, Any] = {
    "tenant_id": "acme",
    "window_kind": "day",
    "start_at": 1_767_225_600_000_000,
    "entity_type": "tenant",
    "entity_id": "acme",
    "requests": 3,
    "unpriced_requests": 1,
    "retry_requests": 0,
    "input_tokens": 1000,
    "cached_input_tokens": 10,
    "output_tokens": 200,
    "cost_nanousd": 1_500_000_000,
    "baseline_nanousd": None,
    "restated": False,
    "as_of_offset": 10,
}
_ANOMALY: dict[str, Any] = {
    "anomaly_id": "ca_0123456789abcdef",
    "revision": 3,
    "tenant_id": "acme",
    "anomaly_type": "ABSOLUTE_SPIKE",
    "severity": "HIGH",
    "entity_type": "tenant",
    "entity_id": "acme",
    "window_start": 1_767_225_600_000_000,
    "window_end": 1_767_312_000_000_000,
    "period": None,
    "status": "provisional",
    "current_nanousd": 30_000_000_000,
    "expected_nanousd": 10_000_000_000,
    "deviation_pct": 200.0,
    "breach_count": 1,
    "derived_cause": "UNKNOWN",
    "message": "tenant acme spends 3 times its baseline",
    "line": '{"anomaly_id":"ca_0123456789abcdef"}',
}


_FEEDBACK: dict[str, Any] = {
    "feedback_id": "pf_0123456789abcdef",
    "revision": 8,
    "as_of": 1_767_225_600_000_000,
    "tenant_id": "acme",
    "pattern_type": "failure_pattern",
    "severity": "warning",
    "status": "active",
    "active": True,
    "signature": "fedcba9876543210",
    "worker_id": "billing-bot",
    "occurrence_count": 4,
    "active_since": 1_767_222_000_000_000,
    "line": '{"feedback_id":"pf_0123456789abcdef"}',
}
_PREDICTION: dict[str, Any] = {
    "prediction_id": "pr_0123456789abcdef",
    "revision": 8,
    "as_of": 1_767_225_600_000_000,
    "tenant_id": "acme",
    "prediction_type": "failure_likelihood",
    "subject_type": "worker",
    "subject_id": "billing-bot",
    "status": "active",
    "confidence_score": 0.75,
    "expires_at": 1_767_312_000_000_000,
    "is_advisory": True,
    "line": '{"prediction_id":"pr_0123456789abcdef"}',
}


def snapshot(**changes: Any) -> TableRow:
    return _row(SNAPSHOTS, _SNAPSHOT | changes)


def anomaly(**changes: Any) -> TableRow:
    return _row(ANOMALIES, _ANOMALY | changes)


def feedback(**changes: Any) -> TableRow:
    return _row(PATTERN_FEEDBACK, _FEEDBACK | changes)


def prediction(**changes: Any) -> TableRow:
    return _row(PREDICTION_EVENTS, _PREDICTION | changes)


def forecast(**changes: Any) -> TableRow:
    of_budget = {"prediction_type": "month_end_spend", "subject_type": "tenant", "subject_id": "acme"}
    return _row(SPEND_FORECASTS, _PREDICTION | of_budget | changes)


def _row(table: Table, values: dict[str, Any]) -> TableRow:
    return TableRow(table.name, tuple(values[column.name] for column in table.columns))
