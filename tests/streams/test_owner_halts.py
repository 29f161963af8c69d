"""When no record is to blame the worker ends, and its reason says what an operator must look at."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from drivers.memory.store import MemoryStore
from engines.core.errors import DataRefused
from engines.core.model import Batch, Context, Effects
from engines.core.ports import Pages
from engines.cost.domain import CostDomain
from engines.cost.rules import STANDARD
from streams import fates
from streams.endings import ClaimOver
from tests import oracle
from tests.streams.failing import LIMITS, TP, Picky, Rig, stream_of
from tests.streams.running import PRICES


class RefusesDeadLetters(Picky):
    """Refuses pages of one tenant, and to be told so."""

    async def commit(self, batch: Batch) -> bool:
        if any(row.topic == fates.DEAD_LETTERS for row in batch.outbox):
            raise DataRefused("and no dead letters")
        return await super().commit(batch)


class RefusesRowsAlone(MemoryStore):
    """Refuses projection rows that come after their pages."""

    async def commit(self, batch: Batch) -> bool:
        if batch.rows and not batch.pages:
            raise DataRefused("no rows")
        return await super().commit(batch)


class CannotClose(CostDomain):
    """The rules with a bug in the close of a day."""

    def close(self, pages: Pages, period: int, tenants: Sequence[str], context: Context) -> Effects:
        raise ZeroDivisionError(f"{pages} {period} {tenants} {context}")


async def test_more_dead_letters_than_the_limit_halt_the_worker() -> None:
    limits = replace(LIMITS, dead_letters_max=3)
    rig = Rig([oracle.LogRecord(b"?")] * 3, limits=limits)
    owner = await rig.owner()
    await rig.drive(owner)
    assert rig.halts == []
    rig.log.append(TP, b"?")
    await rig.drive(owner)
    [reason] = rig.halts
    assert reason.startswith("costs/0: 4 of 4 records are dead letters: see `outlay dead-letters list`")
    await owner.release()


async def test_whoever_takes_up_after_too_many_dead_letters_halts_too_though_nothing_new_has_come() -> None:
    rig = Rig([oracle.LogRecord(b"?")] * 4, limits=replace(LIMITS, dead_letters_max=3))
    first = await rig.owner()
    await rig.drive(first)
    await first.release()
    rig.halts.clear()
    second = await rig.owner()
    [reason] = rig.halts
    assert "raise OUTLAY_DEAD_LETTERS_MAX" in reason
    await second.release()


async def test_many_dead_letters_among_more_good_records_halt_nothing() -> None:
    stream = stream_of(4)[:20]
    rig = Rig([*stream, *[oracle.LogRecord(b"?")] * 20], limits=replace(LIMITS, dead_letters_max=3))
    owner = await rig.owner()
    await rig.drive(owner)
    assert rig.halts == []
    await owner.release()


async def test_a_message_the_broker_refuses_halts_the_worker_and_stays_first_in_line() -> None:
    stream = stream_of(5)
    rig = Rig([*stream, oracle.LogRecord(b"?" * 5_000)], value_bytes_max=4_000)
    owner = await rig.owner()
    await rig.drive(owner)
    await asyncio.wait_for(rig.halted.wait(), 20)
    [reason] = rig.halts
    assert reason.startswith("costs/0: a message cannot be published: dead-letters, outbox row")
    await owner.release()
    assert rig.store.positions[TP].counts["dead"] == 1, "no innocent record is blamed"
    assert len(rig.store.outbox[TP]) > 0

    rig.halts.clear()
    rig.deps.publisher._value_bytes_max = 8_000  # type: ignore[attr-defined]  # the topic's limit was raised
    owner = await rig.owner()
    await rig.drive(owner)
    ran = await rig.read(owner)
    assert [line["offset"] for line in ran.dead] == [len(stream)]
    assert rig.store.outbox[TP] == {}


async def test_a_close_that_cannot_be_done_halts_the_worker_and_blames_no_record() -> None:
    rig = Rig(stream_of(6), domain=CannotClose(PRICES, STANDARD))
    owner = await rig.owner()
    await rig.drive(owner)
    [reason] = rig.halts
    assert reason.startswith("costs/0: closing 2")
    assert "ZeroDivisionError" in reason
    await owner.release()
    assert rig.store.positions[TP].counts.get("dead", 0) == 0


async def test_a_dead_letter_the_database_refuses_too_halts_the_worker() -> None:
    rig = Rig(stream_of(7), store=RefusesDeadLetters())
    owner = await rig.owner()
    await rig.drive(owner)
    assert rig.halts == ["costs/0: and no dead letters"]
    await owner.release()


async def test_what_is_refused_when_every_record_is_committed_is_no_records_fault(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rig = Rig(stream_of(7), store=RefusesRowsAlone(), limits=replace(LIMITS, projection_rows=1))
    owner = await rig.owner()
    await rig.drive(owner)
    assert owner.claim is not None
    with pytest.raises(ClaimOver):
        await owner.claim.committer.projected()
    await asyncio.wait_for(rig.halted.wait(), 20)
    assert rig.halts == ["costs/0: no rows"]
    assert "step" not in caplog.text
    await owner.release()
