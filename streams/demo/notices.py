"""What is told of runs as the demo reads it: feedback and predictions, of both what is shown and what is compared."""

from __future__ import annotations

from typing import Final

import msgspec

FAILURE_PATTERN: Final = "failure_pattern"
COST_SPIKE: Final = "cost_spike"
COST_OVERRUN: Final = "cost_overrun"


class Spent(msgspec.Struct, frozen=True):
    """The numbers behind a spike; None of a pattern."""

    avg_cost_cents: float | None = None
    recent_cost_cents: float | None = None
    spike_percent: float | None = None


class Feedback(msgspec.Struct, frozen=True):
    """A failure pattern or a cost spike as last told (CONTRACT §7)."""

    feedback_id: str
    revision: int
    pattern_type: str
    tenant_id: str
    worker_id: str
    status: str
    active_since: str
    occurrence_count: int
    template: str | None
    metadata: Spent
    proposal_eligible: bool

    @property
    def identifier(self) -> str:
        """What its revisions have in common."""
        return self.feedback_id

    @property
    def kind(self) -> str:
        """What it is."""
        return self.pattern_type

    @property
    def since(self) -> str:
        """When it last began."""
        return self.active_since


class Expected(msgspec.Struct, frozen=True):
    """What is predicted; which members there are depends on its type."""

    recent_failures: int | None = None
    total_runs: int | None = None
    projected_cost_cents: float | None = None
    historical_avg_cents: float | None = None


class Prediction(msgspec.Struct, frozen=True):
    """A prediction as last told (CONTRACT §7)."""

    prediction_id: str
    revision: int
    prediction_type: str
    tenant_id: str
    subject_id: str
    status: str
    as_of: str
    confidence_score: float
    prediction_value: Expected

    @property
    def identifier(self) -> str:
        """What its revisions have in common."""
        return self.prediction_id

    @property
    def kind(self) -> str:
        """What it is."""
        return self.prediction_type

    @property
    def worker_id(self) -> str:
        """Of whom it speaks."""
        return self.subject_id

    @property
    def since(self) -> str:
        """When it was made: its day is part of its name."""
        return self.as_of


Notice = Feedback | Prediction


def says(notice: Notice) -> str:
    """Return the numbers of *notice* in a few words."""
    if isinstance(notice, Prediction):
        value = notice.prediction_value
        if notice.kind == COST_OVERRUN:
            what = f"{_usd(value.projected_cost_cents)} a run to come, {_usd(value.historical_avg_cents)} before"
        else:
            what = f"{value.recent_failures} of {value.total_runs} runs failed in 7 days"
        return f"{what}; confidence {notice.confidence_score}"
    if notice.kind == COST_SPIKE:
        spent = notice.metadata
        usual = _usd(spent.avg_cost_cents)
        return f"{_usd(spent.recent_cost_cents)} a run, {usual} before; {spent.spike_percent:+.0f} %"
    return f"{notice.occurrence_count} in 24 h: {notice.template}"


def order(notice: Notice) -> tuple[object, ...]:
    """Return the place of *notice* among others: by tenant, worker and kind, then time."""
    return (notice.tenant_id, notice.worker_id, notice.kind, notice.since)


def _usd(cents: float | None) -> str:
    return "-" if cents is None else f"${cents / 100:,.2f}"
