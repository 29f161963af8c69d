"""Publishing, up to the producer: homes, full batches, and an even rate."""

import asyncio
import json
import time

import pytest

from drivers.kafka.murmur2 import partition_of
from streams.demo.sources import Listed
from streams.lines import Block, InputUnreadable, Line
from streams.publishing import Publishing


class Shelf:
    """Takes everything, in batches of three."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, bytes | None, bytes]] = []
        self.shipped_at_s: list[float] = []
        self.flushed = False
        self._filling: dict[int, list[tuple[int, bytes | None, bytes]]] = {}

    async def start(self) -> int:
        return 5

    def add(self, partition: int, key: bytes | None, value: bytes, tag: Line) -> bool:
        assert tag.value is value
        batch = self._filling.setdefault(partition, [])
        if len(batch) == 3:
            return False
        batch.append((partition, key, value))
        return True

    async def ship(self, partition: int) -> None:
        self.sent += self._filling.pop(partition, [])
        self.shipped_at_s.append(time.monotonic())

    async def ship_all(self) -> None:
        for partition in list(self._filling):
            await self.ship(partition)

    async def flush(self) -> None:
        await self.ship_all()
        self.flushed = True


def values(n: int) -> list[bytes]:
    return [json.dumps({"id": f"{number}", "tenant_id": f"t{number % 7}"}).encode() for number in range(n)]


async def test_each_event_goes_home_unchanged_and_in_order_under_its_tenants_key() -> None:
    shelf, sent = Shelf(), values(100)
    await Publishing(Listed(sent), shelf).run(5)
    assert shelf.flushed
    assert sorted(value for _, _, value in shelf.sent) == sorted(sent)
    for partition in range(5):
        mine = [value for where, _, value in shelf.sent if where == partition]
        assert mine == [
            value for value in sent if partition_of(json.loads(value)["tenant_id"].encode(), 5) == partition
        ]
    assert all(key == json.loads(value)["tenant_id"].encode() for _, key, value in shelf.sent)


@pytest.mark.parametrize("value", [b"nonsense", b"[1]", b'{"tenant_id": ""}', b'{"tenant_id": 7}', b"\xff"])
async def test_what_names_no_tenant_is_published_without_a_key(value: bytes) -> None:
    shelf = Shelf()
    await Publishing(Listed([value]), shelf).run(5)
    assert shelf.sent == [(0, None, value)]


async def test_a_rate_is_kept_evenly() -> None:
    shelf = Shelf()
    started_s = time.monotonic()
    await Publishing(Listed(values(90)), shelf, rate=200).run(5)
    assert len(shelf.sent) == 90
    assert shelf.shipped_at_s[-1] - started_s >= 0.35  # the first of nine steps goes at once
    middle = sum(at_s - started_s < 0.2 for at_s in shelf.shipped_at_s)
    assert middle < len(shelf.shipped_at_s)


async def test_a_stop_ends_the_waiting_and_still_flushes() -> None:
    shelf = Shelf()
    begun = asyncio.Event()
    publishing = Publishing(Listed(values(50)), shelf, rate=0.01, shown=lambda *_: begun.set())
    running = asyncio.ensure_future(publishing.run(5))
    await begun.wait()
    publishing.stopped.set()
    await asyncio.wait_for(running, 5)
    assert shelf.flushed
    assert [value for _, _, value in shelf.sent] == values(1)


class BreaksOff:
    idle = False

    def __init__(self) -> None:
        self._blocks = [Block([Line(0, 1, b"{}")], 2)]

    async def take(self) -> Block | None:
        if not self._blocks:
            raise InputUnreadable("cut.gz: unreadable after line 1: too short")
        return self._blocks.pop()


async def test_what_was_read_before_a_file_breaks_off_is_published() -> None:
    shelf = Shelf()
    with pytest.raises(InputUnreadable):
        await Publishing(BreaksOff(), shelf).run(5)
    assert shelf.flushed
    assert shelf.sent == [(0, None, b"{}")]
