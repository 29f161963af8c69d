"""What every chunk source keeps to, whatever its chunks come from."""

import asyncio
import itertools
import time

import pytest

from engines.core.errors import Halt
from engines.core.model import Chunk, TopicPartition
from tests.streams.source_world import Recorder, World, contiguous, running

MIB = 1 << 20


class SourceContract:
    """Subclassed once per source, with a fixture ``world``."""

    async def test_chunks_follow_each_other_over_gaps_and_carry_each_record_once(self, world: World) -> None:
        handler = Recorder(world.source())
        await world.append(0, [b"a", b"b"])
        await world.gap(0)
        await world.append(0, [b"c"])
        await world.gap(0)
        async with running(world, handler) as task:
            bounds = await handler.source.bounds(TopicPartition(world.topic, 0))
            await handler.until(lambda: bool(handler.of(0)) and handler.of(0)[-1].end == bounds.end)
            await world.append(0, [b"d"])
            await handler.until(lambda: len(handler.values(0)) == 4)
        task.result()
        assert handler.values(0) == [b"a", b"b", b"c", b"d"]
        assert handler.of(0)[0].start == 0
        assert contiguous(handler.of(0))
        for chunk in handler.chunks:
            assert all(chunk.start <= record.offset < chunk.end for record in chunk.records)

    async def test_bounds_tell_the_log_and_who_it_is(self, world: World) -> None:
        source = world.source()
        await world.append(1, [b"a", b"b"])
        bounds = await source.bounds(TopicPartition(world.topic, 1))
        other = await source.bounds(TopicPartition(world.topic, 0))
        assert (bounds.start, bounds.end, bounds.partitions) == (0, 2, 2)
        assert (other.start, other.end) == (0, 0)
        assert bounds.cluster_id
        assert bounds.topic_id == other.topic_id != ""
        handler = Recorder(source)
        async with running(world, handler):  # also lets the source close what it opened
            await handler.until(lambda: len(handler.mine) == 2)

    @pytest.mark.parametrize("target", [0, 3])
    async def test_a_seek_is_honoured_and_what_was_fetched_before_is_not_delivered(
        self, world: World, target: int
    ) -> None:
        handler = Recorder(world.source())
        await world.append(0, [b"%d" % n for n in range(6)])
        back = 0

        async def seek_once(chunk: Chunk) -> None:
            nonlocal back
            if chunk.partition == 0 and chunk.end >= 6 and not back:
                await world.append(0, [b"6", b"7"])
                await world.fetched_ahead()  # so that it is stale when we seek
                back = len(handler.of(0))
                handler.source.seek(TopicPartition(world.topic, 0), target)

        handler.on_process = seek_once
        async with running(world, handler):
            await handler.until(lambda: b"7" in handler.values(0)[6:] and handler.of(0)[-1].end == 8)
        assert handler.of(0)[back].start == target
        assert contiguous(handler.of(0)[back:])
        again = [record.value for chunk in handler.of(0)[back:] for record in chunk.records]
        assert again == [b"%d" % n for n in range(target, 8)]

    async def test_nothing_is_delivered_before_the_claim_has_returned(self, world: World) -> None:
        handler = Recorder(world.source())
        await world.append(0, [b"a"])
        claim = asyncio.Event()

        async def slowly(tp: TopicPartition) -> int:
            handler.source.seek(tp, 0)
            handler.news.set()
            started.add(tp)
            await claim.wait()
            return 0

        started: set[TopicPartition] = set()
        handler.on_assigned = slowly
        async with running(world, handler):
            await handler.until(lambda: bool(started))
            for _ in range(50):
                await asyncio.sleep(0.01)
            assert handler.chunks == []
            claim.set()
            await handler.until(lambda: handler.values(0) == [b"a"])

    async def test_a_partition_that_was_not_sought_stands_still(self, world: World) -> None:
        handler = Recorder(world.source())
        await world.append(0, [b"a"])
        await world.append(1, [b"b"])
        seek = handler.source.seek

        def refuse_the_first(tp: TopicPartition, offset: int) -> None:
            if tp.partition == 1:
                seek(tp, offset)

        handler.source.seek = refuse_the_first  # type: ignore[method-assign]  # the shell does not seek what it refused
        async with running(world, handler):
            await handler.until(lambda: len(handler.of(1)) >= 2)
            assert handler.of(0) == []
            seek(TopicPartition(world.topic, 0), 0)  # accepted later
            await handler.until(lambda: handler.values(0) == [b"a"])

    async def test_an_idle_partition_says_that_its_log_has_ended(self, world: World) -> None:
        handler = Recorder(world.source())
        await world.append(0, [b"a"])
        before_ms = int(time.time() * 1000)
        async with running(world, handler):
            await handler.until(lambda: sum(not chunk.records for chunk in handler.of(0)) >= 2)
            await handler.until(lambda: sum(not chunk.records for chunk in handler.of(1)) >= 2)
        for partition, end in ((0, 1), (1, 0)):
            told = [chunk for chunk in handler.of(partition) if chunk.end_of_log_ms is not None]
            assert told
            assert all(chunk.start == chunk.end == end for chunk in told if not chunk.records)
            times = [chunk.end_of_log_ms for chunk in told if chunk.end_of_log_ms is not None]
            assert times == sorted(times)
            assert before_ms <= times[0] <= times[-1] <= time.time() * 1000
            empty = [chunk.end_of_log_ms for chunk in told if not chunk.records and chunk.end_of_log_ms is not None]
            assert all(b - a >= 1000 for a, b in itertools.pairwise(empty))

    async def test_a_chunk_has_at_most_5_000_records(self, world: World) -> None:
        handler = Recorder(world.source())
        await world.append(0, [b"%d" % n for n in range(12_000)])
        async with running(world, handler):
            await handler.until(lambda: len(handler.values(0)) == 12_000)
        assert max(len(chunk.records) for chunk in handler.chunks) == 5_000
        assert handler.values(0) == [b"%d" % n for n in range(12_000)]

    async def test_a_chunk_has_at_most_4_mib_of_values(self, world: World) -> None:
        handler = Recorder(world.source())
        await world.append(0, [bytes([n]) * (700_000) for n in range(20)])
        async with running(world, handler):
            await handler.until(lambda: len(handler.values(0)) == 20)
        assert all(sum(len(record.value or b"") for record in chunk.records) <= 4 * MIB for chunk in handler.chunks)
        assert contiguous(handler.of(0))

    async def test_a_record_of_more_than_1_mib_passes(self, world: World) -> None:
        handler = Recorder(world.source())
        await world.append(0, [b"a", b"x" * (MIB + MIB // 4), b"b"])
        async with running(world, handler):
            await handler.until(lambda: len(handler.values(0)) == 3)
        assert [len(value or b"") for value in handler.values(0)] == [1, MIB + MIB // 4, 1]

    async def test_one_partition_is_taken_in_serially_and_does_not_hold_up_another(self, world: World) -> None:
        handler = Recorder(world.source())
        await world.append(0, [b"a"])
        release, inside = asyncio.Event(), 0

        async def block_the_first(chunk: Chunk) -> None:
            nonlocal inside
            if chunk.partition == 0:
                inside += 1
                assert inside == 1
                await release.wait()
                inside -= 1

        handler.on_process = block_the_first
        async with running(world, handler) as task:
            await handler.until(lambda: bool(handler.of(0)))
            await world.append(0, [b"b"])
            await world.append(1, [b"c"])
            await handler.until(lambda: handler.values(1) == [b"c"])
            assert handler.values(0) == [b"a"]
            release.set()
            await handler.until(lambda: handler.values(0) == [b"a", b"b"])
        task.result()

    async def test_stopping_gives_everything_up_and_ends_what_is_under_way(self, world: World) -> None:
        handler = Recorder(world.source())
        await world.append(0, [b"a"])
        ended = asyncio.Event()

        async def for_ever(chunk: Chunk) -> None:
            if chunk.partition == 0:
                try:
                    await asyncio.Event().wait()
                finally:
                    ended.set()

        handler.on_process = for_ever
        async with running(world, handler) as task:
            await handler.until(lambda: bool(handler.of(0)))
        task.result()
        assert ended.is_set()
        assert handler.revocations == [{TopicPartition(world.topic, 0), TopicPartition(world.topic, 1)}]
        assert handler.mine == set()

    async def test_another_member_gets_its_share_after_it_was_given_up(self, world: World) -> None:
        first, second = Recorder(world.source()), Recorder(world.source())
        await world.append(0, [b"a"])
        await world.append(1, [b"b"])
        async with running(world, first):
            await first.until(lambda: first.values(0) + first.values(1) == [b"a", b"b"])
            async with running(world, second):
                await second.until(lambda: len(second.mine) == 1)
                await first.until(lambda: len(first.mine) == 1)
                assert first.mine.isdisjoint(second.mine)
                assert second.mine <= first.revocations[0]
                (moved,) = second.mine
                before = len(first.of(moved.partition))
                await world.append(moved.partition, [b"c"])
                await second.until(lambda: b"c" in second.values(moved.partition))
                assert len(first.of(moved.partition)) == before
                (kept,) = first.mine
                await world.append(kept.partition, [b"d"])
                await first.until(lambda: b"d" in first.values(kept.partition))
            await world.left(second.source)
            await first.until(lambda: len(first.mine) == 2)
            await world.append(moved.partition, [b"e"])
            await first.until(lambda: b"e" in first.values(moved.partition))

    async def test_work_under_way_ends_before_another_member_has_the_partition(self, world: World) -> None:
        first, second = Recorder(world.source()), Recorder(world.source())
        await world.append(0, [b"a"])
        await world.append(1, [b"b"])
        working: set[int] = set()

        async def for_ever(chunk: Chunk) -> None:
            working.add(chunk.partition)
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0.05)  # a rollback takes its time
                working.discard(chunk.partition)

        async def alone(tp: TopicPartition) -> int:
            assert tp.partition not in working
            return 0

        first.on_process, second.on_assigned = for_ever, alone
        async with running(world, first):
            await first.until(lambda: working == {0, 1})
            async with running(world, second):
                await second.until(lambda: len(second.mine) == 1)

    async def test_a_position_outside_the_log_is_claimed_again(self, world: World) -> None:
        handler = Recorder(world.source())
        await world.append(0, [b"a"])

        async def wrong_at_first(tp: TopicPartition) -> int:
            return 1_000 if handler.claims == 1 and tp.partition == 0 else 0

        handler.on_assigned = wrong_at_first
        async with running(world, handler):
            await handler.until(lambda: handler.values(0) == [b"a"])
        assert handler.claims == 2
        assert handler.revocations[0] == {TopicPartition(world.topic, 0)}

    async def test_a_handler_that_raises_ends_the_run(self, world: World) -> None:
        handler = Recorder(world.source())
        await world.append(0, [b"a"])

        async def broken(chunk: Chunk) -> None:
            raise LookupError(f"no {chunk.topic}")

        handler.on_process = broken
        async with running(world, handler) as task:
            await asyncio.wait({task}, timeout=20)
        with pytest.raises(Halt, match="LookupError: no "):
            task.result()
