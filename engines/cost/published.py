"""What the cost domain publishes, for people and for JSON Schema (CONTRACT §5).

These models describe; nothing is built of them. The lines are made in ``engines.cost.anomalies`` and
``engines.cost.lines``, and tests hold what comes out of there to what is said here: every member is always there,
none is beside them. Later versions may add members, so a reader ignores those it does not know.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from engines.core.described import HEX, SHOWN, Count, Described, Id, Time
from engines.cost.rules import DerivedCause

_DAY: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T00:00:00Z$"
_HOUR: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:00:00Z$"

AnomalyId = Annotated[str, Field(pattern=f"^ca_{HEX}$")]
EpisodeId = Annotated[str, Field(pattern=f"^ep_{HEX}$")]
Day = Annotated[str, Field(pattern=_DAY, json_schema_extra=SHOWN)]
Hour = Annotated[str, Field(pattern=_HOUR, json_schema_extra=SHOWN)]
Entity = Literal["tenant", "user", "feature", "model"]


class JudgedBy(Described):
    """Which rules judged."""

    profile: Literal["standard", "reference"]
    """The profile of the rules."""
    version: Count
    """Version of the rules themselves."""
    changed: dict[str, int]
    """Numbers of the profile that a setting had changed, by the rule's name."""


class BudgetTold(Described):
    """The budget that a budget anomaly is about."""

    limit_cents: Count
    """The limit of the period, in US cents."""
    warn_threshold_pct: Annotated[int, Field(ge=1, le=100)]
    """The usage from which it warns."""
    usage_pct: float
    """How much of it is used, cut to two decimals; the same as deviation_pct."""


class CauseEvidence(Described):
    """What the cause was derived from: sums over the active days of the window and of the baseline."""

    requests: Count
    """Records in the window."""
    retry_requests: Count
    """Of these, retries."""
    input_tokens: Count
    """Their input tokens."""
    baseline_requests: Count
    """Records on the baseline's days."""
    baseline_retry_requests: Count
    """Of these, retries."""
    baseline_input_tokens: Count
    """Their input tokens."""
    baseline_days: Count
    """Active days of the baseline."""
    feature_tag: str | None
    """The feature that cost most in the window; of a tenant only."""
    feature_nanousd: Count | None
    """What it cost, nano-USD."""
    baseline_feature_nanousd: Count | None
    """What it cost on the baseline's days, nano-USD."""
    tagged_nanousd: Count | None
    """What all features cost, nano-USD; of a tenant only."""
    baseline_tagged_nanousd: Count | None
    """What all features cost on the baseline's days, nano-USD."""


class CostAnomalyFact(Described):
    """Spend of a tenant, user or feature is, or was, HIGH: a spike, a drift, or a budget used up.

    Keep the highest revision of an anomaly_id and ignore the rest. Money is integer nano-USD (1 cent is 10^7),
    percentages are cut toward zero to two decimals, times are UTC.
    """

    anomaly_id: AnomalyId
    """Names one anomaly for ever: tenant, kind, entity, window and period. The message's key."""
    tenant_id: Id
    """Whose money it is; decides the partition."""
    anomaly_type: Literal["ABSOLUTE_SPIKE", "SUSTAINED_DRIFT", "BUDGET_WARNING", "BUDGET_EXCEEDED"]
    """What happened. A budget's warning that becomes an excess keeps its id."""
    severity: Literal["LOW", "MEDIUM", "HIGH"]
    """HIGH at least once; a later revision may say less."""
    entity_type: Literal["tenant", "user", "feature"]
    """Of what kind the spender is."""
    entity_id: Id
    """The spender; of a tenant the tenant id."""
    window_start: Day
    """Where the judged window begins: a day, or a month for monthly budgets."""
    window_end: Day
    """Where it ends; not part of it."""
    period: Literal["daily", "monthly"] | None
    """Of a budget; else null."""
    current_nanousd: Count | None
    """What was spent in the window; of a drift, per day of the last seven."""
    expected_nanousd: Count | None
    """The baseline, or the budget's limit."""
    deviation_pct: float
    """How far spend is above the baseline; of a budget, how much of it is used."""
    threshold_pct: int
    """The number that deviation_pct passed to fire."""
    breach_count: Count
    """Consecutive days so far, this one included; 0 on a withdrawn fact whose day breaches no more."""
    streak_start: Day
    """First of these days."""
    episode_id: EpisodeId
    """The same for all days of one unbroken streak: one incident."""
    derived_cause: DerivedCause
    """Why spend rose, as far as the records tell."""
    cause_evidence: CauseEvidence | None
    """The numbers behind the cause; null where no cause is looked for."""
    unpriced_requests: Count
    """Records of the entity in the window that have no known price, and so count as requests only."""
    restated: bool
    """Judged again after its window had closed, because late records corrected it."""
    tenant_episode_id: EpisodeId | None
    """On a user's or feature's fact: the tenant's episode of this kind in the window, if any. Tell of that first."""
    message: Id
    """The fact in one sentence, for people."""
    metadata: dict[str, str]
    """Empty; reserved."""
    rules: JudgedBy
    """By which rules it was judged."""
    budget: BudgetTold | None
    """Of BUDGET_WARNING and BUDGET_EXCEEDED; else null."""
    status: Literal["provisional", "final", "withdrawn"]
    """The window is open; it has closed; or the fact was told and holds no longer."""
    revision: Count
    """Grows with each change of this anomaly_id; keep the highest."""
    current_value_cents: Count | None
    """current_nanousd in whole cents, cut."""
    expected_value_cents: Count | None
    """expected_nanousd in whole cents, cut."""
    confidence: float
    """Always 1.0: the rules are exact."""
    observed_at: Time
    """End of the window when final; else the newest event time of the tenant in it."""


class CostSnapshotLine(Described):
    """What a tenant, user, feature or model used and cost in one UTC hour or day that is complete.

    Keep the highest version of a key: a late record corrects a complete day for 35 days. Lines of different entity
    types count the same money.
    """

    tenant_id: Id
    """Whose money it is; decides the partition."""
    entity_type: Entity
    """Of what kind the spender is."""
    entity_id: Id
    """The spender; of a tenant the tenant id; ~other gathers names beyond the limit per day."""
    window: Literal["hour", "day"]
    """How long the window is."""
    start: Hour
    """Where it begins."""
    requests: Annotated[int, Field(ge=1)]
    """Records counted."""
    unpriced_requests: Count
    """Of these, without a known price."""
    retry_requests: Count
    """Of these, retries."""
    input_tokens: Count
    """Tokens sent, cached ones included."""
    cached_input_tokens: Count
    """Of these, read from the provider's cache."""
    output_tokens: Count
    """Tokens received."""
    cost_nanousd: Count | None
    """What they cost, nano-USD; null when none has a known price, never 0 then."""
    baseline_nanousd: Count | None
    """Mean of the entity's active days among the seven before, fixed at the close, nano-USD; null for hours."""
    deviation_pct: float | None
    """How far the cost is above that, cut to two decimals; null when either is missing or 0."""
    status: Literal["provisional", "complete"]
    """Published are complete ones only."""
    restated: bool
    """Corrected by a record that came after the close."""
    version: Annotated[int, Field(ge=2)]
    """Grows with each record; keep the highest of a key."""
