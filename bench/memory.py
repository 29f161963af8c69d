"""``process`` on memory ports: what the rules, the state and the sealing cost without broker and database."""

from __future__ import annotations

import time
from collections.abc import Sequence

from drivers.prices import Prices
from engines.cost.domain import CostDomain
from engines.cost.rules import STANDARD
from streams.replay import Replay

PARTITIONS = 12
_NOW_MS = 4_000_000_000_000


async def rate(values: Sequence[bytes]) -> float:
    """Return records per second from values in memory to committed pages in memory, on 12 partitions."""
    replay = Replay(CostDomain(Prices(), STANDARD), PARTITIONS, _NOW_MS, keep_snapshots=False)
    await replay.start()
    started = time.perf_counter()
    await replay.feed(values)
    return len(values) / (time.perf_counter() - started)
