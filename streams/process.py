"""The way of a chunk: pre-scan, load, fold, close; the same for every source, store and domain.

What a step folds is applied between two awaits, so that at any await the state is that of a prefix of the log.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import partial

from engines.core.errors import Halt
from engines.core.model import Chunk, Effects, PageKey, Record, TableRow
from engines.core.time import HOURS_PER_DAY, format_day
from streams.claim import Claim
from streams.scan import GAP_MS, Segment


async def step(claim: Claim, records: Sequence[Record], end: int, poison: Mapping[int, str]) -> None:
    """Fold *records*, which end at offset *end*, and run the closes that they make due.

    Raises:
        ClaimOver: the claim ended on the way; everything uncommitted is dropped with it.
        Halt: a day cannot be closed.
    """
    segments = claim.scanner.scan(records, end, claim.state.cursor, poison)
    for segment in segments:
        await _fold(claim, segment)
        through = segment.cursor.closed_through
        if through is not None:
            await close_through(claim, through)
        await claim.committer.room()
    await asyncio.sleep(0)  # let the committer, and the other partitions, have their turn
    claim.check()


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


async def _fold(claim: Claim, segment: Segment) -> None:
    events, cache = segment.events, claim.state.cache
    await claim.ensure(lambda: claim.domain.missing(cache, events))
    claim.check()
    claim.state.apply_segment(segment, claim.domain.fold(cache, events))
    claim.committer.wake()


async def _next_day(claim: Claim, first: int, last: int) -> int | None:
    """Return the first of the days *first* … *last* that has anything to close: most of a long silence has not."""
    kind, buckets = claim.domain.close_scope(first)
    _, last_buckets = claim.domain.close_scope(last)
    span = range(buckets.start, last_buckets.stop)
    here = claim.state.cache.first_bucket(kind, span)  # first, for a commit may take a page from here to there
    stored = await claim.first_bucket(kind, span)
    found = [bucket for bucket in (stored, here) if bucket is not None]
    if not found:
        return None
    return min(found) // HOURS_PER_DAY


async def _close_day(claim: Claim, day: int) -> None:
    kind, buckets = claim.domain.close_scope(day)
    here = sorted(claim.state.cache.tenants(kind, buckets))
    state = claim.state
    while True:
        cursor = state.folded.closing_cursor if state.folded.closing_day == day else None
        tenants = await _next_tenants(claim, kind, buckets, here, cursor)
        if not tenants:
            return
        await claim.ensure(partial(_close_unknown, claim, day, tenants))
        claim.check()
        effects = _closed(claim, day, tenants)
        rows: list[TableRow] = state.cache.project(_stale_of(claim, day, tenants), state.folded.next_offset)
        state.apply_close(effects, rows, day, tenants[-1])
        claim.committer.wake()
        await asyncio.sleep(0)
        await claim.committer.room()


def _closed(claim: Claim, day: int, tenants: Sequence[str]) -> Effects:
    """Close *day* for *tenants*. Raises Halt when that fails: whichever record made it due is not to blame."""
    try:
        return claim.domain.close(claim.state.cache, day, tenants)
    except Exception as error:
        raise Halt(f"closing {format_day(day)} for {tenants[0]} … {tenants[-1]}: {error!r}") from error


def _close_unknown(claim: Claim, day: int, tenants: Sequence[str]) -> set[PageKey]:
    """Return what is not known of all that closing *day* reads and projects.

    Asked for at once: while one part is loaded, a commit may drop clean pages of another.
    """
    cache = claim.state.cache
    return {*claim.domain.close_missing(cache, day, tenants), *cache.unknown(_stale_of(claim, day, tenants))}


async def _next_tenants(claim: Claim, kind: str, buckets: range, here: Sequence[str], cursor: str | None) -> list[str]:
    """Return the next tenants with pages in *buckets*, from the store and from the pages not committed yet."""
    limit = claim.deps.limits.close_slice_tenants
    stored = await claim.page_tenants(kind, buckets, cursor, limit)
    first = 0 if cursor is None else bisect_right(here, cursor)
    return sorted({*stored, *here[first : first + limit]})[:limit]


def _stale_of(claim: Claim, day: int, tenants: Sequence[str]) -> list[PageKey]:
    """Return the pages of *tenants* in *day* whose projections lag."""
    cache = claim.state.cache
    return [key for tenant_id in tenants for key in claim.domain.day_keys(tenant_id, day) if cache.lags(key)]
