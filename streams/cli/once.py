"""Commands that run once: their loop, and what is tried again when a dependency is away."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from engines.core.errors import Transient

T = TypeVar("T")

TRIES = 3
_PAUSE_S = 1.0


def run(work: Coroutine[Any, Any, T]) -> T:
    """Return the result of *work*, with the clients' own logging held back: errors come out of it as one line."""
    quiet()
    return asyncio.run(work)


def quiet() -> None:
    """Hold the clients' own logging back."""
    import logging

    for name in ("aiokafka", "faust", "mode", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


async def with_tries(call: Callable[[], Awaitable[T]], tries: int = TRIES) -> T:
    """Return what *call* returns; try again, *tries* times in all, while something is away. Raises Transient."""
    for left in reversed(range(tries)):
        try:
            return await call()
        except Transient as error:
            if not left:
                raise
            print(f"outlay: {' '.join(str(error).split())}; trying again", file=sys.stderr)
            await asyncio.sleep(_PAUSE_S)
    raise Transient("no try was allowed")
