"""What stands on the days that are still open: the provisional judgements as of now, published so or not."""

from __future__ import annotations

from functools import partial

from engines.core.model import PageKey
from streams.claim import Claim

Line = dict[str, object]
_TENANTS = 256


async def standing(claim: Claim, last_day: int) -> list[tuple[Line, Line]]:
    """Return (anomaly line, fact) for all that holds on the open days up to *last_day*; all is committed."""
    closed = claim.state.folded.closed_through
    found: list[tuple[Line, Line]] = []
    for day in range(last_day if closed is None else closed + 1, last_day + 1):
        kind, buckets = claim.domain.close_scope(day)
        after: str | None = None
        while tenants := await claim.page_tenants(kind, buckets, after, _TENANTS):
            await claim.ensure(partial(_unknown, claim, day, tenants))
            for tenant_id in tenants:
                found += claim.domain.standing(claim.state.cache, tenant_id, day)
            after = tenants[-1]
    return found


def _unknown(claim: Claim, day: int, tenants: list[str]) -> list[PageKey]:
    keys = [key for tenant in tenants for at in (day - 1, day) for key in claim.domain.day_keys(tenant, at)]
    return claim.state.cache.unknown(keys)
