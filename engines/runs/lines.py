"""What is told of runs: feedback and predictions as lines, messages and rows (CONTRACT §5, §7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from engines.core.ids import hashed_id
from engines.core.model import Effects, Outgoing, TableRow
from engines.core.money import NANOUSD_PER_CENT, rounded
from engines.core.tables import PATTERN_FEEDBACK, PREDICTION_EVENTS, Table
from engines.core.time import US_PER_DAY, US_PER_MINUTE, format_day, format_instant, parse_instant
from engines.patterns import spikes
from engines.patterns.activations import THRESHOLD, WINDOW_US
from engines.prediction.reference import NOTE, Prediction
from engines.runs.acknowledgements import Acknowledgement
from engines.runs.series import Run

FEEDBACK_TOPIC: Final = "pattern-feedback"
PREDICTIONS_TOPIC: Final = "predictions"
FAILURE_PATTERN: Final = "failure_pattern"
COST_SPIKE: Final = "cost_spike"
WORKER: Final = "worker"
VALIDITY_US: Final = US_PER_DAY
"""How long a prediction is valid from its as_of on."""

PROVENANCE_MAX: Final = 100
SHOWN_CHARACTERS: Final = 120

Line = dict[str, object]
_encode = msgspec.json.Encoder(order="sorted").encode


def feedback_id(*names: str) -> str:
    """Return the id of a pattern, of (tenant, signature), or of a spike, of (tenant, worker, run)."""
    return hashed_id("pf_", *names)


def prediction_id(tenant_id: str, prediction_type: str, worker_id: str, day: int) -> str:
    """Return the id of a worker's prediction of a UTC day."""
    return hashed_id("pr_", tenant_id, prediction_type, WORKER, worker_id, format_day(day))


@dataclass(frozen=True, slots=True)
class Feedback:
    """What stands of a pattern or a spike, beside its numbers.

    Attributes:
        status: of a pattern active or cleared; of a spike provisional, final or withdrawn.
        cleared_us: first instant at which a cleared pattern was over.
    """

    tenant_id: str
    feedback_id: str
    status: str
    active_since_us: int
    as_of_us: int
    acknowledged: Acknowledgement | None
    revision: int
    cleared_us: int | None = None


def pattern_line(told: Feedback, failures: list[Run]) -> Line:
    """Return the feedback line of the pattern of *failures*, those in the window of its as_of, in order."""
    earliest = failures[0]
    said = earliest.failure
    if said is None:
        raise TypeError(f"{earliest.run_id} has not failed")
    described = f"{len(failures)} failed runs with one error within 24 h: {said.template[:SHOWN_CHARACTERS]}"
    return _feedback_line(told) | {
        "pattern_type": FAILURE_PATTERN,
        "active": told.status == "active",
        "proposal_eligible": told.status == "active" and told.acknowledged is None,
        "signature": said.signature,
        "sig_v1": said.sig_v1,
        "template": said.template,
        "description": described,
        "worker_id": earliest.worker_id,
        "sample_error": said.sample,
        "occurrence_count": len(failures),
        "provenance": [run.run_id for run in failures[-PROVENANCE_MAX:]],
        "time_window_minutes": WINDOW_US // US_PER_MINUTE,
        "threshold_used": f"threshold={THRESHOLD}",
        "metadata": {"worker_id": earliest.worker_id},
    }


def spike_line(told: Feedback, run: Run, runs_before: int, cost_before: int) -> Line:
    """Return the feedback line of *run*, which cost more than so many before it."""
    recent = rounded(run.costs, NANOUSD_PER_CENT, 2)
    percent = rounded(100 * (run.costs * runs_before - cost_before), cost_before, 1) if cost_before else 0.0
    described = f"run {run.run_id} cost {recent} cents, {percent} % over the mean of {runs_before} runs before it"
    average = rounded(cost_before, runs_before * NANOUSD_PER_CENT, 2) if runs_before else None
    return _feedback_line(told) | {
        "pattern_type": COST_SPIKE,
        "active": told.status != "withdrawn",
        "proposal_eligible": False,
        "signature": f"{COST_SPIKE}_{run.worker_id}",
        "sig_v1": None,
        "template": None,
        "description": described,
        "worker_id": run.worker_id,
        "sample_error": None,
        "occurrence_count": 1,
        "provenance": [run.run_id],
        "time_window_minutes": None,
        "threshold_used": f"spike_threshold={spikes.THRESHOLD_PERCENT:.1f}%",
        "metadata": {
            "worker_id": run.worker_id,
            "avg_cost_cents": average,
            "recent_cost_cents": recent,
            "spike_percent": percent,
            "baseline_run_count": runs_before,
        },
    }


def prediction_line(who: tuple[str, str, str], as_of_us: int, said: Prediction, status: str, revision: int) -> Line:
    """Return the line of what was *said* of *who*: tenant, type of prediction, worker."""
    tenant_id, prediction_type, worker_id = who
    return {
        "prediction_id": prediction_id(tenant_id, prediction_type, worker_id, as_of_us // US_PER_DAY),
        "tenant_id": tenant_id,
        "prediction_type": prediction_type,
        "subject_type": WORKER,
        "subject_id": worker_id,
        "confidence_score": said.confidence,
        "prediction_value": said.value,
        "contributing_factors": said.factors,
        "as_of": format_instant(as_of_us),
        "expires_at": format_instant(as_of_us + VALIDITY_US),
        "is_advisory": True,
        "notes": NOTE,
        "status": status,
        "revision": revision,
    }


def tell_feedback(line: Line, effects: Effects) -> None:
    """Publish a feedback line, and keep it as a row."""
    effects.rows.append(_row(PATTERN_FEEDBACK, line))
    effects.outgoing.append(_message(FEEDBACK_TOPIC, "feedback_id", line))
    effects.count(f"feedback.{line['pattern_type']}")


def tell_prediction(line: Line, effects: Effects) -> None:
    """Publish a prediction, and keep it as a row."""
    keep_prediction(line, effects)
    effects.outgoing.append(_message(PREDICTIONS_TOPIC, "prediction_id", line))
    effects.count(f"predictions.{line['prediction_type']}")


def keep_prediction(line: Line, effects: Effects) -> None:
    """Keep a prediction as a row alone."""
    effects.rows.append(_row(PREDICTION_EVENTS, line))


def _feedback_line(told: Feedback) -> Line:
    said = told.acknowledged
    return {
        "feedback_id": told.feedback_id,
        "tenant_id": told.tenant_id,
        "severity": "warning",
        "status": told.status,
        "active_since": format_instant(told.active_since_us),
        "as_of": format_instant(told.as_of_us),
        "cleared_at": None if told.cleared_us is None else format_instant(told.cleared_us),
        "acknowledged": said is not None,
        "acknowledged_at": None if said is None else said.acknowledged_at,
        "acknowledged_by": None if said is None else said.acknowledged_by,
        "revision": told.revision,
    }


def _message(topic: str, key: str, line: Line) -> Outgoing:
    identifier = str(line[key])
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", f"{identifier}:{line['revision']}".encode()),
        ("ce_source", b"outlay/runs"),
        ("ce_type", ("prediction" if topic == PREDICTIONS_TOPIC else FEEDBACK_TOPIC).encode()),
        ("ce_time", str(line["as_of"]).encode()),
        ("content-type", b"application/json"),
    ]
    return Outgoing(topic, identifier.encode(), _encode(line), headers, str(line["tenant_id"]).encode())


def _row(table: Table, line: Line) -> TableRow:
    values: list[object] = []
    for column in table.columns:
        if column.name == "line":
            values.append(_encode(line).decode())
        elif column.type == "timestamp_us":
            values.append(parse_instant(str(line[column.name])))
        else:
            values.append(line.get("confidence_score") if column.type == "float" else line[column.name])
    return TableRow(table.name, tuple(values))
