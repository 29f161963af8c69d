"""Feedback on runs as people ask for it: what stands, what somebody has acknowledged, what looks alike.

One invariant: a record here is the newest line of its pattern, but for its acknowledgement, which is as of now: it
counts from the moment it was said, whether the worker has published it yet or not (CONTRACT §7).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

from engines.core.time import parse_instant
from engines.patterns.similar import merge_view

FAILURE_PATTERN: Final = "failure_pattern"
COST_SPIKE: Final = "cost_spike"
LIMIT: Final = 50

Record = dict[str, Any]
"""A feedback line, CONTRACT §7."""


@dataclass(frozen=True, slots=True)
class FeedbackQuestion:
    """Which feedback is asked for; None: whatever it is. *limit*: how many records, the newest first."""

    tenant_id: str | None = None
    pattern_type: str | None = None
    status: str | None = None
    acknowledged: bool | None = None
    limit: int = LIMIT


@dataclass(frozen=True, slots=True)
class FeedbackSummary:
    """What stands of the feedback asked for; the counts are of all, the records the newest of it."""

    total: int
    by_type: Mapping[str, int]
    records: tuple[Record, ...]


class Said(NamedTuple):
    """Who acknowledged feedback, and when (as the line writes instants)."""

    at: str
    by: str


class SimilarPatterns(NamedTuple):
    """Failure patterns of one tenant whose templates are much alike, as one for the eye (``merge_view``)."""

    tenant_id: str
    templates: tuple[str, ...]
    feedback_ids: tuple[str, ...]
    workers: tuple[str, ...]
    occurrence_count: int
    active: bool
    as_of: str


class FeedbackSource(Protocol):
    """Where feedback is kept; tenants of several never overlap."""

    async def summary(self, question: FeedbackQuestion) -> FeedbackSummary:
        """Return what is kept here of what was asked for."""


async def get_feedback_summary(
    sources: Sequence[FeedbackSource],
    tenant_id: str | None = None,
    acknowledged: bool | None = None,  # noqa: FBT001 - the reference's
    limit: int = LIMIT,
    *,
    pattern_type: str | None = None,
    status: str | None = None,
) -> FeedbackSummary:
    """Return the feedback that stands in all *sources*; for the arguments see ``FeedbackQuestion``."""
    question = FeedbackQuestion(tenant_id, pattern_type, status, acknowledged, limit)
    return merged([await source.summary(question) for source in sources], limit)


def merged(parts: Iterable[FeedbackSummary], limit: int) -> FeedbackSummary:
    """Return the summaries of several sources as if they were one."""
    by_type: Counter[str] = Counter()
    records: list[Record] = []
    total = 0
    for part in parts:
        total += part.total
        by_type.update(part.by_type)
        records += part.records
    records.sort(key=lambda line: (line["tenant_id"], line["feedback_id"]))
    records.sort(key=lambda line: parse_instant(line["as_of"]), reverse=True)
    return FeedbackSummary(total, dict(sorted(by_type.items())), tuple(records[:limit]))


def with_acknowledgement(line: Record, said: Said | None) -> Record:
    """Return *line* as it would be published now that *said* is what counts."""
    eligible = line["active"] and said is None and line["pattern_type"] == FAILURE_PATTERN
    return line | {
        "acknowledged": said is not None,
        "acknowledged_at": None if said is None else said.at,
        "acknowledged_by": None if said is None else said.by,
        "proposal_eligible": eligible,
    }


def refusal(line: Record) -> str | None:
    """Return why nobody may acknowledge *line* as it stands now, None when they may."""
    if line["acknowledged"]:
        return f"was acknowledged by {line['acknowledged_by']} at {line['acknowledged_at']}"
    if not line["active"]:
        return f"is {line['status']}: only what is active can be acknowledged"
    return None


def similar(records: Iterable[Record]) -> list[SimilarPatterns]:
    """Return the failure patterns among *records* in groups of similar templates, of each tenant; spikes are left out.

    A group is as new as the newest of it; the newest come first. Work grows with the square of the records.
    """
    by_tenant: dict[str, dict[str, list[Record]]] = {}
    for line in records:
        if line["pattern_type"] == FAILURE_PATTERN:
            by_tenant.setdefault(line["tenant_id"], {}).setdefault(line["template"], []).append(line)
    groups = [
        _group(tenant_id, templates, [line for template in templates for line in by_template[template]])
        for tenant_id, by_template in sorted(by_tenant.items())
        for templates in merge_view(by_template)
    ]
    return sorted(groups, key=lambda group: parse_instant(group.as_of), reverse=True)


def _group(tenant_id: str, templates: tuple[str, ...], lines: Sequence[Record]) -> SimilarPatterns:
    return SimilarPatterns(
        tenant_id,
        templates,
        tuple(sorted(line["feedback_id"] for line in lines)),
        tuple(sorted({line["worker_id"] for line in lines})),
        sum(line["occurrence_count"] for line in lines),
        any(line["active"] for line in lines),
        max((line["as_of"] for line in lines), key=parse_instant),
    )
