"""All that is known of one tenant: its ended runs, what was acknowledged, and how far its time is settled.

Everything that is said of the tenant is a function of this, so it is the same in whatever order its runs came.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from tests.oracle.records import NANOUSD_PER_CENT, parse_time
from tests.oracle.runs.record import Run

Line = dict[str, Any]


@dataclass(frozen=True)
class Acknowledgement:
    """A row that somebody has seen a feedback line; instants are text, `as_of` is that of the line."""

    tenant_id: str
    feedback_id: str
    as_of: str
    acknowledged_at: str
    acknowledged_by: str


@dataclass(frozen=True)
class Tenant:
    """One tenant at the end of a log.

    Attributes:
        runs: its accepted ended runs, in the total order.
        acknowledgements: its rows, in the order in which they were appended.
        settled_us: every record before this instant has come.
    """

    tenant_id: str
    runs: tuple[Run, ...]
    acknowledgements: tuple[Acknowledgement, ...]
    settled_us: int

    def through(self, at_us: int) -> int:
        """Return how many runs had ended at this instant, those that ended at it included."""
        return sum(run.occurred_us <= at_us for run in self.runs)

    def before(self, at_us: int) -> int:
        """Return how many runs had ended before this instant."""
        return sum(run.occurred_us < at_us for run in self.runs)

    def is_settled(self, at_us: int) -> bool:
        """Return whether all records before this instant have come."""
        return self.settled_us >= at_us

    def rows(self, feedback_id: str) -> list[Acknowledgement]:
        """Return the acknowledgements of an id, whichever of its lines they were made of."""
        return [row for row in self.acknowledgements if row.feedback_id == feedback_id]


def tenant_of(
    tenant_id: str, runs: Iterable[Run], acknowledgements: Sequence[Acknowledgement], settled_us: int
) -> Tenant:
    """Return the tenant of these *runs* in any order, those of other tenants and mere starts among them."""
    ended = [run for run in runs if run.tenant_id == tenant_id and run.outcome is not None]
    rows = tuple(row for row in acknowledgements if row.tenant_id == tenant_id)
    return Tenant(tenant_id, tuple(sorted(ended, key=lambda run: run.place)), rows, settled_us)


def acknowledged(tenant: Tenant, feedback_id: str, active_since_us: int) -> Line:
    """Return what a feedback line says of acknowledgements: the one appended last of those of this activation."""
    rows = [row for row in tenant.rows(feedback_id) if us_of(row.as_of) >= active_since_us]
    last = rows[-1] if rows else None
    return {
        "acknowledged": last is not None,
        "acknowledged_at": None if last is None else last.acknowledged_at,
        "acknowledged_by": None if last is None else last.acknowledged_by,
    }


def us_of(text: str) -> int:
    """Return the instant of a text that is known to be one, in microseconds since the epoch."""
    at_us = parse_time(text)
    assert at_us is not None
    return at_us


def hashed(prefix: str, parts: Sequence[str]) -> str:
    """Return the id of whatever these *parts* name."""
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return prefix + hashlib.sha256(text.encode()).hexdigest()[:16]


def rounded(exact: Fraction, places: int) -> float:
    """Return the number rounded half-even, once."""
    return float(Fraction(round(exact * 10**places), 10**places))


def cents(nanousd: Fraction) -> float:
    """Return an amount in cents of two decimals."""
    return rounded(nanousd / NANOUSD_PER_CENT, 2)
