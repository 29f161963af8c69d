"""Follow the facts as an incident bridge would: of each anomaly_id the highest revision counts."""

import asyncio
import contextlib
import json
import os
import sys
from typing import Any

from aiokafka import AIOKafkaConsumer

BROKER = os.environ.get("OUTLAY_KAFKA_BOOTSTRAP_SERVERS", "localhost:9092")


async def main() -> None:
    """Tell of each new revision, until Ctrl-C."""
    newest: dict[str, dict[str, Any]] = {}  # by anomaly_id; a bridge keeps this where it outlives the process
    async with AIOKafkaConsumer(
        "cost-anomaly-facts", bootstrap_servers=BROKER, auto_offset_reset="earliest", isolation_level="read_committed"
    ) as consumer:  # without a group: all facts, from the first, as nothing outlives this program
        async for record in consumer:
            fact = json.loads(record.value)
            known = newest.get(fact["anomaly_id"])
            if known is None or fact["revision"] > known["revision"]:
                newest[fact["anomaly_id"]] = fact
                sys.stdout.write("{status} {anomaly_id} {revision} {message}\n".format(**fact))
                sys.stdout.flush()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
