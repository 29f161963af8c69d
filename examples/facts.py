"""Follow the facts as an incident bridge would: of each anomaly_id the highest revision counts."""

import asyncio
import json
import os
import sys
from typing import Any

from aiokafka import AIOKafkaConsumer

BROKER = os.environ.get("OUTLAY_KAFKA_BOOTSTRAP_SERVERS", "localhost:9092")


async def main() -> None:
    """Tell of each new revision, for ever."""
    newest: dict[str, dict[str, Any]] = {}  # by anomaly_id; a bridge keeps this where it outlives the process
    async with AIOKafkaConsumer(
        "cost-anomaly-facts", bootstrap_servers=BROKER, group_id="my-bridge", auto_offset_reset="earliest"
    ) as consumer:
        async for record in consumer:
            fact = json.loads(record.value)
            known = newest.get(fact["anomaly_id"])
            if known is None or fact["revision"] > known["revision"]:
                newest[fact["anomaly_id"]] = fact
                sys.stdout.write("{status} {anomaly_id} {revision} {message}\n".format(**fact))
                sys.stdout.flush()


asyncio.run(main())
