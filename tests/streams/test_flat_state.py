"""What a claim keeps while days pass under steady load: as much after months as after weeks.

Counted are objects, not bytes of the process: those tell of the allocator, too (``tests.chaos.soak`` watches them).
"""

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from random import Random
from statistics import mean
from types import CodeType, FrameType, FunctionType, ModuleType

from drivers.memory.log import MemoryLog
from drivers.memory.publisher import MemoryPublisher
from drivers.memory.store import MemoryStore
from engines.core.model import TopicPartition
from engines.cost.anomalies import FACTS_TOPIC
from engines.cost.book import KEPT_DAYS
from engines.cost.domain import TOPIC, CostDomain
from engines.cost.fold import FoldLimits
from engines.cost.rules import STANDARD
from streams import fates
from streams.claim import Claim
from streams.limits import ShellLimits
from streams.owner import Owner
from tests.chaos.steady import Steady
from tests.engines.cost.spending import budget, rule
from tests.streams.learning import Learning, in_memory
from tests.streams.running import NOW_MS, PRICES, HandFed, deps_for, feed

_TENANTS = ("acme", "b", "c")
_RECORDS_A_DAY = 24
_ENTITIES = 60
_FILLED = KEPT_DAYS + 10
_MORE = 60
_SHARE = 0.1
_ELSEWHERE = (type, ModuleType, FunctionType, CodeType, FrameType, MemoryStore, MemoryLog, MemoryPublisher, HandFed)
_LOOP = (asyncio.AbstractEventLoop, asyncio.Task)


def _kept(claim: Claim) -> Counter[str]:
    """Return how many objects of each type *claim* keeps; not what it was given."""
    found: Counter[str] = Counter()
    seen: set[int] = set()
    waiting: list[object] = [claim]
    while waiting:
        each = waiting.pop()
        if id(each) not in seen and not isinstance(each, (*_ELSEWHERE, *_LOOP)):
            seen.add(id(each))
            found[type(each).__name__] += 1
            waiting += gc.get_referents(each)
    return found


async def _days_passed(days: int) -> list[Counter[str]]:
    """Return what the owner of all tenants keeps at the end of each of so many *days*."""
    store = MemoryStore()
    store.append_settings([rule("unpriced_requests_min", 3), rule("spike_pct", 130, "b"), budget(daily=5_000)])
    topics = {TOPIC: 1, FACTS_TOPIC: 1, "cost-snapshots": 1, fates.DEAD_LETTERS: 1, fates.LATE_RECORDS: 1}
    log = MemoryLog(topics, lambda: NOW_MS)
    limits = ShellLimits(backoff_s=0.001, cache_entities=_ENTITIES)
    deps = deps_for(log, store, MemoryPublisher(log), "standard", limits)
    deps = replace(deps, domains={TOPIC: CostDomain(PRICES, STANDARD, FoldLimits(publish_snapshots=True))})
    owner = Owner(TopicPartition(TOPIC, 0), deps)
    await owner.start()
    kept = [each async for each in _fed(owner, log, store, days)]
    await owner.release()
    return kept


async def _fed(owner: Owner, log: MemoryLog, store: MemoryStore, days: int) -> AsyncIterator[Counter[str]]:
    stream = Steady(Random(1), _TENANTS, _RECORDS_A_DAY).days()
    for _ in range(days):
        for key, value, headers in next(stream):
            log.append(owner.tp, value, key=key, headers=headers, timestamp_ms=NOW_MS)
        await feed(owner, log, lambda: _RECORDS_A_DAY, Learning([], 1, in_memory([store])))
        assert owner.claim is not None
        await owner.claim.committer.projected()  # else what waits for it depends on the time
        yield _kept(owner.claim)


async def test_after_months_a_claim_keeps_no_more_than_after_weeks() -> None:
    kept = await _days_passed(_FILLED + _MORE)
    before, after = kept[_FILLED - 20 : _FILLED], kept[-20:]
    grown = sum(after, Counter[str]()) - sum(before, Counter[str]())
    rise = mean(each.total() for each in after) / mean(each.total() for each in before) - 1
    assert rise < _SHARE, f"{rise:+.1%}: more of {grown.most_common(5)}"
