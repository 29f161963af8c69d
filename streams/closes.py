"""The closes of periods: between two records, oldest period first, in slices of tenants.

One invariant: no record is folded while a close is under way, so every tenant is judged by the same prefix of the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from engines.core.errors import Halt
from engines.core.model import Chunk, Effects, PageKey, TableRow
from engines.core.time import format_instant
from streams.claim import Claim
from streams.scan import GAP_MS
from streams.tenants import Tenants


async def resume_closes(claim: Claim) -> None:
    """Run the closes that an earlier owner had begun, or had made due and not begun."""
    position = claim.state.folded
    if position.closing_day is not None:
        await close_through(claim, position.closing_day)
    if position.watermark_us is not None:
        await close_through(claim, claim.domain.closable_through(position.watermark_us))


async def close_idle(claim: Claim, chunk: Chunk) -> None:
    """Close the periods that the gap rule will close before the next record, whenever that comes (CONTRACT §2).

    It moves ``closed_through``, never the watermark, and only up to the time of a fetch that found the end of the
    log, less a margin for the difference between our clock and the broker's.
    """
    state = claim.state.folded
    if chunk.end_of_log_ms is None or state.watermark_us is None or state.last_append_ms is None:
        return
    margin_ms = int(claim.deps.limits.idle_margin_s * 1000)
    gap_ms = chunk.end_of_log_ms - margin_ms - state.last_append_ms
    if gap_ms > GAP_MS:
        await close_through(claim, claim.domain.closable_through(state.watermark_us + gap_ms * 1000))


async def close_through(claim: Claim, through: int) -> None:
    """Close the periods after the last closed one up to *through*, oldest first, in slices of tenants."""
    state = claim.state
    while state.folded.closed_through is None or state.folded.closed_through < through:
        closed = state.folded.closed_through
        if closed is None:  # the first record's own period is open, so nothing before it can hold anything
            state.apply_closed(through)
            break
        period = state.folded.closing_day
        if period is None:
            period = await _next_period(claim, closed + 1, through)
        if period is None:
            state.apply_closed(through)
            break
        await _close_period(claim, period)
        state.apply_closed(period)
        claim.committer.wake()
        await claim.committer.room()
    claim.committer.wake()


async def _next_period(claim: Claim, first: int, last: int) -> int | None:
    """Return the first of the periods *first* … *last* that has anything to close: most of a long silence has not."""
    due: list[int] = []
    for search in claim.domain.searches(first, last):
        # here first, for a commit may take a page from here to there
        here = claim.state.cache.first_bucket(search.kind, search.buckets)
        stored = await claim.first_bucket(search.kind, search.buckets)
        due += [search.period_of(bucket) for bucket in (here, stored) if bucket is not None]
    period = max(min(due, default=last + 1), first)
    return period if period <= last else None


async def _close_period(claim: Claim, period: int) -> None:
    state, everyone = claim.state, Tenants(claim, claim.domain.closing_scope(period))
    cursor = state.folded.closing_cursor if state.folded.closing_day == period else None
    while tenants := await everyone.after(cursor):
        await claim.ensure(partial(_close_unknown, claim, period, tenants))
        claim.check()
        effects = _closed(claim, period, tenants)
        rows: list[TableRow] = state.cache.project(_stale_of(claim, period, tenants), state.folded.next_offset)
        cursor = tenants[-1]
        state.apply_close(effects, rows, period, cursor)
        claim.committer.wake()
        await asyncio.sleep(0)
        await claim.committer.room()


def _closed(claim: Claim, period: int, tenants: Sequence[str]) -> Effects:
    """Close *period* for *tenants*. Raises Halt when that fails: whichever record made it due is not to blame."""
    try:
        return claim.domain.close(claim.state.cache, period, tenants, claim.context)
    except Exception as error:
        start = format_instant(period * claim.domain.period_us)
        raise Halt(f"closing {start} for {tenants[0]} … {tenants[-1]}: {error!r}") from error


def _close_unknown(claim: Claim, period: int, tenants: Sequence[str]) -> set[PageKey]:
    """Return what is not known of all that closing *period* reads and projects.

    Asked for at once: while one part is loaded, a commit may drop clean pages of another.
    """
    cache = claim.state.cache
    read = claim.domain.close_missing(cache, period, tenants, claim.context)
    return {*read, *cache.unknown(_stale_of(claim, period, tenants))}


def _stale_of(claim: Claim, period: int, tenants: Sequence[str]) -> list[PageKey]:
    """Return the pages of *tenants* in *period* whose projections lag."""
    cache = claim.state.cache
    return [key for tenant_id in tenants for key in claim.domain.day_keys(tenant_id, period) if cache.lags(key)]
