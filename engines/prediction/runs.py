"""Finished runs as predictions see them, and the window they are looked at in (CONTRACT §7)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

from engines.core.time import US_PER_DAY

WINDOW_US: Final = 7 * US_PER_DAY
"""How far back the reference's two rules look."""

Outcome = Literal["completed", "failed", "crashed"]


class FinishedRun(NamedTuple):
    """A run that has ended; a crashed one has ended, but has not failed (CONTRACT §7).

    Attributes:
        occurred_us: when it ended, in microseconds since the epoch.
        error: what a failed run said.
        cost_nanousd: what it cost, None when nobody said.
    """

    occurred_us: int
    run_id: str
    outcome: Outcome
    error: str | None = None
    cost_nanousd: int | None = None


def in_window(runs: Iterable[FinishedRun], as_of_us: int, window_us: int = WINDOW_US) -> list[FinishedRun]:
    """Return the *runs* with ``as_of - window ≤ occurred_at ≤ as_of``, newest first (ties: the greater run_id)."""
    seen = [run for run in runs if as_of_us - window_us <= run.occurred_us <= as_of_us]
    return sorted(seen, key=lambda run: (run.occurred_us, run.run_id), reverse=True)
