"""What a day must know of the days before it: sums for baselines and revisions, gathered once, when it opens."""

from __future__ import annotations

from typing import Final

from engines.core.model import PageKey
from engines.core.ports import Pages
from engines.cost.pages import JUDGED_TYPES, DayPage, day_key, each_total
from engines.cost.totals import cost, is_active

SPIKE_WINDOW: Final = range(2, 15)
"""Days before D that make its spike baseline: D-14 … D-2 (reference, cost_anomaly_detector)."""
SNAPSHOT_WINDOW: Final = range(1, 8)
"""Days before D that make its snapshot baseline: D-7 … D-1 (CONTRACT §5)."""
REVISION_WINDOW: Final = range(2, 30)
"""Days before D, the day before it left out, whose records count for a revision: D-29 … D-2 (CONTRACT §5)."""

Sums = dict[str, dict[str, tuple[int, int]]]
"""entity type → entity id → (sum over active days in nano-USD, active days)."""


def opening_keys(tenant_id: str, day: int) -> list[PageKey]:
    """Return the day pages that opening *day* reads."""
    return [day_key(tenant_id, day - back) for back in REVISION_WINDOW]


def day_page(pages: Pages, tenant_id: str, day: int) -> DayPage | None:
    """Return the page of *day*, None when the tenant has none."""
    body = pages.get(day_key(tenant_id, day))
    return body if isinstance(body, DayPage) else None


def open_day(pages: Pages, tenant_id: str, day: int) -> DayPage:
    """Return a new page for *day*, its history read.

    The days it reads cannot change while it is open: a record of *day* has moved the watermark past their close.
    """
    page = DayPage()
    page.spike_base = only_judged(sums(pages, tenant_id, day, SPIKE_WINDOW))
    for back in REVISION_WINDOW:
        earlier = day_page(pages, tenant_id, day - back)
        if earlier is not None:
            page.records_before += earlier.records(tenant_id)
    return page


def sums(pages: Pages, tenant_id: str, day: int, window: range) -> Sums:
    """Return the sums of every entity of *tenant_id* over its active days in *window* days before *day*."""
    found: Sums = {}
    for back in window:
        earlier = day_page(pages, tenant_id, day - back)
        if earlier is None:
            continue
        for kind, entity_id, total in each_total(earlier.totals):
            if is_active(total):
                of_kind = found.setdefault(kind, {})
                money, days = of_kind.get(entity_id, (0, 0))
                of_kind[entity_id] = (money + cost(total), days + 1)
    return found


def only_judged(found: Sums) -> Sums:
    """Return *found* without the entity types that no spike rule judges."""
    return {kind: of_kind for kind, of_kind in found.items() if kind in JUDGED_TYPES}
