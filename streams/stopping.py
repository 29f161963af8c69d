"""Ending a worker: signals, limits on everything that is waited for, and the process that ends in any case."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

log = logging.getLogger(__name__)

_LEAVE_S: Final = 9.0
"""After a signal to stop: by then the process has ended, done or not; what is committed stands."""


def stopper(stop: asyncio.Event, number: signal.Signals) -> Callable[[], None]:
    """Return what the signal *number* does: set *stop*, once, and see to it that the process ends."""

    def stop_once() -> None:
        if not stop.is_set():
            log.info("%s: stopping", number.name)
            end_by_itself(0)
            stop.set()

    return stop_once


def end_by_itself(code: int) -> None:
    """See to it that the process ends in time, with exit code *code* at the latest then.

    Whatever hangs: what is committed stands, the rest is done again.
    """

    def end() -> None:
        log.warning("did not finish within %g s; leaving all the same", _LEAVE_S)
        sys.stderr.flush()
        os._exit(code)

    timer = threading.Timer(_LEAVE_S, end)
    timer.daemon = True
    timer.start()


async def unless(stop: asyncio.Event, work: Awaitable[None]) -> bool:
    """Do *work* and return True; give it up and return False when *stop* comes first."""
    doing, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({doing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            doing.result()
        return doing.done()
    finally:
        await ended(doing)
        await ended(stopping)


async def within(seconds: float, close: Callable[[], Awaitable[None]]) -> None:
    """Close something politely, or leave it: a server that does not answer must not hold us."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await close()


async def ended(task: asyncio.Future[Any]) -> None:
    """Cancel *task* and return when it is over, however it ended."""
    task.cancel()
    with suppress(asyncio.CancelledError, Exception):
        await task
