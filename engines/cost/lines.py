"""Snapshot lines: how a projected row reads, once it is known which days are closed (CONTRACT §5).

Version and status are computed when read, so a close rewrites no row.
"""

from __future__ import annotations

from typing import Final

from engines.core.time import HOURS_PER_DAY, US_PER_HOUR, format_instant
from engines.cost.anomalies import cut_pct

PROVISIONAL: Final = "provisional"
COMPLETE: Final = "complete"

SnapshotValues = tuple[str, str, int, str, str, int, int, int, int, int, int, int | None, int | None, bool, int]
"""The values of a ``snapshots`` row, in the order of ``engines.core.tables.SNAPSHOTS``."""


def snapshot_line(values: SnapshotValues, closed_through: int | None) -> dict[str, object]:
    """Return the snapshot line of a row of a partition that is closed through *closed_through*."""
    (tenant, window, start_us, kind, entity_id, requests, unpriced, retries, tokens_in, cached, tokens_out) = values[
        :11
    ]
    cost, baseline, restated, _ = values[11:]
    complete = closed_through is not None and start_us // US_PER_HOUR // HOURS_PER_DAY <= closed_through
    return {
        "tenant_id": tenant,
        "entity_type": kind,
        "entity_id": entity_id,
        "window": window,
        "start": format_instant(start_us),
        "requests": requests,
        "unpriced_requests": unpriced,
        "retry_requests": retries,
        "input_tokens": tokens_in,
        "cached_input_tokens": cached,
        "output_tokens": tokens_out,
        "cost_nanousd": cost,
        "baseline_nanousd": baseline,
        "deviation_pct": cut_pct(cost - baseline, baseline) if cost and baseline else None,
        "status": COMPLETE if complete else PROVISIONAL,
        "restated": restated,
        "version": 2 * requests + complete,
    }
