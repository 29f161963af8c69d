"""Why spend rose, as far as the records tell: the window's days held against the rule's own baseline days.

Per record, over active days, in integers (CONTRACT §6; the reference compares with yesterday, which on the second
day of an anomaly is as anomalous as today).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from engines.cost.rules import DerivedCause, Profile
from engines.cost.totals import Total, apart, cost


class Side(NamedTuple):
    """One side of a comparison: the sum of the totals of ``days`` active days."""

    total: Total
    days: int


class Features(NamedTuple):
    """What a tenant's tagged usage cost on both sides, by feature, in nano-USD."""

    now: Mapping[str, int]
    before: Mapping[str, int]


class Sides(NamedTuple):
    """What a rule compares; ``features`` are a tenant's only."""

    now: Side
    before: Side
    features: Features | None

    @property
    def evidence(self) -> dict[str, object]:
        """The comparison as an anomaly line gives it."""
        here, there = apart(self.now.total), apart(self.before.total)
        return {
            "requests": here.requests,
            "retry_requests": here.retry_requests,
            "input_tokens": here.input_tokens,
            "baseline_requests": there.requests,
            "baseline_retry_requests": there.retry_requests,
            "baseline_input_tokens": there.input_tokens,
            "baseline_days": self.before.days,
            **_feature_evidence(self.features),
        }


class Cause(NamedTuple):
    """The derived cause, and what it was derived from; None where no rule looks for one."""

    cause: DerivedCause
    sides: Sides | None


def derive(sides: Sides, profile: Profile) -> Cause:
    """Return why one side costs more than the other."""
    now, before, features = sides
    here, there = apart(now.total), apart(before.total)
    retried = here.retry_requests * there.requests * 100 > (
        profile.cause_retry_ratio_pct * there.retry_requests * here.requests
    )
    if retried and 100 * here.retry_requests >= profile.cause_retry_share_pct * here.requests:
        return Cause(DerivedCause.RETRY_LOOP, sides)
    if features is not None and _surged(features, profile):
        return Cause(DerivedCause.FEATURE_SURGE, sides)
    prompt = (here.input_tokens * there.requests, there.input_tokens * here.requests)
    traffic = (here.requests * before.days, there.requests * now.days)
    grown = [_exceeds(ratio, profile.cause_growth_pct) for ratio in (prompt, traffic)]
    if grown[0] and (not grown[1] or prompt[0] * traffic[1] >= traffic[0] * prompt[1]):
        return Cause(DerivedCause.PROMPT_GROWTH, sides)
    return Cause(DerivedCause.TRAFFIC_GROWTH if grown[1] else DerivedCause.UNKNOWN, sides)


def _exceeds(ratio: tuple[int, int], pct: int) -> bool:
    """Whether *ratio* is over *pct* percent; with nothing below the line it is not."""
    return ratio[1] > 0 and 100 * ratio[0] > pct * ratio[1]


def _largest(costs: Mapping[str, int]) -> str | None:
    """Return the feature that cost most, of equals the first by code point; None when none cost anything."""
    most = max(costs.values(), default=0)
    if not most:
        return None
    return min(tag for tag, nanousd in costs.items() if nanousd == most)


def _surged(features: Features, profile: Profile) -> bool:
    """Whether the largest feature has most of the tagged cost, and clearly more of it than before."""
    tag, tagged, tagged_before = _largest(features.now), sum(features.now.values()), sum(features.before.values())
    if tag is None:
        return False
    spent, before = features.now[tag], features.before.get(tag, 0)
    if 100 * spent <= profile.cause_feature_share_pct * tagged:
        return False
    if not tagged_before:
        return 100 * spent >= profile.cause_feature_points * tagged
    grown = spent * tagged_before - before * tagged
    return 100 * grown >= profile.cause_feature_points * tagged * tagged_before


def _feature_evidence(features: Features | None) -> dict[str, object]:
    names = ("feature_nanousd", "baseline_feature_nanousd", "tagged_nanousd", "baseline_tagged_nanousd")
    if features is None:
        return {"feature_tag": None, **dict.fromkeys(names)}
    tag = _largest(features.now)
    spent = None if tag is None else (features.now[tag], features.before.get(tag, 0))
    values = (*(spent or (None, None)), sum(features.now.values()), sum(features.before.values()))
    return {"feature_tag": tag, **dict(zip(names, values, strict=True))}


def costs_of(totals: Mapping[str, Total]) -> dict[str, int]:
    """Return the costs in *totals*, nano-USD."""
    return {name: cost(total) for name, total in totals.items()}


def costs_before(sums: Mapping[str, tuple[Total, int]]) -> dict[str, int]:
    """Return the costs in *sums*, nano-USD."""
    return {name: cost(total) for name, (total, _) in sums.items()}
