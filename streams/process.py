"""The way of a chunk: pre-scan, load, fold, close; the same for every source, store and domain.

What a step folds is applied between two awaits, so that at any await the state is that of a prefix of the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from engines.core.model import Record
from streams.claim import Claim
from streams.closes import close_through
from streams.scan import Segment


async def step(claim: Claim, records: Sequence[Record], end: int, poison: Mapping[int, str]) -> None:
    """Fold *records*, which end at offset *end*, and run the closes that they make due.

    Raises:
        ClaimOver: the claim ended on the way; everything uncommitted is dropped with it.
        Halt: a period cannot be closed.
    """
    for segment in await _segments(claim, records, end, poison):
        await _fold(claim, segment)
        through = segment.cursor.closed_through
        if through is not None:
            await close_through(claim, through)
        await claim.committer.room()
    await asyncio.sleep(0)  # let the committer, and the other partitions, have their turn
    claim.check()


async def _segments(claim: Claim, records: Sequence[Record], end: int, poison: Mapping[int, str]) -> list[Segment]:
    """Return what *records* come to, with the identities of every day they are of at hand.

    Nothing but here drops identities, so none is dropped between its loading and the last look at it.
    """
    state = claim.state
    first_day = claim.scanner.lateness.first_day(state.folded.watermark_us)
    state.identities.trim(claim.deps.limits.closed_ids_max, first_day, state.days_uncommitted)
    scan = claim.scanner.read(records, state.cursor, poison)
    await claim.load_ids(scan.unknown)
    return scan.settle(end)


async def _fold(claim: Claim, segment: Segment) -> None:
    events, cache, context = segment.events, claim.state.cache, claim.context
    await claim.ensure(lambda: claim.domain.missing(cache, events, context))
    claim.check()
    claim.state.apply_segment(segment, claim.domain.fold(cache, events, context))
    claim.committer.wake()
