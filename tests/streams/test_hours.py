"""Windows that close by the hour: lateness to the microsecond, silences, identities, and closes cut short."""

import asyncio
from collections.abc import Sequence

import pytest

from engines.core.model import Chunk, Context, Effects, IdBlock, TopicPartition
from engines.core.ports import Pages
from engines.core.time import US_PER_DAY, US_PER_HOUR, US_PER_MINUTE
from streams import fates
from streams.limits import ShellLimits
from streams.standing import standing
from tests.streams.desk import TP, Desk, Raw, die
from tests.streams.hourly import DUE_AFTER, FIRST, GRACE_US, START_US, Hourly, at
from tests.streams.tally import START, TOLD

DISORDER_US = 5 * US_PER_MINUTE
NOON = 12 * US_PER_HOUR
SETTLED = NOON - DISORDER_US - GRACE_US
"""After a record of noon, records from here on count."""
TENANTS = ["acme", "globex", "initech", "umbrella"]


def told(desk: Desk, what: str) -> list[tuple[str, int, list[int]]]:
    lines = desk.published(TOLD)
    return [(line["tenant"], line["hour"], line["amounts"]) for line in lines if line["what"] == what]


def counts(desk: Desk) -> tuple[int, int, int]:
    """Return how many records were accepted, duplicates and late."""
    return tuple(desk.position.counts.get(fate, 0) for fate in (fates.ACCEPTED, fates.DUPLICATES, fates.LATE))  # type: ignore[return-value]


async def run(desk: Desk, *entries: Raw, chunk: int = 5_000) -> Desk:
    """Append *entries* and have an owner of their own fold them."""
    desk.append(*entries)
    owner = await desk.owner()
    await desk.feed(owner, lambda: chunk)
    await owner.release()
    return desk


@pytest.mark.parametrize("chunk", [1, 50])
async def test_a_record_is_late_to_the_microsecond_and_its_money_is_told(chunk: int) -> None:
    entries = [at("noon", NOON), at("in", SETTLED, amount=3), at("out", SETTLED - 1, amount=7)]
    desk = await run(Desk(domain=Hourly()), *entries, chunk=chunk)
    assert counts(desk) == (2, 0, 1)
    assert desk.position.counts[f"{fates.LATE}.{fates.TOO_OLD}"] == 1
    assert desk.position.counts[fates.LATE_NANOUSD] == 7
    [line] = desk.published(fates.LATE_RECORDS)
    assert (line["id"], line["reason"], line["cost_nanousd"], line["offset"]) == ("out", "too_old", 7, 2)


@pytest.mark.parametrize("behind_us", [0, 1])
async def test_a_record_is_judged_by_the_watermark_before_it_moves_it_and_after_the_silence_before_it(
    behind_us: int,
) -> None:
    silence_ms = 90_000
    settled = SETTLED + silence_ms * 1000
    entries = [at("noon", NOON), at("x", settled - behind_us, append_ms=silence_ms)]
    desk = await run(Desk(domain=Hourly()), *entries)
    assert counts(desk) == (2 - behind_us, 0, behind_us)
    first = await run(
        Desk(domain=Hourly()), at("first", NOON), at("far", 10 * NOON), at("back", 10 * NOON - US_PER_HOUR)
    )
    assert counts(first) == (3, 0, 0), "a record far ahead of the watermark is not late by its own"


async def test_a_copy_that_comes_too_late_is_late_and_one_in_time_is_a_duplicate() -> None:
    old, noon = at("old", SETTLED), at("noon", NOON)
    desk = await run(Desk(domain=Hourly()), old, noon, old, at("later", NOON + 1), old)
    assert counts(desk) == (3, 1, 1)


async def test_nothing_restates() -> None:
    hours = [at(f"{n}", n * US_PER_HOUR) for n in range(50)]
    desk = await run(Desk(domain=Hourly()), *hours, *hours)
    assert counts(desk) == (50, 2, 48)
    assert fates.RESTATED not in desk.position.counts


@pytest.mark.parametrize("chunk", [1, 2, 50])
async def test_a_long_silence_is_passed_in_as_many_steps_as_it_holds_hours_with_anything_due(chunk: int) -> None:
    rules = Hourly()
    desk = await run(Desk(domain=rules), at("a", NOON), at("b", NOON + 40 * US_PER_DAY), chunk=chunk)
    last = 40 * 24 + 12 - 3
    assert rules.asked == [(10, last), (12 + DUE_AFTER + 1, last)]
    assert rules.visited == [(12 + DUE_AFTER, ("acme",))]
    assert told(desk, "final") == [("acme", 12, [1])]
    assert desk.position.closed_through == FIRST + last


async def test_a_close_visits_those_alone_who_have_something_due() -> None:
    rules = Hourly()
    entries = [at("a", NOON, tenant=TENANTS[n % 2]) for n in range(2)]
    later = [at("b", NOON + 2 * US_PER_HOUR, tenant=tenant) for tenant in reversed(TENANTS[1:])]
    await run(Desk(domain=rules), *entries, *later, at("x", NOON + US_PER_DAY))
    assert rules.visited == [(15, ("acme", "globex")), (17, ("globex", "initech", "umbrella"))]


async def test_an_idle_partition_closes_its_hours_and_takes_nothing_into_them_even_from_a_clock_set_back() -> None:
    desk = Desk([at("noon", NOON)], domain=Hourly(), limits=ShellLimits(idle_margin_s=0, backoff_s=0.001))
    owner = await desk.owner()
    due_ms = ((13 + DUE_AFTER) * US_PER_HOUR + GRACE_US - (NOON - DISORDER_US)) // 1000
    await desk.feed(owner, end_of_log_ms=due_ms - 1)
    assert told(desk, "final") == []
    await desk.feed(owner, end_of_log_ms=due_ms)
    assert told(desk, "final") == [("acme", 12, [1])]
    assert desk.position.closed_through == FIRST + 12 + DUE_AFTER
    assert desk.position.watermark_us == START_US + NOON - DISORDER_US
    end_us = (13 + DUE_AFTER) * US_PER_HOUR
    desk.append(at("closed", end_us - 1), at("open", end_us))
    await desk.feed(owner, end_of_log_ms=due_ms)
    assert owner.claim is not None
    assert counts(desk) == (2, 0, 1)
    await owner.release()


@pytest.mark.parametrize(
    "beside_ms, order", [(0, [("final", 12), ("first", 24)]), (-1, [("first", 24), ("final", 12)])]
)
async def test_a_silence_in_the_log_closes_hours_before_the_record_that_ends_it(
    beside_ms: int, order: list[tuple[str, int]]
) -> None:
    silence_us = (13 + DUE_AFTER) * US_PER_HOUR + GRACE_US - (NOON - DISORDER_US) + beside_ms * 1000
    entries = [at("noon", NOON), at("x", 2 * NOON, append_ms=silence_us // 1000)]
    desk = await run(Desk(domain=Hourly()), *entries)
    assert [(line["what"], line["hour"]) for line in desk.published(TOLD)] == [("first", 12), *order]


class _Asked(Desk):
    """Remembers from which day on identities are asked for."""

    def watch(self) -> list[int | None]:
        asked: list[int | None] = []
        load_ids = self.store.load_ids

        async def load(tp: TopicPartition, first_day: int | None, last_day: int | None = None) -> list[IdBlock]:
            assert last_day is None, "no closed day is asked for by itself"
            asked.append(None if first_day is None else first_day - START)
            return await load_ids(tp, first_day, last_day)

        self.store.load_ids = load  # type: ignore[method-assign]  # it is asked all the same
        return asked


@pytest.mark.parametrize("passed_us, first_day", [(-1, 0), (0, 1)])
async def test_a_successor_loads_the_identities_of_days_that_still_take_records_in(
    passed_us: int, first_day: int
) -> None:
    """The first day is over when its last hour is closed: to the microsecond."""
    evening, midnight = at("evening", US_PER_DAY - 1), US_PER_DAY + GRACE_US + DISORDER_US
    desk = await run(_Asked(domain=Hourly()), evening, at("night", midnight + passed_us))
    assert isinstance(desk, _Asked)
    asked = desk.watch()
    await run(desk, evening, at("night", midnight + passed_us))
    assert asked == [first_day]
    assert counts(desk) == ((2, 2, 0) if passed_us else (2, 1, 1))


@pytest.mark.parametrize("passed_us, held", [(-1, 1), (0, 0)])
async def test_identities_are_dropped_when_their_day_takes_nothing_in_any_more(passed_us: int, held: int) -> None:
    midnight = US_PER_DAY + GRACE_US + DISORDER_US
    desk = Desk([at("evening", US_PER_DAY - 1), at("night", midnight + passed_us)], domain=Hourly())
    owner = await desk.owner()
    await desk.feed(owner)
    desk.append(at("next", midnight))
    await desk.feed(owner)
    assert owner.claim is not None
    event = Hourly().decode(desk.log.log(TP).records[0])
    stamp = Hourly().stamp(event)  # type: ignore[arg-type]  # it is one
    assert len(owner.claim.state.identities.known(START, [stamp])) == held
    await owner.release()


class DiesAt(Hourly):
    """Its process dies when a tenant's hour is closed for the first time."""

    def __init__(self, tenant: str) -> None:
        super().__init__()
        self._tenant: str | None = tenant

    def close(self, pages: Pages, period: int, tenants: Sequence[str], context: Context) -> Effects:
        if self._tenant in tenants:
            self._tenant = None
            raise asyncio.CancelledError
        return super().close(pages, period, tenants, context)


async def test_a_close_of_an_hour_that_a_death_cut_short_goes_on_behind_the_last_tenant_done() -> None:
    limits = ShellLimits(close_slice_tenants=1, commit_every_s=0, backoff_s=0.001)
    desk = Desk([at("a", NOON, tenant=tenant) for tenant in TENANTS], limits=limits, domain=DiesAt("initech"))
    owner = await desk.owner()
    await desk.feed(owner)
    desk.append(at("x", 2 * NOON))
    with pytest.raises(asyncio.CancelledError):
        await owner.take(Chunk(*TP, 4, 5, desk.log.log(TP).read(4, 1, 1 << 20)[0], 0))
    assert owner.claim is not None
    await owner.claim.committer.flushed()
    await owner.claim.outbox.drained()
    await die(owner)
    due = FIRST + 12 + DUE_AFTER
    assert (desk.position.closing_day, desk.position.closing_cursor) == (due, "globex")
    assert desk.position.closed_through == FIRST + 9, "hours with nothing due are not closed one by one"
    await run(desk)
    assert [*dict.fromkeys(tenant for tenant, _, _ in told(desk, "final"))] == TENANTS
    assert (desk.position.closing_day, desk.position.closed_through) == (None, FIRST + 21)


class CannotClose(Hourly):
    """Fails in every close."""

    def close(self, pages: Pages, period: int, tenants: Sequence[str], context: Context) -> Effects:
        raise ZeroDivisionError(f"{pages} {period} {tenants} {context}")


async def test_a_close_that_fails_names_the_hour() -> None:
    desk = Desk([at("a", NOON), at("x", 2 * NOON)], domain=CannotClose())
    owner = await desk.owner()
    await owner.take(Chunk(*TP, 0, 2, desk.log.log(TP).read(0, 2, 1 << 20)[0]))
    async with asyncio.timeout(5):
        while not desk.halts:  # noqa: ASYNC110 it takes a few turns of the loop
            await asyncio.sleep(0)
    assert "closing 2024-10-04T15:00:00Z for acme … acme" in desk.halts[0]
    await owner.release()


async def test_what_stands_is_asked_at_the_exact_watermark() -> None:
    desk = Desk(domain=Hourly())
    owner = await desk.owner()
    assert owner.claim is not None
    assert await standing(owner.claim) == [], "nothing stands before the first record"
    desk.append(at("a", NOON + 7))
    await desk.feed(owner)
    watermark_us = START_US + NOON + 7 - DISORDER_US
    assert await standing(owner.claim) == [({"tenant": "acme", "watermark_us": watermark_us}, None)]
    await owner.release()
