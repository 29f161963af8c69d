"""What is shown of feedback: counts over all, the newest records, and acknowledgements as of now."""

from collections.abc import Sequence
from typing import Any

import pytest

from engines.patterns.feedback import (
    FeedbackQuestion,
    FeedbackSummary,
    Said,
    get_feedback_summary,
    merged,
    refusal,
    similar,
    with_acknowledgement,
)

SAID = Said("2026-01-15T11:00:00Z", "ana")


def line(feedback_id: str = "pf_1", as_of: str = "2026-01-15T10:00:00Z", **changes: Any) -> dict[str, Any]:
    values = {
        "feedback_id": feedback_id,
        "tenant_id": "acme",
        "pattern_type": "failure_pattern",
        "status": "active",
        "active": True,
        "template": "connection refused by host a",
        "worker_id": "w",
        "occurrence_count": 3,
        "as_of": as_of,
        "acknowledged": False,
    }
    return values | changes


class Kept:
    """Feedback in a list, and what was asked of it."""

    def __init__(self, *lines: dict[str, Any]) -> None:
        self.lines = lines
        self.asked: list[FeedbackQuestion] = []

    async def summary(self, question: FeedbackQuestion) -> FeedbackSummary:
        """Return all, whatever was asked."""
        self.asked.append(question)
        return summary(self.lines)


def summary(lines: Sequence[dict[str, Any]], total: int | None = None) -> FeedbackSummary:
    n = len(lines) if total is None else total
    return FeedbackSummary(n, {"failure_pattern": n} if n else {}, tuple(lines))


async def test_the_sources_are_asked_the_same_and_told_as_one() -> None:
    sources = [Kept(line("pf_1")), Kept(line("pf_2", tenant_id="b"), line("pf_3", tenant_id="a"))]
    found = await get_feedback_summary(sources, "acme", False, 2, pattern_type="cost_spike", status="final")
    asked = FeedbackQuestion("acme", "cost_spike", "final", acknowledged=False, limit=2)
    assert [source.asked for source in sources] == [[asked], [asked]]
    assert (found.total, found.by_type) == (3, {"failure_pattern": 3})
    assert [one["feedback_id"] for one in found.records] == ["pf_3", "pf_1"]


def test_counts_are_of_all_and_records_the_newest_to_the_microsecond() -> None:
    times = {"a": "2026-01-15T10:00:00Z", "b": "2026-01-15T10:00:00.5Z", "c": "2026-01-15T09:59:59.999999Z"}
    lines = [line(name, as_of) for name, as_of in times.items()]
    found = merged([summary(lines[:2], total=100), summary(lines[2:])], 2)
    assert (found.total, [one["feedback_id"] for one in found.records]) == (101, ["b", "a"])


def test_an_acknowledgement_takes_eligibility_away_and_its_end_gives_it_back() -> None:
    seen = with_acknowledgement(line(), SAID)
    assert (seen["acknowledged"], seen["acknowledged_by"], seen["proposal_eligible"]) == (True, "ana", False)
    again = with_acknowledgement(seen, None)
    assert (again["acknowledged"], again["acknowledged_at"], again["proposal_eligible"]) == (False, None, True)
    assert not with_acknowledgement(line(active=False), None)["proposal_eligible"]
    assert not with_acknowledgement(line(pattern_type="cost_spike"), None)["proposal_eligible"]


@pytest.mark.parametrize(
    "found, reason",
    [
        (line(), None),
        (line(pattern_type="cost_spike", status="final"), None),
        (line(status="cleared", active=False), "is cleared: only what is active can be acknowledged"),
        (with_acknowledgement(line(), SAID), "was acknowledged by ana at 2026-01-15T11:00:00Z"),
    ],
)
def test_only_what_is_active_and_unseen_can_be_acknowledged(found: dict[str, Any], reason: str | None) -> None:
    assert refusal(found) == reason


def test_patterns_of_one_tenant_that_look_alike_are_one_to_the_eye() -> None:
    lines = [
        line("pf_1", occurrence_count=3, worker_id="x"),
        line("pf_2", "2026-01-15T12:00:00Z", template="connection refused by host b", worker_id="y", active=False),
        line("pf_3", "2026-01-15T11:00:00Z", template="out of disk"),
        line("pf_4", tenant_id="zeta"),
        line("pf_5", pattern_type="cost_spike", template=None),
    ]
    groups = similar(lines)
    assert [group.feedback_ids for group in groups] == [("pf_1", "pf_2"), ("pf_3",), ("pf_4",)]
    first = groups[0]
    assert (first.templates, first.workers) == (
        ("connection refused by host a", "connection refused by host b"),
        ("x", "y"),
    )
    assert (first.occurrence_count, first.active, first.as_of) == (6, True, "2026-01-15T12:00:00Z")
    assert similar([]) == []
