"""A silence that closes days belongs to the record after it: a dead letter moves no watermark (CONTRACT §2)."""

import pytest

from engines.core.time import US_PER_DAY
from streams.limits import ShellLimits
from tests.oracle.cases import at_us, record
from tests.streams.failing import TP, Buggy, Rig, check_without

NOON = "2026-03-04T12:00:00Z"
LIMITS = ShellLimits(chunk_records=1, backoff_s=0.001, commit_every_s=0)


@pytest.mark.parametrize("after_s", [None, 30, 3_600])
async def test_a_record_that_cannot_be_folded_moves_no_watermark_though_the_silence_before_it_closes_days(
    after_s: int | None,
) -> None:
    later = at_us(NOON) + 3 * US_PER_DAY
    stream = [record(NOON, "5", at_us(NOON)), record(NOON, "7", later, id="killer")]
    if after_s is not None:
        stream.append(record(NOON, "9", later + after_s * 1_000_000, id="after"))
    rig = Rig(stream, domain=Buggy(["killer"], ValueError), limits=LIMITS)
    owner = await rig.owner()
    await rig.drive(owner)
    position = rig.store.positions[TP]
    gap_us = 0 if after_s is None else 3 * US_PER_DAY + after_s * 1_000_000
    assert position.watermark_us == at_us(NOON) - 300_000_000 + gap_us
    assert position.closed_through == at_us(NOON) // US_PER_DAY + 2, "the silence closed it, whoever follows"
    ran = await rig.read(owner)
    if after_s is not None:  # or else a day is closed of which the log alone says nothing yet
        check_without(ran, [1])
