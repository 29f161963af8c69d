"""What the runs domain publishes, for people and for JSON Schema (CONTRACT §7).

These models describe; nothing is built of them. The lines are made in ``engines.runs.lines``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from engines.core.described import HEX, Count, Described, Id, Time

FeedbackId = Annotated[str, Field(pattern=f"^pf_{HEX}$")]
PredictionId = Annotated[str, Field(pattern=f"^pr_{HEX}$")]
Share = Annotated[float, Field(ge=0, le=1)]


class FeedbackMetadata(Described):
    """Numbers behind a feedback line; of a failure pattern the worker alone."""

    worker_id: Id
    """The worker; of a failure pattern that of the earliest failure."""
    avg_cost_cents: float | None = None
    """Of a spike: mean cost of the worker's runs in the 30 days before it, US cents, two decimals."""
    recent_cost_cents: float | None = None
    """Of a spike: what the run cost, US cents, two decimals."""
    spike_percent: float | None = None
    """Of a spike: how far that is above the mean, one decimal."""
    baseline_run_count: Count | None = None
    """Of a spike: how many runs the mean is of."""


class PatternFeedback(Described):
    """Runs fail again and again with one error, or a run cost far more than those of its worker before it.

    Keep the highest revision of a feedback_id and ignore the rest. It tells and changes nothing: no run, no cost.
    """

    feedback_id: FeedbackId
    """Names a tenant's error, or its run that cost too much, for ever. The message's key."""
    tenant_id: Id
    """Whose runs these are; decides the partition."""
    pattern_type: Literal["failure_pattern", "cost_spike"]
    """Failed runs with one error, or one dear run."""
    severity: Literal["warning"]
    """How grave it is."""
    status: Literal["active", "cleared", "provisional", "final", "withdrawn"]
    """Of a pattern active or cleared; of a spike provisional, final, or withdrawn when it was told and did not hold."""
    active: bool
    """Whether it holds: a pattern that is active, a spike that is not withdrawn."""
    signature: Id
    """Which error it is, whatever numbers and names vary in its text; of a spike cost_spike_ and the worker."""
    sig_v1: Id | None
    """The same in the older, coarser way; null for spikes."""
    template: str | None
    """The error with what varies taken out, its first 500 characters; null for spikes."""
    description: Id
    """It in one sentence, for people."""
    worker_id: Id
    """The worker; of a pattern that of its earliest failure."""
    sample_error: str | None
    """What the earliest failure said, its first 500 characters; null for spikes."""
    occurrence_count: Annotated[int, Field(ge=1)]
    """Failed runs with this error in the 24 hours up to as_of; of a spike 1."""
    provenance: list[Id]
    """The run_ids of these, oldest first, the newest 100; of a spike its run."""
    time_window_minutes: Literal[1440] | None
    """How far back failures count; null for spikes."""
    threshold_used: Id
    """The rule's number: threshold=3 failures, or spike_threshold=50.0%."""
    active_since: Time
    """When it began: the failure that made it three, or the dear run."""
    as_of: Time
    """Event time of the newest run that its numbers are about."""
    cleared_at: Time | None
    """From when on fewer than three failures were left in the window; null unless cleared."""
    metadata: FeedbackMetadata
    """Numbers behind it."""
    acknowledged: bool
    """Whether a person has seen it since it began; a pattern that comes back is to be acknowledged anew."""
    acknowledged_at: Time | None
    """When; null when nobody has."""
    acknowledged_by: str | None
    """Who; null when nobody has."""
    proposal_eligible: bool
    """Whether a policy may be proposed for it: a pattern that is active and not acknowledged."""
    revision: Count
    """Grows with each change of this feedback_id; keep the highest."""


class FailureLikely(Described):
    """A worker is likely to fail."""

    predicted_outcome: Literal["high_failure_likelihood"]
    """Of failure_likelihood."""
    failure_rate: Share
    """Failed runs of all that ended in the 7 days up to as_of, three decimals."""
    recent_failures: Count
    """Failed runs in these 7 days."""
    total_runs: Annotated[int, Field(ge=1)]
    """Runs that ended in these 7 days."""


class CostOverrun(Described):
    """A worker's runs become dearer; without enough runs, every number is null."""

    predicted_outcome: Literal["cost_overrun"]
    """Of cost_overrun."""
    projected_cost_cents: float | None
    """What a run will cost when the trend goes on, US cents, two decimals."""
    historical_avg_cents: float | None
    """Mean of the runs before the newest three, US cents, two decimals."""
    overrun_percent: float | None
    """How far the first is above the second, one decimal."""


class Factor(Described):
    """What contributed to a prediction: its name, and the numbers that belong to it."""

    factor: Literal[
        "recent_failures",
        "failure_rate",
        "error_samples",
        "feedback_patterns",
        "recent_avg_cost",
        "historical_avg_cost",
        "trend_multiplier",
        "sample_size",
        "runs",
        "failures",
        "history_days",
        "days_left",
        "run_rate",
    ]
    """Which it is."""
    count: Count | None = None
    """How many: of recent_failures, feedback_patterns, runs, failures and days."""
    value: float | None = None
    """How much: of rates, costs in US cents and multipliers; run_rate in whole US cents."""
    samples: list[str] | None = None
    """Up to three errors, newest first, the first 100 characters of each."""
    recent: Count | None = None
    """Runs that make up "now"."""
    historical: Count | None = None
    """Runs that make up "before"."""


class FailureProbability(Described):
    """How likely a worker's next run is to fail."""

    predicted_outcome: Literal["failure_probability"]
    """Of failure_probability."""
    probability: Share
    """For the model of its newest run, three decimals."""
    by_model: dict[str, Share]
    """For each model it used, likewise."""


class MonthEndSpend(Described):
    """What the month of a budget will have cost."""

    predicted_outcome: Literal["month_end_spend"]
    """Of month_end_spend."""
    month: Annotated[str, Field(pattern="^[0-9]{4}-[0-9]{2}$")]
    """The UTC month, YYYY-MM."""
    spent_nanousd: Count
    """What it has cost before as_of, billionths of a US dollar."""
    low_nanousd: Count
    """Of five months one is held to end below this or above high_nanousd, the other four between the two."""
    median_nanousd: Count
    """As many end above as below."""
    high_nanousd: Count
    """See low_nanousd."""
    limit_nanousd: Count
    """The budget's monthly limit."""
    exceeds_probability: Share
    """How likely the month is to cost more, three decimals; 1 when it has."""


class WorkerPrediction(Described):
    """A worker is likely to fail, its runs become dearer, or a budget's month will end so. Advisory: changes nothing.

    Keep the highest revision of a prediction_id and ignore the rest. It holds while it is active and until expires_at.
    """

    prediction_id: PredictionId
    """Names a tenant's prediction of one type for one subject and UTC day, for ever. The message's key."""
    tenant_id: Id
    """Whose worker or budget it is; decides the partition."""
    prediction_type: Literal["failure_likelihood", "cost_overrun", "failure_probability", "month_end_spend"]
    """What is predicted; the last two only where calibrated predictions are asked for."""
    subject_type: Literal["worker", "tenant", "feature", "user"]
    """Of what kind the subject is; of month_end_spend the budget's type."""
    subject_id: Id
    """The worker, or the entity of the budget."""
    confidence_score: Share
    """How sure it is, three decimals; 0 when too few runs are left to say. Of the calibrated ones their probability."""
    prediction_value: FailureLikely | CostOverrun | FailureProbability | MonthEndSpend
    """What is predicted, and the numbers it rests on."""
    contributing_factors: list[Factor]
    """What contributed, in a fixed order."""
    as_of: Time
    """Event time of the worker's newest run on that UTC day: the numbers are of the 7 days up to it.

    Of the calibrated ones the end of the UTC day that closed.
    """
    expires_at: Time
    """24 hours later."""
    is_advisory: Literal[True]
    """Always true: only an envelope may act on a prediction."""
    notes: Id
    """The same in words."""
    status: Literal["active", "superseded", "withdrawn", "expired"]
    """In force; replaced by that of a later day; told, and holds no longer; or its time has passed."""
    revision: Count
    """Grows with each change of this prediction_id; keep the highest."""
