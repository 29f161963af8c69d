"""What goes wrong has an owner: exactly the guilty record is a dead letter, or the worker stops and says why."""

import logging
from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests import oracle
from tests.streams.failing import (
    LIMITS,
    TP,
    Buggy,
    Picky,
    Rig,
    check_without,
    offsets_of,
    stream_of,
    unique_ids,
)


async def carry_on(rig: Rig, dead: Sequence[int]) -> list[str]:
    """Run *rig* to its end, hold it against the oracle without *dead*, and return the reasons."""
    owner = await rig.owner()
    await rig.drive(owner)
    ran = await rig.read(owner)
    check_without(ran, dead)
    return [line["reason"] for line in ran.dead]


@pytest.mark.parametrize("seed", [5, 6, 7, 10, 11])
async def test_records_that_cannot_be_folded_are_dead_letters_and_nothing_else_is(seed: int) -> None:
    stream = stream_of(seed)
    rig = Rig(stream, domain=Buggy(unique_ids(stream)[seed::29], ValueError))
    guilty = offsets_of(rig, unique_ids(stream)[seed::29])
    reasons = await carry_on(rig, guilty)
    assert guilty
    for reason in reasons:
        assert reason.startswith("ValueError: boom\n")
        assert "Traceback (most recent call last)" in reason
        assert "raise self._bug" in reason


@pytest.mark.parametrize("seed", [5, 6, 7, 10, 11])
async def test_what_a_failed_fold_left_half_done_is_never_committed(seed: int) -> None:
    stream = stream_of(seed)
    rig = Rig(stream, domain=Buggy(unique_ids(stream)[seed::7], ValueError), limits=replace(LIMITS, commit_every_s=0))
    await carry_on(rig, offsets_of(rig, unique_ids(stream)[seed::7]))


async def test_a_record_that_cannot_be_folded_is_found_in_three_tries() -> None:
    stream = stream_of(5)
    rules = Buggy(unique_ids(stream)[40:41], ValueError)
    await carry_on(rig := Rig(stream, domain=rules), offsets_of(rig, rules.killers))
    assert len(rules.failed_with) == 3  # steps of 64, 8 and 1
    assert rules.failed_with[-1] == 1


async def test_records_whose_pages_the_database_refuses_are_dead_letters() -> None:
    rig = Rig(stream_of(7), store=Picky())
    records = [oracle.decode(r.value, tuple(r.headers)) for r in rig.log.log(TP).records]
    guilty = [at for at, r in enumerate(records) if isinstance(r, oracle.Record) and r.tenant_id == "globex"]
    reasons = await carry_on(rig, guilty)
    assert 0 < len(guilty) < len(records)
    assert all(reason.startswith("refused by the database: no globex here\n") for reason in reasons)


async def test_a_position_that_is_not_of_this_log_stops_the_partition_until_it_is_accepted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stream = stream_of(1)
    rig = Rig(stream)
    first = await rig.owner()
    await rig.drive(first)
    await first.release()
    end = rig.log.log(TP).end
    rig.log.truncate(TP, end - 10)
    with caplog.at_level(logging.ERROR):
        owner = await rig.owner()
    assert owner.claim is None
    assert str(end) in (owner.refusal or "")
    assert "STOPPED" in caplog.text
    before = rig.store.positions[TP]
    await rig.asked_again(3)
    assert rig.store.positions[TP] == before, "asking again and again changes nothing"
    rig.store.positions[TP] = replace(before, next_offset=end - 10)
    await rig.drive(owner)
    assert owner.refusal is None
    rig.log.append(TP, b"news")
    await rig.drive(owner)
    assert rig.store.positions[TP].next_offset == end - 9
    await owner.release()


async def test_a_fenced_owner_waits_and_claims_again_what_is_still_its_own() -> None:
    stream = stream_of(2)
    rig = Rig(stream)
    owner = await rig.owner()
    old = owner.claim
    await rig.store.claim(TP, rig.log.bounds(TP))
    await rig.drive(owner, 16)
    assert owner.claim is not old
    assert rig.slept == [LIMITS.reclaim_after_s]
    check_without(await rig.read(owner), [])
