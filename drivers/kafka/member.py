"""The aiokafka consumer of a group member, set so that positions are ours and membership outlives slow work."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from drivers.kafka.connection import KafkaConnection

_log = logging.getLogger(__name__)

_FOREVER_MS = 2**31 - 1


@dataclass(frozen=True, slots=True)
class MemberSettings:
    """How the group member behaves.

    Attributes:
        session_timeout_s: how long the group waits for a member that died.
        instance_id: static membership: a restart within the session keeps its partitions; None: dynamic.
        fetch_bytes: compressed bytes of one partition per fetch (a larger batch comes alone).
        fetch_wait_ms: how long the broker holds a fetch that finds nothing; it also delays busy partitions whose
            broker is being asked for idle ones.
    """

    session_timeout_s: float = 10.0
    instance_id: str | None = None
    fetch_bytes: int = 1 << 20
    fetch_wait_ms: int = 100


def new_consumer(connection: KafkaConnection, group_id: str, settings: MemberSettings, assignor: Any) -> Any:  # noqa: ANN401 -- aiokafka ships no types
    """Return a consumer, not yet started, for the running loop, which is to be its alone."""
    asyncio.get_running_loop().set_exception_handler(given_up)
    session_ms = int(settings.session_timeout_s * 1000)
    return AIOKafkaConsumer(
        **connection.options(),
        group_id=group_id,
        group_instance_id=settings.instance_id,
        partition_assignment_strategy=[assignor],
        isolation_level="read_committed",
        auto_offset_reset="none",
        enable_auto_commit=False,
        session_timeout_ms=session_ms,
        heartbeat_interval_ms=session_ms // 4,
        rebalance_timeout_ms=max(session_ms, 30_000),
        max_poll_interval_ms=_FOREVER_MS,  # a database may be away for long; heartbeats come from a thread of their own
        max_partition_fetch_bytes=settings.fetch_bytes,
        fetch_max_wait_ms=settings.fetch_wait_ms,
    )


def given_up(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Handle what nobody waits for: aiokafka goes on with a request that our time limit gave up; its end is no news."""
    error = context.get("exception")
    if isinstance(error, KafkaError):
        _log.debug("a request that was given up: %r", error)
    else:
        loop.default_exception_handler(context)
