"""Transient failures: the same call again, with backoff and jitter, for ever (DESIGN: failures have owners)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential_jitter

from engines.core.errors import Transient
from streams.limits import ShellLimits

T = TypeVar("T")
log = logging.getLogger(__name__)

Sleep = Callable[[float], Awaitable[None]]


async def persist(what: str, call: Callable[[], Awaitable[T]], limits: ShellLimits, sleep: Sleep) -> T:
    """Return what *call* returns, however often it is ``Transient`` first; *what* names it in the log."""

    def tell(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        wait_s = state.next_action.sleep if state.next_action else 0.0
        log.warning("%s: %s; try %d, again in %.1f s", what, error, state.attempt_number, wait_s)

    retrying = AsyncRetrying(
        retry=retry_if_exception_type(Transient),
        wait=wait_exponential_jitter(multiplier=limits.backoff_s, max=limits.backoff_max_s, jitter=limits.backoff_s),
        sleep=sleep,
        before_sleep=tell,
        reraise=True,
    )
    async for attempt in retrying:
        with attempt:
            result = await call()
    return result
