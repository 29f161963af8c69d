"""What goes wrong in the made-up weeks: each incident, and the facts that must come of it, written down beforehand.

One invariant: nothing here is computed by the rules it checks. The days are drawn from the seed, everything else is
fixed, far enough from every line of the rules (CONTRACT §6, profile ``standard``) that no seed changes what is due.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date
from typing import Final

FIRST_DAY: Final = (date(2025, 9, 1) - date(1970, 1, 1)).days
"""A Monday; days are counted as everywhere, from the epoch."""
DAYS: Final = 35
_SPIKE: Final = "ABSOLUTE_SPIKE"
_DRIFT_FROM: Final = FIRST_DAY + 12
_HIGH_FROM: Final = FIRST_DAY + 31
_DRIFTING_BEFORE: Final = 5
"""Days before ``_HIGH_FROM`` on which the drift is there already, and not yet worth a fact."""


@dataclass(frozen=True, slots=True)
class Due:
    """A fact that must be on the topic, final, and HIGH.

    Attributes:
        day: the first day of its window.
        breach_count: how many days in a row it has gone on.
        restated: its records came when the day was closed.
    """

    anomaly_type: str
    tenant_id: str
    entity_type: str
    entity_id: str
    day: int
    cause: str
    breach_count: int = 1
    restated: bool = False


@dataclass(frozen=True, slots=True)
class Budget:
    """What a tenant may spend a month, in US dollars, from the first day on."""

    tenant_id: str
    monthly_usd: int


@dataclass(frozen=True, slots=True)
class Incident:
    """One thing that goes wrong: it touches the calls of one entity on *days* days from *first_day* on.

    Attributes:
        calls: how many times as many calls are made.
        growth: by which share the calls grow each day, beside that.
        prompt: how many times as long the input of each call is.
        retries: the calls on top are retries by a job, on nobody's behalf.
        days_late: how much later than they occur the calls on top arrive.
        budget: set before the first record.
    """

    story: str
    tenant_id: str
    entity_type: str
    entity_id: str
    first_day: int
    days: int
    due: tuple[Due, ...]
    calls: float = 1.0
    growth: float = 0.0
    prompt: float = 1.0
    retries: bool = False
    days_late: int = 0
    budget: Budget | None = None

    def touches(self, tenant_id: str, feature: str, user: str | None, day: int) -> bool:
        """Whether it concerns the calls of *user* for *feature* on *day*."""
        mine = {"tenant": tenant_id, "feature": feature, "user": user}[self.entity_type]
        return self.tenant_id == tenant_id and self.entity_id == mine and 0 <= day - self.first_day < self.days

    def times(self, day: int) -> float:
        """Return how many times as many calls as usual are made on *day*."""
        return float(self.calls * (1 + self.growth) ** (day - self.first_day + 1))


def incidents(rng: random.Random) -> tuple[Incident, ...]:
    """Return what goes wrong in one seed's weeks: on working days, late enough for baselines to stand."""
    upload = FIRST_DAY + 9 + rng.randrange(3)
    render = FIRST_DAY + 14 + rng.randrange(5)
    prompt = FIRST_DAY + 14 + rng.randrange(3)
    streak = FIRST_DAY + 21 + rng.randrange(4)
    surge = FIRST_DAY + 21 + rng.randrange(4)
    jump = FIRST_DAY + 28 + rng.randrange(4)
    return (_upload(upload), _retries(render), _prompt(prompt), _streak(streak), _surge(surge), _jump(jump), *_slow())


def _upload(day: int) -> Incident:
    due = Due(_SPIKE, "acme-support", "user", "chloe", day, "TRAFFIC_GROWTH", restated=True)
    story = "a laptop uploads a dear day when that day is closed"
    return Incident(story, "acme-support", "user", "chloe", day, 1, (due,), calls=5.0, days_late=3)


def _retries(day: int) -> Incident:
    due = Due(_SPIKE, "globex-studio", "feature", "storyboard-render", day, "RETRY_LOOP")
    story = "a render job retries all day"
    return Incident(story, "globex-studio", "feature", "storyboard-render", day, 1, (due,), calls=3.7, retries=True)


def _prompt(day: int) -> Incident:
    due = tuple(
        Due(_SPIKE, "initech-dev", "feature", "nightly-docs", day + after, "PROMPT_GROWTH", after + 1)
        for after in (1, 2)
    )
    story = "a release makes a prompt longer, for three days"
    return Incident(story, "initech-dev", "feature", "nightly-docs", day, 3, due, prompt=2.4)


def _streak(day: int) -> Incident:
    due = Due(_SPIKE, "initech-dev", "user", "milton", day + 1, "TRAFFIC_GROWTH", 2)
    story = "one user runs far more reviews, two days in a row"
    return Incident(story, "initech-dev", "user", "milton", day, 2, (due,), calls=1.75)


def _surge(day: int) -> Incident:
    due = (
        Due(_SPIKE, "hooli-retail", "tenant", "hooli-retail", day, "FEATURE_SURGE"),
        Due(_SPIKE, "hooli-retail", "feature", "image-captions", day, "TRAFFIC_GROWTH"),
    )
    story = "one feature takes over a tenant's spend"
    return Incident(story, "hooli-retail", "feature", "image-captions", day, 1, due, calls=8.0)


def _jump(day: int) -> Incident:
    due = Due(_SPIKE, "umbrella-research", "user", "wei", day, "TRAFFIC_GROWTH")
    story = "one user's spend jumps for one day"
    return Incident(story, "umbrella-research", "user", "wei", day, 1, (due,), calls=3.8)


def _slow() -> tuple[Incident, Incident]:
    tenant = "tyrell-robotics"
    last = FIRST_DAY + DAYS
    drifting = tuple(
        Due("SUSTAINED_DRIFT", tenant, "tenant", tenant, day, "TRAFFIC_GROWTH", day - _HIGH_FROM + _DRIFTING_BEFORE + 1)
        for day in range(_HIGH_FROM, last)
    )
    drift = Incident(
        "a fleet makes a few more calls every day", tenant, "tenant", tenant, _DRIFT_FROM, last + 1, drifting,
        growth=0.0266,
    )  # fmt: skip
    tenant = "northwind-legal"
    spent = Due("BUDGET_EXCEEDED", tenant, "tenant", tenant, FIRST_DAY, "UNKNOWN")
    budget = Incident(
        "a month's budget is spent before the month is over", tenant, "tenant", tenant, FIRST_DAY, 30, (spent,),
        budget=Budget(tenant, 1_000),
    )  # fmt: skip
    return drift, budget
