"""A topic that is made anew under a worker is noticed, though its new log may hold the old position."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import cast

import pytest

from engines.core.errors import Transient
from engines.core.model import LogBounds, TopicPartition
from engines.core.ports import ChunkSource
from streams.log_watch import LogWatch
from streams.shell import Shell
from tests.streams.failing import TP, Rig, stream_of


class Asked:
    """Answers for the broker: *now* changes what the log says of itself, None is no answer."""

    def __init__(self, rig: Rig) -> None:
        self.now: Callable[[LogBounds], LogBounds | None] = lambda log: log
        self.looks = 0
        self._source = rig.deps.source

    async def bounds(self, tp: TopicPartition) -> LogBounds:
        self.looks += 1
        found = self.now(await self._source.bounds(tp))
        if found is None:
            raise Transient("no answer")
        return found

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self._source.seek(tp, offset)

    def report(self, tp: TopicPartition, next_offset: int) -> None:
        self._source.report(tp, next_offset)


async def looked(asked: Asked) -> None:
    """Return after the watch has looked twice more: then the first of these looks is dealt with."""
    async with asyncio.timeout(20):
        before = asked.looks
        while asked.looks < before + 2:  # noqa: ASYNC110 - the watch has nothing to wait for
            await asyncio.sleep(0)


async def watched(rig: Rig) -> tuple[Shell, Asked, asyncio.Task[None]]:
    asked = Asked(rig)
    source = cast("ChunkSource", asked)
    shell = Shell(replace(rig.deps, source=source))
    await shell.assigned([TP])
    await rig.drive(shell.owners[TP])
    return shell, asked, asyncio.create_task(LogWatch(shell, source, 15.0, rig.deps.sleep).follow())


@pytest.mark.parametrize(
    "anew",
    [
        lambda log: replace(log, topic_id="another"),
        lambda log: replace(log, cluster_id="another"),
        lambda log: replace(log, partitions=2),
    ],
    ids=["topic", "cluster", "partitions"],
)
async def test_another_log_under_the_same_name_stops_the_partition_loudly(
    anew: Callable[[LogBounds], LogBounds], caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(stream_of(3))
    shell, asked, watching = await watched(rig)
    owner, before = shell.owners[TP], rig.store.positions[TP]
    with caplog.at_level(logging.ERROR):
        asked.now = anew
        async with asyncio.timeout(20):
            while owner.refusal is None:  # noqa: ASYNC110 - the owner calls nobody
                await asyncio.sleep(0)
    assert "when it was claimed" in caplog.text
    assert "STOPPED" in caplog.text
    assert rig.store.positions[TP].next_offset == before.next_offset
    assert rig.store.positions[TP].counts == before.counts
    watching.cancel()
    await shell.revoked([TP])


async def test_a_log_that_only_grows_or_does_not_tell_who_it_is_goes_on() -> None:
    rig = Rig(stream_of(3))
    shell, asked, watching = await watched(rig)
    claim = shell.owners[TP].claim
    assert claim is not None
    for now in (
        lambda log: replace(log, end=log.end + 5),
        lambda log: replace(log, topic_id="", cluster_id=""),
        lambda _log: None,
    ):
        asked.now = now
        await looked(asked)
    assert shell.owners[TP].claim is claim
    watching.cancel()
    await shell.revoked([TP])
