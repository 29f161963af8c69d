"""A record that kills the process is a dead letter after so many deaths at it alone; none before, and no other."""

import asyncio
from dataclasses import replace

import pytest

from streams.owner import Owner
from tests.streams.failing import LIMITS, TP, Buggy, Rig, check_without, die, offsets_of, stream_of, unique_ids


class Died(BaseException):
    """The process is gone: no code of ours may catch it."""


async def until_alive(rig: Rig) -> tuple[Owner, int]:
    """Start owners until one reaches the end; return it and how many died before."""
    deaths = 0
    while True:
        owner = await rig.owner()
        try:
            await rig.drive(owner)
        except Died:
            deaths += 1
            await die(owner)
            assert deaths < 50, "it dies for ever"
        else:
            return owner, deaths


@pytest.mark.parametrize("deaths_before", [1, 2, 3])
@pytest.mark.parametrize("seed", [5, 6, 7])
async def test_a_killer_is_dead_lettered_after_its_deaths_alone(seed: int, deaths_before: int) -> None:
    stream = stream_of(seed)
    rules = Buggy([unique_ids(stream)[4 * seed]], Died)
    limits = replace(LIMITS, deaths_before_dead_letter=deaths_before)
    rig = Rig(stream, domain=rules, limits=limits)
    owner, deaths = await until_alive(rig)
    # At full size, at full size under a mark, at eight records, and then alone.
    assert deaths == 3 + deaths_before
    assert rules.failed_with[-deaths_before:] == [1] * deaths_before
    ran = await rig.read(owner)
    check_without(ran, offsets_of(rig, rules.killers))
    assert [line["reason"] for line in ran.dead] == [
        f"the process died {deaths_before} times while it was being processed"
    ]
    assert rig.store.positions[TP].attempt is None


async def test_a_clean_leave_is_no_death_and_no_acquittal() -> None:
    stream = stream_of(10)
    rules = Buggy([unique_ids(stream)[30]], Died)
    rig = Rig(stream, domain=rules)
    for _ in range(4):
        owner = await rig.owner()
        with pytest.raises(Died):
            await rig.drive(owner)
        await die(owner)
    mark = rig.store.positions[TP].attempt
    assert mark is not None
    assert (mark.limit, mark.tries) == (1, 1)
    for _ in range(3):
        await (await rig.owner()).release()
        assert rig.store.positions[TP].released
        assert rig.store.positions[TP].attempt == replace(mark, tries=-2), "the death counts once, the leaves do not"
    owner, deaths = await until_alive(rig)
    assert deaths == LIMITS.deaths_before_dead_letter - 1
    check_without(await rig.read(owner), offsets_of(rig, rules.killers))


async def test_a_suspect_that_is_to_be_buried_is_so_by_whoever_takes_over() -> None:
    stream = stream_of(10)
    rules = Buggy([unique_ids(stream)[30]], Died)
    rig = Rig(stream, domain=rules)
    for _ in range(3 + LIMITS.deaths_before_dead_letter):
        owner = await rig.owner()
        with pytest.raises(Died):
            await rig.drive(owner)
        await die(owner)
    await (await rig.owner()).release()
    owner, deaths = await until_alive(rig)
    assert deaths == 0
    check_without(await rig.read(owner), offsets_of(rig, rules.killers))
    assert rig.store.positions[TP].attempt is None


async def test_a_death_while_a_suspect_is_buried_is_not_counted_as_its_own() -> None:
    stream = stream_of(10)
    rules = Buggy([unique_ids(stream)[30]], Died)
    rig = Rig(stream, domain=rules)
    for _ in range(3 + LIMITS.deaths_before_dead_letter):
        owner = await rig.owner()
        with pytest.raises(Died):
            await rig.drive(owner)
        await die(owner)
    suspect = rig.store.positions[TP].next_offset
    burying = asyncio.ensure_future(rig.drive(await rig.owner()))
    marks = set()
    while not burying.done():
        attempt = rig.store.positions[TP].attempt
        if attempt is not None and attempt.offset == suspect:
            marks.add(attempt.tries)
        await asyncio.sleep(0)
    assert marks
    assert max(marks) <= LIMITS.deaths_before_dead_letter, "whoever dies under a mark above 0 dies of its record"


async def test_two_killers_are_both_found() -> None:
    stream = stream_of(5)
    rules = Buggy(unique_ids(stream)[20:22], Died)
    rig = Rig(stream, domain=rules)
    owner, _ = await until_alive(rig)
    check_without(await rig.read(owner), offsets_of(rig, rules.killers))


async def test_deaths_that_are_nobodys_fault_bury_nothing() -> None:
    rig = Rig(stream_of(6))
    for _ in range(5):
        owner = await rig.owner()
        await die(owner)
    owner = await rig.owner()
    await rig.drive(owner)
    check_without(await rig.read(owner), [])


async def test_deaths_and_leaves_in_turn_bury_nothing_where_nothing_is_tried() -> None:
    rig = Rig(stream_of(6))
    for _ in range(6):
        await die(await rig.owner())
        await (await rig.owner()).release()
    owner = await rig.owner()
    await rig.drive(owner)
    check_without(await rig.read(owner), [])
