"""``process`` on memory ports: what the rules, the state and the sealing cost without broker and database."""

from __future__ import annotations

import time
from collections.abc import Sequence

from drivers.prices import Prices
from engines.core.ports import Domain
from engines.cost.domain import CostDomain
from engines.cost.rules import STANDARD
from engines.runs.domain import RunsDomain
from streams.replay import Replay

PARTITIONS = 12
_NOW_MS = 4_000_000_000_000


def costs() -> Domain:
    """Return the cost domain under the rules of a new deployment."""
    return CostDomain(Prices(), STANDARD)


def runs() -> Domain:
    """Return the runs domain as a worker has it."""
    return RunsDomain()


async def rate(values: Sequence[bytes], domain: Domain) -> float:
    """Return records per second from values in memory to committed pages in memory, on 12 partitions."""
    replay = Replay(domain, PARTITIONS, _NOW_MS, keep_snapshots=False)
    await replay.start()
    started = time.perf_counter()
    await replay.feed(values)
    await replay.drain()
    return len(values) / (time.perf_counter() - started)
