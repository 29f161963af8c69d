"""Transient failures: the same call again, with backoff and jitter, for ever (docs/architecture.md, Failures)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential_jitter

from engines.core.errors import Transient
from streams.limits import ShellLimits

T = TypeVar("T")
log = logging.getLogger(__name__)

TELL_EVERY_S = 30.0
"""An outage is told when it begins, then as often as this, then when it is over."""

Sleep = Callable[[float], Awaitable[None]]


async def persist(what: str, call: Callable[[], Awaitable[T]], limits: ShellLimits, sleep: Sleep) -> T:
    """Return what *call* returns, however often it is ``Transient`` first; *what* names it in the log."""
    try:  # nearly every call works at once, and then the machinery of trying again would cost more than the call
        return await call()
    except Transient as error:
        return await _again(what, call, error, limits, sleep)


async def _again(what: str, call: Callable[[], Awaitable[T]], first: Transient, limits: ShellLimits, sleep: Sleep) -> T:
    """Return what *call* returns once it works; it has failed with *first*."""
    told_s: float | None = None
    failed: Transient | None = first

    def tell(state: RetryCallState) -> None:
        nonlocal told_s
        waited_s = state.seconds_since_start or 0.0
        if told_s is None or waited_s - told_s >= TELL_EVERY_S:
            told_s = waited_s
            error = state.outcome.exception() if state.outcome else None
            log.warning("%s: %s; trying again until it works", what, error)

    retrying = AsyncRetrying(
        retry=retry_if_exception_type(Transient),
        wait=wait_exponential_jitter(multiplier=limits.backoff_s, max=limits.backoff_max_s, jitter=limits.backoff_s),
        sleep=sleep,
        before_sleep=tell,
        reraise=True,
    )
    async for attempt in retrying:
        with attempt:
            if failed is not None:
                error, failed = failed, None
                raise error
            result = await call()
    log.warning("%s: works again", what)
    return result
