"""The tenants of a partition, in code-point order, some at a time: for what must visit every one."""

from __future__ import annotations

from bisect import bisect_right

from streams.claim import Claim


class Tenants:
    """Those with a page in *scope*, a kind and buckets: in the store, and not committed yet when this is made."""

    def __init__(self, claim: Claim, scope: tuple[str, range]) -> None:
        self._claim = claim
        self._scope = scope
        self._here = sorted(claim.state.cache.tenants(*scope))

    async def after(self, cursor: str | None) -> list[str]:
        """Return the next tenants behind *cursor* (None: the first ones), at most a slice; none: that was all."""
        limit = self._claim.deps.limits.close_slice_tenants
        stored = await self._claim.page_tenants(*self._scope, cursor, limit)
        first = 0 if cursor is None else bisect_right(self._here, cursor)
        return sorted({*stored, *self._here[first : first + limit]})[:limit]
