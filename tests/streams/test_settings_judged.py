"""Settings are known to whatever is judged; what was judged without them is judged again, before the next record."""

import asyncio
from collections.abc import Sequence

import pytest

from engines.core.model import Batch, Chunk, Context, Effects
from engines.core.ports import Pages
from streams.endings import ClaimOver
from streams.limits import ShellLimits
from tests.streams.desk import TP, Desk, die, entry
from tests.streams.tally import Tally

THREE = [entry("a", 0.5), entry("b", 0.5, tenant="globex"), entry("c", 0.5, tenant="initech")]
AGAIN = [(tenant, 1) for tenant in ("acme", "globex", "initech")]


def again(desk: Desk) -> list[tuple[str, int]]:
    return [(tenant, seq) for tenant, _, _, seq in desk.told("again")]


def closes(desk: Desk) -> list[tuple[str, int, int]]:
    return [(tenant, day, seq) for tenant, day, _, seq in desk.told("close")]


async def test_rows_that_are_there_at_the_claim_are_known_to_the_first_record() -> None:
    desk = Desk([*THREE, entry("x", 2.5)])
    desk.set("*", seen=False)
    desk.set("acme", seen=False)
    owner = await desk.owner()
    await desk.feed(owner)
    await owner.release()
    assert closes(desk) == [("acme", 0, 2), ("globex", 0, 1), ("initech", 0, 1)]
    assert again(desk) == [], "nothing was open before"
    assert desk.position.settings_seq == 2


@pytest.mark.parametrize("slice_tenants", [1, 2, 64])
async def test_a_row_for_everyone_is_noticed_on_an_idle_partition(slice_tenants: int) -> None:
    desk = Desk(THREE, limits=ShellLimits(close_slice_tenants=slice_tenants))
    owner = await desk.owner()
    await desk.feed(owner)
    desk.set("*")
    await desk.feed(owner)
    assert again(desk) == AGAIN
    assert desk.position.settings_seq == 1
    await desk.feed(owner)
    assert again(desk) == AGAIN, "once"
    await owner.release()


async def test_only_those_whom_a_row_concerns_are_judged_again() -> None:
    desk = Desk(THREE)
    owner = await desk.owner()
    await desk.feed(owner)
    desk.set("globex")
    desk.set("nobody")
    await desk.feed(owner)
    await owner.release()
    assert again(desk) == [("globex", 1)]
    assert desk.position.settings_seq == 2


async def test_a_row_that_nobody_told_of_is_not_looked_for() -> None:
    desk = Desk(THREE)
    owner = await desk.owner()
    desk.set("*", seen=False)
    await desk.feed(owner)
    await owner.release()
    assert again(desk) == []


async def test_records_are_folded_after_what_was_noticed_before_them() -> None:
    desk = Desk(THREE)
    owner = await desk.owner()
    await desk.feed(owner)
    desk.set("*")
    desk.append(entry("x", 2.5))
    await desk.feed(owner)
    await owner.release()
    assert again(desk) == AGAIN, "before the record that closes their day"
    assert closes(desk) == [(tenant, 0, 1) for tenant, _ in AGAIN]


async def test_what_nobody_judged_by_is_judged_by_at_the_next_claim() -> None:
    desk = Desk(THREE)
    first = await desk.owner()
    await desk.feed(first)
    await first.release()
    desk.set("acme", seen=False)
    second = await desk.owner()
    await desk.feed(second)
    await second.release()
    assert again(desk) == [("acme", 1)]
    assert desk.position.settings_seq == 1


async def test_a_death_half_way_through_judging_again_leaves_nobody_out() -> None:
    desk = Desk(THREE, domain=_DiesAt("globex"), limits=ShellLimits(close_slice_tenants=1))
    owner = await desk.owner()
    await desk.feed(owner)
    desk.set("*")
    start = desk.position.next_offset
    with pytest.raises(asyncio.CancelledError):
        await owner.take(Chunk(*TP, start, start, (), 0))
    await die(owner)
    assert desk.position.settings_seq == 0
    successor = await desk.owner()
    await desk.feed(successor)
    await successor.release()
    assert [*dict.fromkeys(again(desk))] == AGAIN
    assert desk.position.settings_seq == 1


class _DiesAt(Tally):
    """Its process dies when a tenant is judged again for the first time."""

    def __init__(self, tenant: str) -> None:
        self._tenant: str | None = tenant

    def rejudge(self, pages: Pages, tenants: Sequence[str], context: Context) -> Effects:
        if self._tenant in tenants:
            self._tenant = None
            raise asyncio.CancelledError
        return super().rejudge(pages, tenants, context)


class _Late(Desk):
    """A row for everyone is appended just before the commit of a close; nobody hears of it."""

    def meddle(self, times: int) -> list[int | None]:
        told: list[int | None] = []
        commit = self.store.commit

        async def late(batch: Batch) -> bool:
            if batch.position.closed_through is not None and batch.settings_seq is not None:
                told.append(batch.settings_seq)
                if len(told) <= times:
                    self.set("*", seen=False)
            return await commit(batch)

        self.store.commit = late  # type: ignore[method-assign]  # it commits all the same
        return told


@pytest.mark.parametrize("times", [0, 1, 3])
async def test_a_close_that_did_not_know_the_newest_row_is_done_again_and_no_record_is_blamed(times: int) -> None:
    desk = _Late(THREE)
    owner = await desk.owner()
    await desk.feed(owner)
    desk.append(entry("x", 2.5))
    told = desk.meddle(times)
    await desk.feed(owner)
    await owner.release()
    assert told == list(range(times + 1))
    assert closes(desk) == [(tenant, 0, times) for tenant, _ in AGAIN], "only what knew the newest is published"
    counts = desk.position.counts
    assert (counts["accepted"], counts.get("dead", 0), desk.halts) == (4, 0, [])
    assert desk.position.settings_seq == times


async def test_a_batch_without_a_close_asks_for_nothing() -> None:
    desk = Desk(THREE)
    owner = await desk.owner()
    await desk.feed(owner)
    desk.set("*", seen=False)
    desk.append(entry("x", 0.6))
    await desk.feed(owner)
    await owner.release()
    assert desk.position.counts["accepted"] == 4


async def test_what_a_close_knew_is_what_it_knew_then_not_when_it_is_committed() -> None:
    limits = ShellLimits(commit_every_s=1e6, commit_records=10_000, backoff_s=0.001)
    desk = Desk(THREE, limits=limits)
    owner = await desk.owner()
    await desk.feed(owner)
    desk.append(entry("x", 2.5))
    await desk.feed(owner, end_of_log_ms=None, flush=False)
    assert owner.claim is not None
    claim, sealed = owner.claim, owner.claim.state.sealed
    assert sealed.closed_through != claim.state.folded.closed_through, "the close is not committed yet"
    desk.set("*")
    desk.append(entry("y", 3.5))
    await owner.take(Chunk(*TP, 4, 5, desk.log.log(TP).read(4, 1, 1 << 20)[0], None))
    assert claim.state.settings_known == 1, "known when the second day closed, and not when the first one did"
    with pytest.raises(ClaimOver):
        await claim.committer.flushed()
    await desk.feed(owner)
    await owner.release()
    assert closes(desk) == [*((tenant, 0, 1) for tenant, _ in AGAIN), ("acme", 2, 1)]


async def test_judging_again_that_fails_halts_the_worker_and_blames_no_record() -> None:
    desk = Desk(THREE, domain=_CannotJudge())
    owner = await desk.owner()
    await desk.feed(owner)
    desk.set("*")
    start = desk.position.next_offset
    await owner.take(Chunk(*TP, start, start, (), 0))
    while not desk.halts:  # noqa: ASYNC110 it takes a few turns
        await asyncio.sleep(0)
    assert desk.halts == ["costs/0: judging acme … initech again by new settings: ZeroDivisionError('no rules')"]
    await owner.release()
    assert desk.position.counts.get("dead", 0) == 0


class _CannotJudge(Tally):
    def rejudge(self, pages: Pages, tenants: Sequence[str], context: Context) -> Effects:
        del pages, tenants, context
        raise ZeroDivisionError("no rules")
