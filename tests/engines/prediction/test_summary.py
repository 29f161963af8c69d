"""What is shown of predictions: numbers over all of them, the newest records."""

from decimal import Decimal
from typing import Any

from engines.prediction.summary import PredictionQuestion, PredictionSummary, get_prediction_summary, merged


def line(prediction_id: str, as_of: str = "2026-01-15T10:00:00Z", tenant_id: str = "acme") -> dict[str, Any]:
    return {"prediction_id": prediction_id, "tenant_id": tenant_id, "as_of": as_of}


def summary(*lines: dict[str, Any], confidence: str = "0.5", high: int = 0, total: int = 1) -> PredictionSummary:
    return PredictionSummary(total, {"cost_overrun": total}, {"worker": total}, Decimal(confidence), high, total, lines)


class Kept:
    """A summary, and what was asked for."""

    def __init__(self, kept: PredictionSummary) -> None:
        self.kept = kept
        self.asked: list[PredictionQuestion] = []

    async def summary(self, question: PredictionQuestion) -> PredictionSummary:
        """Return it, whatever was asked."""
        self.asked.append(question)
        return self.kept


async def test_the_sources_are_asked_the_same_and_told_as_one() -> None:
    kept = [summary(line("pr_1")), summary(line("pr_2", tenant_id="a"), confidence="0.95", high=1)]
    sources = [Kept(one) for one in kept]
    found = await get_prediction_summary(sources, "acme", "cost_overrun", True, 9, subject_id="w", as_of_us=7)
    asked = PredictionQuestion("acme", "cost_overrun", "w", include_expired=True, as_of_us=7, limit=9)
    assert [source.asked for source in sources] == [[asked], [asked]]
    assert (found.total, found.by_type, found.by_subject_type) == (2, {"cost_overrun": 2}, {"worker": 2})
    assert [one["prediction_id"] for one in found.records] == ["pr_2", "pr_1"]
    assert (found.avg_confidence, found.high_confidence_count, found.advisory_compliance) == (0.725, 1, True)


def test_records_are_the_newest_and_numbers_of_all() -> None:
    newer, older = line("pr_1", "2026-01-15T10:00:00.000001Z"), line("pr_0")
    found = merged([summary(older, confidence="10", total=20), summary(newer, confidence="0.6")], 1)
    assert (found.total, found.records) == (21, (newer,))


def test_the_mean_is_rounded_half_even_and_there_is_none_of_nothing() -> None:
    assert summary(confidence="1.001", total=2).avg_confidence == 0.5
    assert summary(confidence="1.003", total=2).avg_confidence == 0.502
    nothing = merged([], 5)
    assert (nothing.avg_confidence, nothing.total, nothing.advisory_compliance) == (None, 0, True)
