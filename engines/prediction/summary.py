"""Predictions as people ask for them: those that hold, how sure they are, of whom they speak.

One invariant: every prediction is advisory; reading them changes nothing, and nothing here acts on one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final, Protocol

from engines.core.time import parse_instant

LIMIT: Final = 50
HIGH_CONFIDENCE: Final = 0.7
"""A prediction that is surer than this is counted as one of high confidence."""

Record = dict[str, Any]
"""A prediction line, CONTRACT §7."""
_THOUSANDTH: Final = Decimal("0.001")


@dataclass(frozen=True, slots=True)
class PredictionQuestion:
    """Which predictions are asked for; None: whatever it is. Withdrawn ones never are.

    Attributes:
        include_expired: also those that a newer one superseded, or whose time is over.
        as_of_us: an instant of event time, µs: those made by then, of each subject the newest that was valid then.
            None: those that are valid as far as the workers have come.
        limit: how many records, the newest first.
    """

    tenant_id: str | None = None
    prediction_type: str | None = None
    subject_id: str | None = None
    include_expired: bool = False
    as_of_us: int | None = None
    limit: int = LIMIT


@dataclass(frozen=True, slots=True)
class PredictionSummary:
    """The predictions asked for; the numbers are of all of them, the records the newest.

    Attributes:
        confidence: sum of the scores.
        high_confidence_count: how many have a score over 0.7.
        advisory_count: how many are advisory, which is all of them.
    """

    total: int
    by_type: Mapping[str, int]
    by_subject_type: Mapping[str, int]
    confidence: Decimal
    high_confidence_count: int
    advisory_count: int
    records: tuple[Record, ...]

    @property
    def avg_confidence(self) -> float | None:
        """The mean score, to three decimals; None when there is no prediction."""
        if not self.total:
            return None
        return float((self.confidence / self.total).quantize(_THOUSANDTH, ROUND_HALF_EVEN))

    @property
    def advisory_compliance(self) -> bool:
        """Whether nothing is more than advice."""
        return self.advisory_count == self.total


class PredictionSource(Protocol):
    """Where predictions are kept; tenants of several never overlap."""

    async def summary(self, question: PredictionQuestion) -> PredictionSummary:
        """Return what is kept here of what was asked for."""


async def get_prediction_summary(
    sources: Sequence[PredictionSource],
    tenant_id: str | None = None,
    prediction_type: str | None = None,
    include_expired: bool = False,  # noqa: FBT001, FBT002 - the reference's
    limit: int = LIMIT,
    *,
    subject_id: str | None = None,
    as_of_us: int | None = None,
) -> PredictionSummary:
    """Return the predictions in all *sources*; for the arguments see ``PredictionQuestion``."""
    question = PredictionQuestion(tenant_id, prediction_type, subject_id, include_expired, as_of_us, limit)
    return merged([await source.summary(question) for source in sources], limit)


def merged(parts: Iterable[PredictionSummary], limit: int) -> PredictionSummary:
    """Return the summaries of several sources as if they were one."""
    parts = list(parts)
    by_type: Counter[str] = Counter()
    by_subject_type: Counter[str] = Counter()
    for part in parts:
        by_type.update(part.by_type)
        by_subject_type.update(part.by_subject_type)
    records = [line for part in parts for line in part.records]
    records.sort(key=lambda line: (line["tenant_id"], line["prediction_id"]))
    records.sort(key=lambda line: parse_instant(line["as_of"]), reverse=True)
    return PredictionSummary(
        sum(part.total for part in parts),
        dict(sorted(by_type.items())),
        dict(sorted(by_subject_type.items())),
        sum((part.confidence for part in parts), Decimal(0)),
        sum(part.high_confidence_count for part in parts),
        sum(part.advisory_count for part in parts),
        tuple(records[:limit]),
    )
