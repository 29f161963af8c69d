"""Snapshot lines: how a projected row reads, once it is known which days are closed (CONTRACT §5).

Version and status are computed when read, so a close rewrites no row.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from engines.core.model import Outgoing, PageKey
from engines.core.time import HOURS_PER_DAY, US_PER_HOUR, format_instant
from engines.cost.anomalies import SOURCE, cut_pct
from engines.cost.pages import DAY, DayPage, HourPage, each_total
from engines.cost.totals import apart, is_active

SNAPSHOTS_TOPIC: Final = "cost-snapshots"
SNAPSHOT_TYPE: Final = "cost-snapshot"
PROVISIONAL: Final = "provisional"
COMPLETE: Final = "complete"

_encode = msgspec.json.Encoder(order="sorted").encode

SnapshotValues = tuple[str, str, int, str, str, int, int, int, int, int, int, int | None, int | None, bool, int]
"""The values of a ``snapshots`` row, in the order of ``engines.core.tables.SNAPSHOTS``."""


def snapshot_values(key: PageKey, page: HourPage, as_of: int) -> Iterator[SnapshotValues]:
    """Yield the snapshot row of each entity of an hour or day *page*, as of offset *as_of*."""
    for kind, entity_id, _ in each_total(page.totals):
        yield entity_values(key, page, (kind, entity_id), as_of)


def entity_values(key: PageKey, page: HourPage, entity: tuple[str, str], as_of: int) -> SnapshotValues:
    """Return the snapshot row of one *entity* (type, id) of an hour or day *page*."""
    kind, entity_id = entity
    total = page.totals[kind][entity_id]
    sums = apart(total)
    baselines = page.baselines if isinstance(page, DayPage) else None
    money, days = (0, 0) if baselines is None else baselines.get(kind, {}).get(entity_id, (0, 0))
    return (
        key.tenant_id,
        "day" if key.kind == DAY else "hour",
        key.bucket * US_PER_HOUR,
        kind,
        entity_id,
        *sums[:-1],
        sums.cost_nanousd if is_active(total) else None,
        money // days if days else None,
        entity_id in page.restated[kind],
        as_of,
    )


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


def snapshot_message(values: SnapshotValues, closed_through: int) -> Outgoing:
    """Return a complete snapshot as the message that is published: keyed by entity and window, routed by tenant."""
    line = snapshot_line(values, closed_through)
    names = ("tenant_id", "entity_type", "entity_id", "window", "start")
    key = _encode([line[name] for name in names])
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", key + f":{line['version']}".encode()),
        ("ce_source", SOURCE.encode()),
        ("ce_type", SNAPSHOT_TYPE.encode()),
        ("ce_time", str(line["start"]).encode()),
        ("content-type", b"application/json"),
    ]
    return Outgoing(SNAPSHOTS_TOPIC, key, _encode(line), headers, str(line["tenant_id"]).encode())
