"""A position that an operator set back leaves pages behind whose offsets lie above all that is written next."""

from dataclasses import replace

from streams.cache import whole
from tests.drivers.accepting import accept
from tests.streams.failing import LIMITS, TP, Rig, die, stream_of

PATIENT = replace(LIMITS, projection_rows=1, projection_every_s=1e9)
"""Beside closes, only the first commit of a claim writes projections, and those of one page."""


async def test_what_was_written_after_going_back_and_never_shown_is_shown_by_the_next_owner() -> None:
    rig = Rig(stream_of(1), limits=PATIENT)
    first = await rig.owner()
    await rig.drive(first)
    await first.release()
    rig.log.truncate(TP, 0)
    for record in stream_of(2)[:40]:
        rig.log.append(TP, record.value, headers=record.headers)
    accept(rig.store, TP, rig.log.bounds(TP), 0)
    second = await rig.owner()
    await rig.drive(second)
    await die(second)
    left = rig.store.positions[TP]
    last = await rig.owner()
    assert last.claim is not None
    lagging = {whole(key) for key in last.claim.state.cache.stale}
    written = {whole(key) for key, page in rig.store.pages[TP].items() if page.as_of <= left.next_offset}
    assert len(written) > 1
    assert len(written - lagging) <= 1, "the first commit has shown one of them"
    await last.release()


async def test_what_lagged_and_was_shown_after_going_back_is_not_shown_again_by_the_next_owner() -> None:
    rig = Rig(stream_of(1), limits=PATIENT)
    first = await rig.owner()
    await rig.drive(first)
    await die(first)
    rig.log.truncate(TP, 0)
    accept(rig.store, TP, rig.log.bounds(TP), 0)
    rig.deps = replace(rig.deps, limits=LIMITS)
    lagging = []
    for _ in range(3):
        owner = await rig.owner()
        assert owner.claim is not None
        lagging.append(len(owner.claim.state.cache.stale))
        await rig.drive(owner)
        await owner.release()
    assert lagging[0] > 0
    assert lagging[1:] == [0, 0]
