"""What stands on the windows that are still open: the provisional judgements as of now, published so or not."""

from __future__ import annotations

from functools import partial

from streams.claim import Claim
from streams.tenants import Tenants

Line = dict[str, object]


async def standing(claim: Claim) -> list[tuple[Line, Line | None]]:
    """Return (line, fact or None) for all that holds on open windows; all is committed."""
    cache, context, watermark_us = claim.state.cache, claim.context, claim.state.folded.watermark_us
    found: list[tuple[Line, Line | None]] = []
    if watermark_us is None:  # nobody has any state before the first record
        return found
    everyone = Tenants(claim, claim.domain.tenants_scope())
    cursor: str | None = None
    while tenants := await everyone.after(cursor):
        await claim.ensure(partial(claim.domain.open_missing, cache, tenants, context))
        for tenant_id in tenants:
            found += claim.domain.standing(cache, tenant_id, context, watermark_us)
        cursor = tenants[-1]
    return found
