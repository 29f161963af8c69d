"""What is committed is published: in order, at least once, and the cursor never ahead of an acknowledgement."""

import asyncio
from collections.abc import Sequence

import pytest

from engines.core.errors import DataRefused, Halt, Transient
from engines.core.model import OutboxRow
from streams.limits import ShellLimits
from streams.outbox import Outbox

LIMITS = ShellLimits(publish_rows=3, backoff_s=0.001)


class Broker:
    """Answers in turn as *answers* say (None: acknowledged), then acknowledges everything."""

    def __init__(self, *answers: Exception | None) -> None:
        self.answers = list(answers)
        self.asked: list[list[int]] = []

    async def publish(self, rows: Sequence[OutboxRow]) -> None:
        self.asked.append([row.seq for row in rows])
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer


def rows(first: int, last: int) -> list[OutboxRow]:
    return [OutboxRow(seq, "t", None, b"12345", (), None, 0) for seq in range(first, last + 1)]


class Case:
    """An outbox over *broker*; ``cursors`` is where the cursor stood each time it moved."""

    def __init__(self, broker: Broker, published: int = 4) -> None:
        self.cursors: list[int] = []
        self.outbox = Outbox(broker, LIMITS, self._sleep, published, self._moved)

    async def drain(self) -> None:
        running = asyncio.ensure_future(self.outbox.run())
        try:
            async with asyncio.timeout(20):
                done, _ = await asyncio.wait(
                    {running, asyncio.ensure_future(self.outbox.drained())}, return_when=asyncio.FIRST_COMPLETED
                )
            for ended in done:
                ended.result()
        finally:
            running.cancel()

    async def _sleep(self, seconds: float) -> None:
        assert seconds > 0
        await asyncio.sleep(0)

    def _moved(self) -> None:
        self.cursors.append(self.outbox.published)


async def test_rows_go_out_in_order_and_in_bounded_parts() -> None:
    case = Case(broker := Broker())
    case.outbox.add(rows(5, 8))
    case.outbox.add(rows(9, 11))
    assert (len(case.outbox), case.outbox.bytes) == (7, 35)
    await case.drain()
    assert broker.asked == [[5, 6, 7], [8, 9, 10], [11]]
    assert case.cursors == [7, 10, 11]
    assert (len(case.outbox), case.outbox.bytes) == (0, 0)


async def test_what_is_not_acknowledged_is_sent_again_before_anything_after_it() -> None:
    case = Case(broker := Broker(Transient("away"), Transient("still away"), None, Transient("again")))
    case.outbox.add(rows(5, 9))
    await case.drain()
    assert broker.asked == [[5, 6, 7], [5, 6, 7], [5, 6, 7], [8, 9], [8, 9]]
    assert case.cursors == [7, 9]


async def test_what_the_broker_refuses_for_good_stops_everything_and_loses_nothing() -> None:
    case = Case(broker := Broker(None, DataRefused("too large")))
    case.outbox.add(rows(5, 9))
    with pytest.raises(Halt, match="a message cannot be published: too large"):
        await case.drain()
    assert broker.asked == [[5, 6, 7], [8, 9]]
    assert (case.outbox.published, len(case.outbox)) == (7, 2)


async def test_nothing_to_publish_is_drained() -> None:
    case = Case(broker := Broker())
    case.outbox.add([])
    await case.outbox.drained()
    assert (broker.asked, case.outbox.published) == ([], 4)
