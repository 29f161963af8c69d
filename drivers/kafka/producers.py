"""How a producer is thrown away: at once, with whatever it still holds."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from itertools import chain
from typing import Any

from aiokafka.errors import KafkaError

_ABANDON_S = 2.0


async def abandon(producer: Any) -> None:  # noqa: ANN401 -- aiokafka ships no types
    """Stop *producer*; what it has not sent is dropped, and whoever waits for that gets None for an answer.

    aiokafka's ``stop()`` flushes first, for ever when the broker is away, and its public interface has no way to
    abandon: so settle what is held, cut the connections, end the sender, and only then stop.
    """
    held = producer._message_accumulator  # noqa: SLF001 -- see above
    for batch in [*chain(*held._batches.values()), *held._pending_batches]:  # noqa: SLF001 -- see above
        batch.done_noack()
    sender = producer._sender.sender_task  # noqa: SLF001 -- see above
    if sender is not None:
        sender.remove_done_callback(producer._sender._fail_all)  # noqa: SLF001 -- it tells those who wait; nobody does
        sender.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        sender.cancel()
    with suppress(KafkaError, OSError, TimeoutError):
        async with asyncio.timeout(_ABANDON_S):
            await producer.client.close()
            if sender is not None:
                await asyncio.wait({sender})
            await producer.stop()
