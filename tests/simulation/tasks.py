"""Tasks and futures that hash by birth, know their node, and can be closed without a trace."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from typing import Any

WORLD = ""
"""The node of everything that is not on a node: the broker, the database, the harness."""

NODE: contextvars.ContextVar[str] = contextvars.ContextVar("node", default=WORLD)
"""The node whose code is running: set by ``spawn``, inherited by every task and callback born there."""

CLOSE_TRIES = 20


class _Born:
    """Hash by birth: the order of a set must not depend on addresses."""

    born: int

    def __hash__(self) -> int:
        return self.born

    def __eq__(self, other: object) -> bool:
        return self is other


class SimTask(_Born, asyncio.Task[Any]):
    """A task that knows its context, so that it can be closed inside it."""

    context: contextvars.Context
    _log_destroy_pending: bool


class SimFuture(_Born, asyncio.Future[Any]):
    """A future with a reproducible hash."""


def close(task: SimTask) -> None:
    """Run the finally-blocks of *task*, in its own context; one that awaits is closed again at that await."""
    for _ in range(CLOSE_TRIES):
        with contextlib.suppress(Exception, asyncio.CancelledError):
            task.context.run(task.get_coro().close)
            return


def name_of(handle: asyncio.Handle) -> str:
    callback = handle._callback  # type: ignore[attr-defined]
    owner = getattr(callback, "__self__", None)
    if isinstance(owner, asyncio.Task):
        return owner.get_name()
    return str(getattr(callback, "__qualname__", None) or type(callback).__name__)


def where(task: SimTask) -> str:
    """Return the chain of awaits of *task*, outermost first."""
    chain: list[str] = []
    coro: Any = task.get_coro()
    while coro is not None:
        frame = getattr(coro, "cr_frame", None) or getattr(coro, "gi_frame", None)
        if frame is None:
            chain.append(type(coro).__name__)
            break
        chain.append(f"{frame.f_code.co_qualname}:{frame.f_lineno}")
        coro = getattr(coro, "cr_await", None) or getattr(coro, "gi_yieldfrom", None)
    return f"  {task.context.get(NODE, WORLD) or 'world'} {task.get_name()}: {' > '.join(chain)}"
