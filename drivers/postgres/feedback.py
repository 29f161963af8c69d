"""Feedback on runs, read back from one database as it stands (``engines.patterns.feedback``)."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Final, NamedTuple

import asyncpg

from drivers.postgres.connections import Connections, PostgresLimits
from drivers.postgres.reading import one_moment
from drivers.postgres.rows import EPOCH
from engines.core.time import format_instant
from engines.patterns.feedback import FeedbackQuestion, FeedbackSummary, Record, Said, with_acknowledgement

_MICROSECOND: Final = timedelta(microseconds=1)


class FoundFeedback(NamedTuple):
    """The newest line of a feedback id, withdrawn ones too, and the partition it belongs to."""

    partition: int
    line: Record


class FeedbackReader:
    """Reads feedback of one database; close it with ``close``.

    Every call raises SettingsError when the tables are not those this code knows or the login is refused, and Transient
    when the database is away.
    """

    def __init__(self, url: str, limits: PostgresLimits) -> None:
        self._connections = Connections(url, limits, pool_size=1, application_name="outlay-feedback")

    async def close(self) -> None:
        """Close the connection."""
        await self._connections.close()

    async def summary(self, question: FeedbackQuestion) -> FeedbackSummary:
        """See ``FeedbackSource``; counts and records are of one moment."""
        asked = (question.tenant_id, question.pattern_type, question.status, question.acknowledged)
        async with one_moment(self._connections, "reading feedback") as connection:
            counts = await connection.fetch(_COUNTS, *asked)
            rows = await connection.fetch(_RECORDS, *asked, question.limit)
        by_type = {row["pattern_type"]: row["n"] for row in counts}
        return FeedbackSummary(sum(by_type.values()), by_type, tuple(map(_line, rows)))

    async def find(self, feedback_id: str) -> FoundFeedback | None:
        """Return the newest line of *feedback_id*, None when there is none here."""
        async with one_moment(self._connections, "reading feedback") as connection:
            row = await connection.fetchrow(_FIND, feedback_id)
        return None if row is None else FoundFeedback(row["partition"], _line(row))


def _line(row: asyncpg.Record) -> Record:
    """Return the line as published, with its acknowledgement as of now."""
    said = None
    if row["acknowledged_at"] is not None:
        said = Said(format_instant((row["acknowledged_at"] - EPOCH) // _MICROSECOND), row["acknowledged_by"])
    return with_acknowledgement(json.loads(row["line"]), said)


_ASKED: Final = """
FROM feedback_current
WHERE ($1::text IS NULL OR tenant_id = $1) AND ($2::text IS NULL OR pattern_type = $2)
  AND ($3::text IS NULL OR status = $3) AND ($4::boolean IS NULL OR acknowledged = $4)
"""

_COUNTS: Final = f"SELECT pattern_type, count(*) AS n {_ASKED} GROUP BY pattern_type"

_RECORDS: Final = f"""
SELECT line::text AS line, acknowledged_at, acknowledged_by {_ASKED}
ORDER BY as_of DESC, tenant_id, feedback_id LIMIT $5
"""

# A partition that moved may have left a copy of its tenants' rows behind: the newest counts.
_FIND: Final = """
SELECT h.partition, h.line::text AS line, c.acknowledged_at, c.acknowledged_by
FROM feedback_history h LEFT JOIN feedback_current c USING (partition, tenant_id, feedback_id)
WHERE h.feedback_id = $1 AND h.is_last
ORDER BY h.revision DESC LIMIT 1
"""
