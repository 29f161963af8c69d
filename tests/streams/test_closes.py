"""Which days a close visits, whom, and what stands on the days that are still open."""

import asyncio
from collections.abc import Sequence

import pytest

from engines.core.model import Chunk, Context, Effects, Search
from engines.core.ports import Pages
from streams.limits import ShellLimits
from streams.standing import standing
from tests.streams.desk import TP, Desk, die, entry
from tests.streams.tally import LEDGER, START, TOLD, Tally

TENANTS = ["acme", "globex", "initech", "umbrella"]


def told_days(desk: Desk) -> list[tuple[str, int]]:
    return [(tenant, day) for tenant, day, _, _ in desk.told("close")]


class Listening(Tally):
    """Remembers the days it is asked to close."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def searches(self, first: int, last: int) -> Sequence[Search]:
        self.asked.append((first - START, last - START))
        return super().searches(first, last)


class EveryDay(Listening):
    """Has something to do on every day once there is anybody."""

    def searches(self, first: int, last: int) -> Sequence[Search]:
        super().searches(first, last)
        return (Search(LEDGER, range(1), lambda _: 0),)


async def closed(desk: Desk, chunk: int) -> Desk:
    owner = await desk.owner()
    await desk.feed(owner, lambda: chunk)
    await owner.release()
    return desk


@pytest.mark.parametrize("chunk", [1, 2, 50])
async def test_a_long_silence_is_passed_in_as_many_steps_as_it_holds_days_with_anything(chunk: int) -> None:
    rules = Listening()
    desk = await closed(Desk([entry("a", 0.5), entry("b", 1_000.5)], domain=rules), chunk)
    assert told_days(desk) == [("acme", 0), ("acme", 3)]
    assert rules.asked == [(0, 999), (1, 999), (4, 999)]
    assert desk.position.closed_through == START + 999


async def test_a_search_that_finds_what_was_due_before_makes_the_first_day_due() -> None:
    rules = EveryDay()
    desk = await closed(Desk([entry("a", 0.5), entry("b", 6.5)], domain=rules), 50)
    assert rules.asked == [(day, 5) for day in range(6)]
    assert told_days(desk) == [("acme", 0), ("acme", 3)]


@pytest.mark.parametrize("slice_tenants", [1, 3, 64])
@pytest.mark.parametrize("chunk", [1, 50])
async def test_every_tenant_with_any_state_is_visited_in_order(slice_tenants: int, chunk: int) -> None:
    """Those of pages in memory and those that only the store still knows, each once."""
    limits = ShellLimits(close_slice_tenants=slice_tenants, cache_entities=0)
    first = [entry(tenant, 0.5, tenant=tenant) for tenant in reversed(TENANTS)]
    desk = await closed(Desk(first, limits=limits), chunk)
    desk.append(entry("new", 0.6, tenant="aaa"), entry("x", 2.5))
    await closed(desk, chunk)
    assert told_days(desk) == [(tenant, 0) for tenant in ["aaa", *TENANTS]]


class DiesAt(Tally):
    """Its process dies when a tenant's day is closed for the first time."""

    def __init__(self, tenant: str) -> None:
        self._tenant: str | None = tenant

    def close(self, pages: Pages, period: int, tenants: Sequence[str], context: Context) -> Effects:
        if self._tenant in tenants:
            self._tenant = None
            raise asyncio.CancelledError
        return super().close(pages, period, tenants, context)


async def test_a_close_that_a_death_cut_short_goes_on_behind_the_last_tenant_done_before_anything_else() -> None:
    limits = ShellLimits(close_slice_tenants=1, commit_every_s=0, backoff_s=0.001)
    desk = Desk([entry("a", 0.5, tenant=tenant) for tenant in TENANTS], limits=limits, domain=DiesAt("initech"))
    owner = await desk.owner()
    await desk.feed(owner)
    desk.append(entry("x", 2.5))
    with pytest.raises(asyncio.CancelledError):
        await owner.take(Chunk(*TP, 4, 5, desk.log.log(TP).read(4, 1, 1 << 20)[0], 0))
    assert owner.claim is not None
    await owner.claim.committer.flushed()
    await owner.claim.outbox.drained()
    await die(owner)
    assert (desk.position.closing_day, desk.position.closing_cursor) == (START, "globex")
    desk.set("*", seen=False)
    successor = await desk.owner()
    await desk.feed(successor)
    await successor.release()
    published = [(tenant, seq) for tenant, _, _, seq in desk.told("close")]
    assert [*dict.fromkeys(published)] == [  # what was not acknowledged in time is published again
        ("acme", 0),
        ("globex", 0),
        ("initech", 1),
        ("umbrella", 1),
    ]
    told = [(line["what"], line["tenant"]) for line in desk.published(TOLD)]
    assert told.index(("close", "umbrella")) < told.index(("again", "acme")), "what is half closed is not open"
    assert desk.position.closing_day is None


@pytest.mark.parametrize("slice_tenants", [1, 64])
async def test_what_stands_is_asked_of_every_tenant_about_the_days_still_open(slice_tenants: int) -> None:
    desk = Desk(limits=ShellLimits(close_slice_tenants=slice_tenants))
    desk.append(
        *(entry("a", 0.5, tenant=tenant) for tenant in TENANTS), entry("b", 2.5), entry("c", 3.02, tenant="globex")
    )
    owner = await desk.owner()
    await desk.feed(owner)
    assert owner.claim is not None
    assert [line for line, _ in await standing(owner.claim)] == [
        {"tenant": "acme", "day": START + 2},
        {"tenant": "globex", "day": START + 3},
    ]
    await owner.release()
