"""A seeded event loop: every interleaving, every time-out and every crash is a function of one number.

Invariant: nothing a handle sees comes from outside the loop. Time is virtual and jumps to the next timer when
nothing is ready; there is no selector, thread or signal; tasks and futures hash by birth, so that even sets of them
iterate in the same order in every run. Which ready handle runs next is drawn from the seed.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import random
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from tests.simulation.tasks import NODE, WORLD, SimFuture, SimTask, close, name_of, where

T = TypeVar("T")
STEP_S = 20e-6


class SimulationError(Exception):
    """The simulated program cannot go on; the message holds a dump of its pending tasks."""


class Deadlock(SimulationError):
    """Nothing is ready and no timer is set, yet the main coroutine is not done."""


class Livelock(SimulationError):
    """The step limit is reached."""


class SimLoop(asyncio.BaseEventLoop):
    """Run one coroutine and all it starts in an order drawn from *seed*.

    Args:
        seed: decides the order of ready handles.
        steps_max: handles run before ``Livelock``.
        trace: called before each step with the virtual time, the node and the handle's task name.
    """

    def __init__(
        self, seed: int, *, steps_max: int = 200_000, trace: Callable[[float, str, str], None] | None = None
    ) -> None:
        super().__init__()
        self.steps = 0
        self.failures: list[str] = []
        self._random = random.Random(seed)
        self._steps_max = steps_max
        self._trace = trace
        self._now = 0.0
        self._births = 0
        self._dead: set[str] = set()
        self._paused: dict[str, int] = {}
        self._held: dict[str, list[asyncio.Handle]] = {}
        self._kept: list[SimTask] = []
        self._kept_max = 256
        self._torn_down = False
        self._clock_resolution = 1e-9
        self._ready: list[asyncio.Handle] = []
        self._scheduled: list[asyncio.TimerHandle]
        self._stopping: bool
        self.set_task_factory(self._make_task)
        self.set_exception_handler(self._failed)

    # -- what the harness calls

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Return what *main* returns; raises what it raises, ``Deadlock`` or ``Livelock``."""
        return self.run_until_complete(main)

    def spawn(self, node: str, coro: Coroutine[Any, Any, T], name: str | None = None) -> asyncio.Task[T]:
        """Start *coro* on *node*: its tasks, callbacks and timers die with the node."""
        context = contextvars.copy_context()
        context.run(NODE.set, node)
        return self.create_task(coro, name=name, context=context)

    def later(self, seconds: float, callback: Callable[..., object], *args: Any) -> None:
        """Call *callback* in the world, whoever asks: it outlives the node that does."""
        self.call_later(seconds, callback, *args, context=contextvars.Context())

    def crash(self, node: str) -> None:
        """Kill *node* here and now: no handle of it ever runs again, no finally, no cancellation.

        A crash from inside the node must be followed by ``await forever()``, for the step that runs is not undone.
        """
        if node == WORLD:
            raise ValueError("the world does not crash")
        self._dead.add(node)

    def pause(self, node: str, seconds: float) -> None:
        """Let *node* stand still for *seconds*, as under SIGSTOP: its handles and timers wait, the world goes on."""
        self._paused[node] = self._paused.get(node, 0) + 1

        def resume() -> None:
            self._paused[node] -= 1
            if not self._paused[node]:
                del self._paused[node]
                self._ready += self._held.pop(node, [])

        self.later(seconds, resume)

    def is_dead(self, node: str) -> bool:
        """Whether *node* crashed, or the simulation is over."""
        return self._torn_down or node in self._dead

    def tear_down(self) -> None:
        """Let go of everything without a trace: finally-blocks run now, where ``is_dead`` is true for every node."""
        self._torn_down = True
        for task in self._kept:
            if task.done():
                if task._log_traceback and not self._gone(task.context):
                    self.failures.append(f"{task.get_name()}: {task.exception()!r} was never retrieved")
                    task._log_traceback = False
                continue
            task._log_destroy_pending = False
            close(task)
        self._kept.clear()
        self._ready.clear()
        self._held.clear()
        self._scheduled.clear()
        self.set_exception_handler(lambda _loop, _context: None)
        self.close()

    def dump(self) -> str:
        """Return where every pending task of the living waits."""
        return "\n".join(where(task) for task in self._kept if not task.done() and not self._gone(task.context))

    # -- what BaseEventLoop asks for

    def time(self) -> float:
        """Virtual seconds since the start."""
        return self._now

    def create_future(self) -> SimFuture:
        """Return a future with a reproducible hash."""
        future = SimFuture(loop=self)
        future.born = self._birth()
        return future

    def _run_once(self) -> None:
        if not self._ready:
            self._jump()
        ready = self._ready
        while ready and not self._stopping:
            self._wake()
            last = len(ready) - 1
            if last:
                chosen = int(self._random.random() * (last + 1))
                ready[chosen], ready[last] = ready[last], ready[chosen]
            handle = ready.pop()
            node = handle._context.get(NODE, WORLD)  # type: ignore[attr-defined]
            if handle.cancelled() or node in self._dead:
                continue
            if node in self._paused:
                self._held.setdefault(node, []).append(handle)
            else:
                self._step(handle, node)

    def _step(self, handle: asyncio.Handle, node: str) -> None:
        self.steps += 1
        self._now += STEP_S
        if self.steps > self._steps_max:
            raise Livelock(f"no end after {self.steps} steps and {self._now:.1f} s\n{self.dump()}")
        if self._trace is not None:
            self._trace(self._now, node, name_of(handle))
        handle._run()

    def _jump(self) -> None:
        """Move the clock to the next timer of a living node."""
        while self._scheduled and (self._scheduled[0].cancelled() or self._gone(self._scheduled[0]._context)):  # type: ignore[attr-defined]
            self._drop_timer()
        if self._scheduled:
            self._now = max(self._now, self._scheduled[0].when())
            self._wake()
        elif not self._stopping:
            raise Deadlock(f"nothing is ready and no timer is set at {self._now:.1f} s\n{self.dump()}")

    def _wake(self) -> None:
        """Make due timers ready."""
        while self._scheduled and self._scheduled[0].when() <= self._now:
            self._ready.append(self._drop_timer())

    def _drop_timer(self) -> asyncio.TimerHandle:
        timer = heapq.heappop(self._scheduled)
        timer._scheduled = False  # type: ignore[attr-defined]
        return timer

    def _timer_handle_cancelled(self, _handle: asyncio.TimerHandle) -> None:
        """Cancelled timers stay in the heap until their time; runs are short."""

    def _write_to_self(self) -> None:
        """Nobody sleeps in a selector, so nobody is to be woken."""

    def _process_events(self, _event_list: list[Any]) -> None:
        """There are no events from outside."""

    def _asyncgen_finalizer_hook(self, _agen: Any) -> None:
        """A generator that lost its reader is not run on: it would be at the collector's whim."""

    # -- tasks

    def _make_task(
        self,
        _loop: asyncio.AbstractEventLoop,
        coro: Any,
        context: contextvars.Context | None = None,
        name: str | None = None,
    ) -> SimTask:
        context = contextvars.copy_context() if context is None else context
        born = self._birth()
        # asyncio registers a task in a set while it is constructed: the hash must be there before.
        task = SimTask.__new__(SimTask)
        task.born, task.context = born, context
        SimTask.__init__(task, coro, loop=self, name=name or f"task-{born}", context=context)
        if len(self._kept) >= self._kept_max:
            self._prune()
        self._kept.append(task)
        return task

    def _prune(self) -> None:
        self._kept = [task for task in self._kept if not task.done() or task._log_traceback]
        self._kept_max = max(256, 2 * len(self._kept))

    def _birth(self) -> int:
        self._births += 1
        return self._births

    def _gone(self, context: contextvars.Context) -> bool:
        return context.get(NODE, WORLD) in self._dead

    def _failed(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.failures.append(f"{context.get('message')}: {context.get('exception')!r}")


async def forever() -> None:
    """Never return: what the code of a crashed node does after its last step."""
    await asyncio.get_running_loop().create_future()


def current() -> SimLoop:
    """Return the running simulation."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SimLoop)
    return loop
