# ruff: noqa: INP001 -- a program, not part of a package
"""Publish one cost record, with any Kafka client: the key routes it, its id makes it count once."""

import asyncio
import json
import os
from datetime import UTC, datetime
from uuid import uuid4

from aiokafka import AIOKafkaProducer

BROKER = os.environ.get("OUTLAY_KAFKA_BOOTSTRAP_SERVERS", "localhost:9092")


async def main() -> None:
    """Send one call that ends now."""
    tenant_id = "globex"
    call = {
        "id": str(uuid4()),  # better: the id your provider gave the call, so that sending it again is harmless
        "tenant_id": tenant_id,
        "occurred_at": datetime.now(UTC).isoformat(),
        "user_id": "ana",
        "feature_tag": "triage",
        "provider": "openai",
        "model": "gpt-4o",
        "input_tokens": 1200,
        "output_tokens": 300,
    }
    async with AIOKafkaProducer(bootstrap_servers=BROKER) as producer:
        await producer.send_and_wait("costs", json.dumps(call).encode(), key=tenant_id.encode())


asyncio.run(main())
