from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

from tests.simulation.loop import Deadlock, Livelock, SimLoop, current, forever
from tests.simulation.tasks import NODE

T = TypeVar("T")


@contextmanager
def simulation(seed: int, **options: Any) -> Iterator[SimLoop]:
    loop = SimLoop(seed, **options)
    try:
        yield loop
    finally:
        loop.tear_down()
    assert loop.failures == []


def run(seed: int, main: Coroutine[Any, Any, T], **options: Any) -> T:
    with simulation(seed, **options) as loop:
        return loop.run(main)


async def busy() -> list[str]:
    """Use what asyncio has, and return the order in which it happened."""
    seen: list[str] = []
    queue: asyncio.Queue[int] = asyncio.Queue(maxsize=2)
    lock = asyncio.Lock()
    event = asyncio.Event()

    async def produce(name: str) -> None:
        for number in range(5):
            await queue.put(number)
            seen.append(f"{name} put {number}")
        event.set()

    async def consume(name: str) -> None:
        await event.wait()
        while True:
            async with lock:
                number = await queue.get()
                await asyncio.sleep(0)
            seen.append(f"{name} got {number}")
            queue.task_done()

    async with asyncio.TaskGroup() as group:
        consumers = [group.create_task(consume(f"consumer {n}")) for n in range(3)]
        producers = [group.create_task(produce(f"producer {n}")) for n in range(2)]
        event.set()
        await asyncio.gather(*producers)
        await queue.join()
        for consumer in consumers:
            consumer.cancel()
    return seen


def test_equal_seeds_give_equal_traces_and_other_seeds_other_ones() -> None:
    def trace(seed: int) -> list[tuple[float, str, str]]:
        steps: list[tuple[float, str, str]] = []
        run(seed, busy(), trace=lambda *step: steps.append(step))
        return steps

    assert trace(1) == trace(1)
    assert len({str(trace(seed)) for seed in range(20)}) == 20


def test_every_order_of_two_ready_tasks_comes_up() -> None:
    async def race() -> str:
        order: list[str] = []

        async def note(name: str) -> None:
            order.append(name)

        await asyncio.gather(note("a"), note("b"), note("c"))
        return "".join(order)

    assert {run(seed, race()) for seed in range(60)} == {"abc", "acb", "bac", "bca", "cab", "cba"}


def test_time_is_virtual_and_timers_fire_in_order() -> None:
    async def sleepy() -> list[float]:
        fired: list[float] = []

        async def fire(delay: float) -> None:
            await asyncio.sleep(delay)
            fired.append(delay)

        await asyncio.gather(*(fire(delay) for delay in (3600.0, 5.0, 86400.0, 60.0)))
        assert 86400.0 <= current().time() < 86401.0
        return fired

    assert run(1, sleepy()) == [5.0, 60.0, 3600.0, 86400.0]


def test_timeouts_cancel_and_wait_for_returns() -> None:
    async def main() -> str:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(10):
                await asyncio.sleep(20)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(forever(), 5)
        done, pending = await asyncio.wait(
            [asyncio.create_task(asyncio.sleep(delay, delay)) for delay in (1.0, 9.0)], timeout=2
        )
        for task in pending:
            task.cancel()
        assert [task.result() for task in done] == [1.0]
        return await asyncio.wait_for(asyncio.sleep(1, "in time"), 5)

    for seed in range(20):
        assert run(seed, main()) == "in time"


def test_a_task_group_cancels_the_rest_in_the_same_order_in_every_run() -> None:
    async def main() -> list[int]:
        cancelled: list[int] = []

        async def wait(number: int) -> None:
            try:
                await forever()
            except asyncio.CancelledError:
                cancelled.append(number)
                raise

        async def fail() -> None:
            raise ValueError

        async def all_of_them() -> None:
            async with asyncio.TaskGroup() as group:
                for number in range(50):
                    group.create_task(wait(number))
                await asyncio.sleep(1)
                group.create_task(fail())

        with pytest.raises(ExceptionGroup):
            await all_of_them()
        return cancelled

    assert run(7, main()) == run(7, main()) != run(8, main())


def test_a_crashed_node_never_runs_again_and_the_others_go_on() -> None:
    seen: list[str] = []

    async def node(name: str) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(tick(name))
                group.create_task(tick(name))
        finally:
            if not current().is_dead(NODE.get()):
                seen.append(f"{name} ended")

    async def tick(name: str) -> None:
        try:
            while True:
                await asyncio.sleep(1)
                assert NODE.get() == name
                seen.append(name)
        finally:
            await asyncio.sleep(0)

    async def main() -> None:
        loop = current()
        loop.spawn("a", node("a"))
        loop.spawn("b", node("b"))
        await asyncio.sleep(3.5)
        loop.crash("a")
        seen.append("crash")
        await asyncio.sleep(3)
        loop.crash("b")

    with simulation(1) as loop:
        loop.run(main())
        before = list(seen)
    assert sorted(seen[: seen.index("crash")]) == ["a"] * 6 + ["b"] * 6
    assert seen[seen.index("crash") + 1 :] == ["b"] * 6
    assert seen == before


def test_a_node_can_crash_itself_at_an_await() -> None:
    async def node() -> str:
        current().crash(NODE.get())
        await forever()
        return "survived"

    async def main() -> bool:
        task = current().spawn("a", node())
        await asyncio.sleep(100)
        return task.done()

    assert run(1, main()) is False


def test_a_paused_node_stands_still_and_then_finds_all_its_timers_due() -> None:
    seen: list[tuple[str, float]] = []

    async def tick(name: str) -> None:
        for _ in range(5):
            await asyncio.sleep(1)
            seen.append((name, round(current().time(), 1)))

    async def main() -> None:
        loop = current()
        loop.spawn("a", tick("a"))
        loop.spawn("b", tick("b"))
        await asyncio.sleep(1.5)
        loop.pause("a", 10)
        loop.pause("a", 3)
        await asyncio.sleep(20)

    run(1, main())
    assert [time for name, time in seen if name == "a"] == [1.0, 11.5, 12.5, 13.5, 14.5]
    assert [time for name, time in seen if name == "b"] == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_timers_of_the_dead_do_not_hold_the_clock_up() -> None:
    async def main() -> float:
        loop = current()
        loop.spawn("a", asyncio.sleep(50))
        await asyncio.sleep(1)
        loop.crash("a")
        await asyncio.sleep(1)
        return loop.time()

    assert run(1, main()) == pytest.approx(2.0, abs=0.01)


def test_waiting_for_what_never_comes_is_a_deadlock_that_says_where() -> None:
    async def stuck(queue: asyncio.Queue[int]) -> None:
        await queue.get()

    async def main() -> None:
        current().spawn("gone", stuck(asyncio.Queue()))
        await asyncio.sleep(0)
        current().crash("gone")
        await asyncio.create_task(stuck(asyncio.Queue()), name="the waiting one")

    with simulation(1) as loop, pytest.raises(Deadlock) as caught:
        loop.run(main())
    assert "the waiting one" in str(caught.value)
    assert "Queue.get" in str(caught.value)
    assert "gone" not in str(caught.value)


def test_running_without_end_is_a_livelock() -> None:
    async def main() -> None:
        for _ in range(2000):
            await asyncio.sleep(0)

    with simulation(1, steps_max=1000) as loop, pytest.raises(Livelock):
        loop.run(main())


def test_an_exception_nobody_asked_for_is_a_failure_of_the_living_only() -> None:
    async def fail() -> None:
        raise ValueError("lost")

    async def main() -> None:
        current().spawn("a", fail())
        current().spawn("b", fail())
        await asyncio.sleep(1)
        current().crash("b")

    loop = SimLoop(1)
    loop.run(main())
    loop.tear_down()
    assert len(loop.failures) == 1
    assert "ValueError('lost')" in loop.failures[0]


def test_an_unfinished_generator_leaves_no_warning() -> None:
    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0)

    async def read() -> None:
        async for _ in numbers():
            await forever()

    async def main() -> None:
        current().spawn("a", read())
        await asyncio.sleep(1)
        current().crash("a")

    run(1, main())
