"""Predictions about runs and about spend, read back from one database (``engines.prediction.summary``)."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from decimal import Decimal
from typing import Final

from drivers.postgres.connections import Connections, PostgresLimits
from drivers.postgres.positions import instant
from drivers.postgres.reading import one_moment
from engines.prediction.summary import HIGH_CONFIDENCE, PredictionQuestion, PredictionSummary


class PredictionReader:
    """Reads predictions of one database; close it with ``close``."""

    def __init__(self, url: str, limits: PostgresLimits) -> None:
        self._connections = Connections(url, limits, pool_size=1, application_name="outlay-predictions")

    async def close(self) -> None:
        """Close the connection."""
        await self._connections.close()

    async def summary(self, question: PredictionQuestion) -> PredictionSummary:
        """See ``PredictionSource``; numbers and records are of one moment.

        Raises:
            SettingsError: the tables are not those this code knows, or the login is refused.
            Transient: the database is away.
        """
        asked = _asked(question)
        async with one_moment(self._connections, "reading predictions") as connection:
            numbers = await connection.fetch(_NUMBERS, *asked, HIGH_CONFIDENCE)
            rows = await connection.fetch(_RECORDS, *asked, question.limit)
        by_type: Counter[str] = Counter()
        by_subject_type: Counter[str] = Counter()
        for row in numbers:
            by_type[row["prediction_type"]] += row["n"]
            by_subject_type[row["subject_type"]] += row["n"]
        return PredictionSummary(
            sum(row["n"] for row in numbers),
            dict(by_type),
            dict(by_subject_type),
            sum((row["confidence"] for row in numbers), Decimal(0)),
            sum(row["high"] for row in numbers),
            sum(row["advisory"] for row in numbers),
            tuple(json.loads(row["line"]) for row in rows),
        )


def _asked(question: PredictionQuestion) -> tuple[object, ...]:
    as_of: datetime | None = None if question.as_of_us is None else instant(question.as_of_us)
    whom = (question.tenant_id, question.prediction_type, question.subject_id)
    return (*whom, question.include_expired, as_of)


# At an instant that was asked for, the newest of a subject is the one that held; later news of it do not matter.
_ASKED: Final = """
WITH made AS (
    SELECT *, row_number() OVER (
        PARTITION BY tenant_id, prediction_type, subject_type, subject_id ORDER BY as_of DESC, prediction_id
    ) AS place
    FROM predictions_current
    WHERE ($1::text IS NULL OR tenant_id = $1) AND ($2::text IS NULL OR prediction_type = $2)
      AND ($3::text IS NULL OR subject_id = $3) AND ($5::timestamptz IS NULL OR as_of <= $5)
), asked AS (
    SELECT * FROM made
    WHERE $4::boolean OR CASE WHEN $5::timestamptz IS NULL THEN status = 'active' ELSE place = 1 AND expires_at > $5 END
)
"""

_NUMBERS: Final = f"""
{_ASKED}
SELECT prediction_type, subject_type, count(*) AS n, sum(confidence_score::numeric) AS confidence,
       count(*) FILTER (WHERE confidence_score > $6) AS high, count(*) FILTER (WHERE is_advisory) AS advisory
FROM asked GROUP BY prediction_type, subject_type
"""  # noqa: S608 constants

_RECORDS: Final = f"""
{_ASKED}
SELECT (line || jsonb_build_object('status', status))::text AS line FROM asked
ORDER BY as_of DESC, tenant_id, prediction_id LIMIT $6
"""  # noqa: S608 constants
