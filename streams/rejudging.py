"""Settings that have changed: the open windows of whom they concern are judged again, before the next record.

``Position.settings_seq`` moves when all of them are, so what a crash cuts short is done again; to judge twice by the
same settings is no news.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from engines.core.errors import Halt
from engines.core.model import Effects
from streams.claim import Claim
from streams.tenants import Tenants

_Next = Callable[[str | None], Awaitable[Sequence[str]]]


async def notice(claim: Claim) -> None:
    """Read the settings rows that were seen and are not known here, and judge by those that nobody judged by yet."""
    state = claim.state
    if claim.deps.settings_known(claim.tp) > state.settings_known:
        await claim.load_settings()
        claim.check()
    if state.settings_known > state.folded.settings_seq:
        await _judge_again(claim)


async def _judge_again(claim: Claim) -> None:
    state, seq = claim.state, claim.state.settings_known
    after = _concerned(claim)
    cursor: str | None = None
    while tenants := await after(cursor):
        await claim.ensure(partial(claim.domain.open_missing, state.cache, tenants, claim.context))
        claim.check()
        state.apply_rejudged(_rejudged(claim, tenants))
        cursor = tenants[-1]
        claim.committer.wake()
        await asyncio.sleep(0)
        await claim.committer.room()
    state.apply_settings(seq)
    claim.committer.wake()


def _concerned(claim: Claim) -> _Next:
    """Return how to go through the tenants whose open windows the new rows may judge differently."""
    done = claim.state.folded.settings_seq
    named = claim.domain.concerned([row for row in claim.settings if row.seq > done])
    if named is None:
        return Tenants(claim, claim.domain.tenants_scope()).after
    here = sorted(tenant for tenant in named if claim.homes.home_of(tenant) == claim.tp.partition)

    async def after(cursor: str | None) -> Sequence[str]:
        rest = here if cursor is None else [tenant for tenant in here if tenant > cursor]
        return rest[: claim.deps.limits.close_slice_tenants]

    return after


def _rejudged(claim: Claim, tenants: Sequence[str]) -> Effects:
    """Judge the open windows of *tenants* again. Raises Halt when that fails: no record is to blame."""
    try:
        return claim.domain.rejudge(claim.state.cache, tenants, claim.context)
    except Exception as error:
        raise Halt(f"judging {tenants[0]} … {tenants[-1]} again by new settings: {error!r}") from error
