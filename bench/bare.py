"""The bare loop: what reading, decoding and summing cost without keeping anything."""

from __future__ import annotations

import time
from decimal import Decimal

import msgspec
from aiokafka import AIOKafkaConsumer

from engines.cost.domain import TOPIC


class _Event(msgspec.Struct, gc=False):
    """A cost record's members, money exact, as the contract wants it; nothing is checked beyond the types."""

    id: str
    tenant_id: str
    occurred_at: str
    model: str
    input_tokens: int
    output_tokens: int
    user_id: str | None = None
    feature_tag: str | None = None
    provider: str | None = None
    request_id: str | None = None
    workflow_id: str | None = None
    skill_id: str | None = None
    cached_input_tokens: int | None = None
    is_retry: bool | None = None
    cost_cents: Decimal | None = None


async def rate(bootstrap: str, records: int) -> float:
    """Return records per second of one consumer that sums cost by (tenant, user, feature, model, hour)."""
    consumer = AIOKafkaConsumer(
        TOPIC, bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False, check_crcs=False
    )
    await consumer.start()
    try:
        return await _sum(consumer, records)
    finally:
        await consumer.stop()


async def _sum(consumer: AIOKafkaConsumer, records: int) -> float:
    decode = msgspec.json.Decoder(_Event).decode
    totals: dict[tuple[str, str | None, str | None, str, str], Decimal] = {}
    nothing = Decimal(0)
    seen = 0
    started = time.perf_counter()
    while seen < records:
        for batch in (await consumer.getmany(timeout_ms=1000, max_records=5_000)).values():
            for record in batch:
                event = decode(record.value)
                key = (event.tenant_id, event.user_id, event.feature_tag, event.model, event.occurred_at[:13])
                totals[key] = totals.get(key, nothing) + (event.cost_cents or nothing)
            seen += len(batch)
    return records / (time.perf_counter() - started)
