"""The numbers of the cost rules, as two profiles, and the lines they draw for one day's spend.

``reference`` is the numbers as the reference system has them; ``standard``, the default, adds what people need so
that a quiet tenant is never flagged (CONTRACT §6). Integers decide everything: a rule becomes the least total, in
nano-USD, at which it holds, so judging a day is comparing its total with a line.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Final

from engines.core.money import NANOUSD_PER_CENT

NEVER: Final = 1 << 200
"""A line that no total reaches."""
RULES_VERSION: Final = 1


class AnomalyType(StrEnum):
    """What kind of anomaly a line tells of (reference, cost_anomaly_detector)."""

    ABSOLUTE_SPIKE = "ABSOLUTE_SPIKE"
    SUSTAINED_DRIFT = "SUSTAINED_DRIFT"
    BUDGET_WARNING = "BUDGET_WARNING"
    BUDGET_EXCEEDED = "BUDGET_EXCEEDED"
    UNPRICED_USAGE = "UNPRICED_USAGE"
    USER_SPIKE = "user_spike"
    FEATURE_SPIKE = "feature_spike"
    MODEL_SPIKE = "model_spike"
    TENANT_SPIKE = "tenant_spike"


class AnomalySeverity(StrEnum):
    """How far beyond the expected an anomaly is (reference, cost_anomaly_detector)."""

    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"


class DerivedCause(StrEnum):
    """Why spend rose, as far as the records tell (reference, cost_anomaly_detector)."""

    RETRY_LOOP = "RETRY_LOOP"
    PROMPT_GROWTH = "PROMPT_GROWTH"
    FEATURE_SURGE = "FEATURE_SURGE"
    TRAFFIC_GROWTH = "TRAFFIC_GROWTH"
    UNKNOWN = "UNKNOWN"


class ProfileName(StrEnum):
    """The two sets of numbers."""

    STANDARD = "standard"
    REFERENCE = "reference"


def classify_severity(deviation_pct: float, *, medium_pct: int = 25, high_pct: int = 40) -> AnomalySeverity:
    """Return the band of *deviation_pct*: HIGH from 40, MEDIUM from 25, else LOW (reference, cost_anomaly_detector)."""
    if deviation_pct >= high_pct:
        return AnomalySeverity.HIGH
    return AnomalySeverity.MEDIUM if deviation_pct >= medium_pct else AnomalySeverity.LOW


@dataclass(frozen=True, slots=True)
class Profile:
    """The numbers of one profile; every one is a setting of its name (CONTRACT §6). Percentages, days, US cents.

    Attributes:
        spike_pct: a day breaches from this percentage of its baseline on.
        consecutive_days: breach days in a row that make a spike.
        baseline_days_min: fewer active baseline days than this need ``few_days_pct`` and ``few_days_excess_cents``;
            drift does not fire with fewer at all.
        excess_min_cents: least excess over the baseline (drift: per day, mean).
        alone_pct: a breach from this percentage on fires at once; 0: never at once.
        alone_excess_pct, alone_excess_cents: from this percentage on and with this excess it fires at once, too.
        drift_pct: the last seven days drift from this percentage of the baseline on.
        drift_days_required: drifting days in a row that fire.
        drift_days_min: of the seven days so many, and the last one, must be at ``drift_pct`` by themselves; 0: none.
        severity_medium_pct, severity_high_pct: deviations from which a drift is MEDIUM, HIGH.
        budget_high_pct: a warning is HIGH from this usage on.
        day_low_pct … day_critical_pct: deviations of the day-level evaluation (user_spike …) by severity.
        unpriced_pct, unpriced_requests_min: UNPRICED_USAGE above this share, from so many requests on; 0: never.
        cause_…: see ``engines.cost.causes``.
    """

    name: ProfileName
    spike_pct: int = 140
    consecutive_days: int = 2
    baseline_days_min: int = 1
    few_days_pct: int = 300
    few_days_excess_cents: int = 0
    excess_min_cents: int = 0
    alone_pct: int = 0
    alone_excess_pct: int = 200
    alone_excess_cents: int = 0
    drift_pct: int = 125
    drift_days_required: int = 3
    drift_days_min: int = 0
    severity_medium_pct: int = 25
    severity_high_pct: int = 40
    budget_high_pct: int = 90
    day_low_pct: int = 200
    day_medium_pct: int = 300
    day_high_pct: int = 400
    day_critical_pct: int = 500
    unpriced_pct: int = 0
    unpriced_requests_min: int = 20
    cause_retry_ratio_pct: int = 150
    cause_retry_share_pct: int = 5
    cause_feature_share_pct: int = 60
    cause_feature_points: int = 10
    cause_growth_pct: int = 130


REFERENCE: Final = Profile(ProfileName.REFERENCE)
STANDARD: Final = Profile(
    ProfileName.STANDARD,
    baseline_days_min=3,
    few_days_excess_cents=2_500,
    excess_min_cents=500,
    alone_pct=300,
    alone_excess_cents=2_500,
    drift_days_min=3,
    unpriced_pct=50,
)
PROFILES: Final = {profile.name: profile for profile in (STANDARD, REFERENCE)}


NUMBERS: Final = tuple(field.name for field in fields(Profile) if field.name != "name")
"""The names of the numbers that may be set."""


@dataclass(frozen=True, slots=True)
class Rules:
    """By which rules a window is judged: the numbers in force, named after the profile they started from."""

    profile: Profile

    @property
    def changed(self) -> dict[str, int]:
        """Return the numbers that differ from their profile's."""
        start = PROFILES[self.profile.name]
        values = {name: getattr(self.profile, name) for name in NUMBERS}
        return {name: value for name, value in values.items() if value != getattr(start, name)}

    def line(self) -> dict[str, object]:
        """Return the ``rules`` member of an anomaly line."""
        return {"profile": self.profile.name.value, "version": RULES_VERSION, "changed": self.changed}


@dataclass(frozen=True, slots=True)
class SpikeLines:
    """The totals of a day, nano-USD, from which it breaches, fires without a streak, and is three times as dear."""

    breach: int
    alone: int
    triple: int


NO_LINES: Final = SpikeLines(NEVER, NEVER, NEVER)


def spike_lines(baseline_nanousd: int, active_days: int, profile: Profile) -> SpikeLines:
    """Return the lines of a day whose baseline days sum to *baseline_nanousd* over *active_days*.

    Without a positive baseline no day breaches (reference, cost_anomaly_detector).
    """
    if active_days <= 0 or baseline_nanousd <= 0:
        return NO_LINES
    breach = gated(profile.spike_pct, baseline_nanousd, active_days, profile)
    if not profile.alone_pct:
        return SpikeLines(breach, NEVER, ratio_line(300, baseline_nanousd, active_days))
    triple = ratio_line(profile.alone_pct, baseline_nanousd, active_days)
    double = max(
        ratio_line(profile.alone_excess_pct, baseline_nanousd, active_days),
        excess_line(profile.alone_excess_cents, baseline_nanousd, active_days),
    )
    return SpikeLines(breach, max(breach, min(triple, double)), triple)


def gated(pct: int, baseline_nanousd: int, active_days: int, profile: Profile) -> int:
    """Return the least total of *pct* of the baseline that passes the gates of *profile*."""
    least = max(
        ratio_line(pct, baseline_nanousd, active_days),
        excess_line(profile.excess_min_cents, baseline_nanousd, active_days),
    )
    if active_days >= profile.baseline_days_min:
        return least
    few = ratio_line(profile.few_days_pct, baseline_nanousd, active_days)
    return max(least, few, excess_line(profile.few_days_excess_cents, baseline_nanousd, active_days))


def ratio_line(pct: int, baseline_nanousd: int, active_days: int) -> int:
    """Return the least total that is *pct* percent of the mean of *active_days* that sum to *baseline_nanousd*."""
    return -(-pct * baseline_nanousd // (100 * active_days))


def excess_line(cents: int, baseline_nanousd: int, active_days: int) -> int:
    """Return the least total that exceeds the mean of *active_days* by *cents*."""
    return -(-baseline_nanousd // active_days) + cents * NANOUSD_PER_CENT
