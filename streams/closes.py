"""The closes of days: between two records, oldest day first, in slices of tenants.

One invariant: no record is folded while a close is under way, so every tenant is judged by the same prefix of the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from engines.core.errors import Halt
from engines.core.model import Chunk, Effects, PageKey, TableRow
from engines.core.time import format_day
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
    """Close the days that the gap rule will close before the next record, whenever that comes (CONTRACT §2).

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
    """Close the days after the last closed one up to *through*, oldest first, in slices of tenants."""
    state = claim.state
    while state.folded.closed_through is None or state.folded.closed_through < through:
        closed = state.folded.closed_through
        if closed is None:  # the first record's own day is open, so nothing before it can hold anything
            state.apply_closed(through)
            break
        day = state.folded.closing_day
        if day is None:
            day = await _next_day(claim, closed + 1, through)
        if day is None:
            state.apply_closed(through)
            break
        await _close_day(claim, day)
        state.apply_closed(day)
        claim.committer.wake()
        await claim.committer.room()
    claim.committer.wake()


async def _next_day(claim: Claim, first: int, last: int) -> int | None:
    """Return the first of the days *first* … *last* that has anything to close: most of a long silence has not."""
    due: list[int] = []
    for search in claim.domain.searches(first, last):
        # here first, for a commit may take a page from here to there
        here = claim.state.cache.first_bucket(search.kind, search.buckets)
        stored = await claim.first_bucket(search.kind, search.buckets)
        due += [search.day_of(bucket) for bucket in (here, stored) if bucket is not None]
    day = max(min(due, default=last + 1), first)
    return day if day <= last else None


async def _close_day(claim: Claim, day: int) -> None:
    state, everyone = claim.state, Tenants(claim)
    cursor = state.folded.closing_cursor if state.folded.closing_day == day else None
    while tenants := await everyone.after(cursor):
        await claim.ensure(partial(_close_unknown, claim, day, tenants))
        claim.check()
        effects = _closed(claim, day, tenants)
        rows: list[TableRow] = state.cache.project(_stale_of(claim, day, tenants), state.folded.next_offset)
        cursor = tenants[-1]
        state.apply_close(effects, rows, day, cursor)
        claim.committer.wake()
        await asyncio.sleep(0)
        await claim.committer.room()


def _closed(claim: Claim, day: int, tenants: Sequence[str]) -> Effects:
    """Close *day* for *tenants*. Raises Halt when that fails: whichever record made it due is not to blame."""
    try:
        return claim.domain.close(claim.state.cache, day, tenants, claim.context)
    except Exception as error:
        raise Halt(f"closing {format_day(day)} for {tenants[0]} … {tenants[-1]}: {error!r}") from error


def _close_unknown(claim: Claim, day: int, tenants: Sequence[str]) -> set[PageKey]:
    """Return what is not known of all that closing *day* reads and projects.

    Asked for at once: while one part is loaded, a commit may drop clean pages of another.
    """
    cache = claim.state.cache
    read = claim.domain.close_missing(cache, day, tenants, claim.context)
    return {*read, *cache.unknown(_stale_of(claim, day, tenants))}


def _stale_of(claim: Claim, day: int, tenants: Sequence[str]) -> list[PageKey]:
    """Return the pages of *tenants* in *day* whose projections lag."""
    cache = claim.state.cache
    return [key for tenant_id in tenants for key in claim.domain.day_keys(tenant_id, day) if cache.lags(key)]
