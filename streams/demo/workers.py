"""Whose workers run in the demo, how often, what it costs and what they say when they fail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

HOURLY: Final = tuple(range(24))
EVERY_OTHER: Final = tuple(range(1, 24, 2))
FOUR: Final = (2, 8, 14, 20)
NIGHTLY: Final = (4,)


@dataclass(frozen=True, slots=True)
class Worker:
    """An agent or job of a tenant.

    Attributes:
        hours: the UTC hours in which a run of it ends each day; in each in the same minute, more or less.
        cents: what a completed run costs, US cents; None: it does not say.
        spread: how far a run may be off that, as a share.
        error: what it says on the odd day on which one run fails, see ``said``; None: it never does.
        crashes: now and then a run ends without a word.
    """

    tenant_id: str
    name: str
    hours: tuple[int, ...]
    minute: int
    cents: float | None
    model: str
    spread: float = 0.06
    error: str | None = None
    crashes: bool = False


WORKERS: Final = (
    Worker(
        "acme-support", "refund-agent", HOURLY, 12, 6.0, "claude-sonnet-4-20250514",
        error="refund rf_{hex} of {n}.50 EUR declined: card expired",
    ),
    Worker("acme-support", "kb-refresh", NIGHTLY, 40, 44.0, "gpt-4o", spread=0.01),
    Worker("hooli-retail", "catalog-import", HOURLY, 25, 3.0, "gpt-4o-mini"),
    Worker("hooli-retail", "price-check", EVERY_OTHER, 50, 8.5, "gpt-4o", crashes=True),
    Worker("initech-dev", "release-notes", FOUR, 5, 31.0, "claude-opus-4-20250514"),
    Worker(
        "initech-dev", "test-triage", EVERY_OTHER, 35, None, "claude-sonnet-4-20250514",
        error="test run {n} timed out after {ms} ms",
    ),
    Worker("umbrella-research", "paper-digest", NIGHTLY, 50, 71.0, "o3", spread=0.01),
    Worker("umbrella-research", "citation-check", EVERY_OTHER, 20, 2.5, "gpt-4o", error="citation {n}.{hex} not found"),
)  # fmt: skip
