"""Partitions of one process die together: a killer in one of them buries no record of another."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

from drivers.memory.log import MemoryLog
from drivers.memory.publisher import MemoryPublisher
from drivers.memory.store import MemoryStore
from engines.core.model import Batch, Chunk, TopicPartition
from engines.cost.domain import TOPIC
from streams.limits import ShellLimits
from streams.owner import Owner
from tests import oracle
from tests.streams.failing import Buggy, die
from tests.streams.running import deps_for, memory_log
from tests.streams.test_owner_deaths import Died

_PARTITIONS = 4
_RECORDS = 200
_KILLER = "e2-100"
_LIMITS = ShellLimits(chunk_records=64, backoff_s=0.001)
_COMMIT_TURNS = 5


class Slow(MemoryStore):
    """A store whose commits take a few turns of the loop, as those of a server do."""

    async def commit(self, batch: Batch) -> bool:
        for _ in range(_COMMIT_TURNS):
            await asyncio.sleep(0)
        return await super().commit(batch)


def stream() -> list[oracle.LogRecord]:
    """Return as many records of a tenant in each partition."""
    tenants = [next(t for t in (f"t{n}" for n in range(99)) if oracle.home(t, _PARTITIONS) == p) for p in range(4)]
    body = {"occurred_at": "2026-03-01T12:00:00Z", "model": "gpt-4o", "input_tokens": 1, "output_tokens": 1}
    return [
        oracle.LogRecord(json.dumps(body | {"id": f"e{p}-{n}", "tenant_id": tenant}).encode(), key=tenant.encode())
        for n in range(_RECORDS)
        for p, tenant in enumerate(tenants)
    ]


async def test_only_the_killer_is_buried_when_all_partitions_of_its_process_die_with_it() -> None:
    log, store = memory_log(stream(), _PARTITIONS), Slow()
    deps = deps_for(log, store, MemoryPublisher(log), "standard", _LIMITS)
    deps = replace(deps, domains={TOPIC: Buggy([_KILLER], Died)})
    deaths = 0
    while True:
        owners = [Owner(TopicPartition(TOPIC, partition), deps) for partition in range(_PARTITIONS)]
        await asyncio.gather(*(owner.start() for owner in owners))
        driving = [asyncio.ensure_future(drive(owner, log)) for owner in owners]
        await asyncio.wait(driving, return_when=asyncio.FIRST_EXCEPTION)
        ended = [one.exception() for one in driving if one.done()]
        for one in driving:
            one.cancel()
        await asyncio.gather(*driving, return_exceptions=True)
        for owner in owners:
            await die(owner)
        if not any(ended):
            break
        assert all(error is None or isinstance(error, Died) for error in ended), ended
        deaths += 1
        assert deaths < 50
    dead = [json.loads(record.value or b"") for record in log.log(TopicPartition("dead-letters", 0)).records]
    assert len(dead) == 1, [(line["partition"], line["offset"], line["reason"]) for line in dead]
    assert deaths <= 4 + _LIMITS.deaths_before_dead_letter


async def drive(owner: Owner, log: MemoryLog) -> None:
    """Feed *owner* until it has folded and committed everything."""
    async with asyncio.timeout(20):
        while True:
            await asyncio.sleep(0)
            claim = owner.claim
            if claim is None:
                continue
            start = claim.state.folded.next_offset
            if start == _RECORDS:
                await claim.committer.flushed()
                await claim.outbox.drained()
                return
            records, end = log.log(owner.tp).read(start, _LIMITS.chunk_records, 1 << 22)
            await owner.take(Chunk(*owner.tp, start, end, records))
