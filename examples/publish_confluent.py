"""Publish cost records with confluent-kafka, from any thread: the caller never waits and never sees an error.

``pip install confluent-kafka``. ``Costs`` is what the LiteLLM callback and the OpenTelemetry processor beside it use.
librdkafka places keys in its own way unless told ``partitioner=murmur2_random``, which is what Java clients do; a
record elsewhere would be forwarded, at the price of a round trip. In servers that fork, make ``Costs`` after the fork.
"""

import atexit
import json
import logging
import os
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import uuid4

from confluent_kafka import KafkaError, Message, Producer

BROKER = os.environ.get("OUTLAY_KAFKA_BOOTSTRAP_SERVERS", "localhost:9092")
TOPIC = "costs"
LOG = logging.getLogger("costs")


class Costs:
    """Hands records to a background thread that sends them, in order, until Kafka has them.

    Args:
        buffer_records: how many may wait while Kafka is away; what finds no room is dropped, counted and logged.
        wait_s: how long a record may wait before it is given up.
        flush_s: how long the end of the process waits for the rest.
    """

    def __init__(
        self, servers: str = BROKER, buffer_records: int = 10_000, wait_s: float = 900.0, flush_s: float = 10.0
    ) -> None:
        self.lost = 0
        self._lock = threading.Lock()
        self._flush_s = flush_s
        self._producer = Producer(
            {
                "bootstrap.servers": servers,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "compression.type": "lz4",
                "queue.buffering.max.messages": buffer_records,
                "message.timeout.ms": round(wait_s * 1000),
            },
            logger=LOG,  # connection errors go to the log of the service
        )
        atexit.register(self.close)

    def publish(self, record: Mapping[str, object]) -> None:
        """Take *record*; it returns at once, whatever state Kafka is in, and never raises."""
        try:
            self._producer.poll(0)  # hear what became of earlier ones, which makes room
            value = json.dumps(record).encode()
            self._producer.produce(TOPIC, value, str(record["tenant_id"]), on_delivery=self._delivered)
        except Exception as error:  # noqa: BLE001 -- a cost record is never worth the caller's request
            self._lose(1, error)

    def flush(self, seconds: float) -> bool:
        """Return whether everything taken so far was sent or given up within *seconds*."""
        return self._producer.flush(seconds) == 0

    def close(self) -> None:
        """Send the rest, for a while; called at the end of the process, too."""
        atexit.unregister(self.close)
        if not self.flush(self._flush_s):
            left = len(self._producer)
            self._producer.purge()
            self._producer.poll(0)  # their callbacks count them
            LOG.error("%d cost records were left when the process ended", left)

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._lose(1, error)

    def _lose(self, records: int, why: object) -> None:
        with self._lock:
            self.lost += records
            if self.lost == 1 or self.lost % 1000 == 0:
                LOG.error("%d cost records are lost so far: %r", self.lost, why)


def main() -> int:
    """Publish one call that ends now; return the exit code, 1 when it was lost."""
    costs = Costs()
    costs.publish(
        {
            "id": str(uuid4()),  # better: the id that the provider gave the call
            "tenant_id": "globex",
            "occurred_at": datetime.now(UTC).isoformat(),
            "user_id": "ana",
            "feature_tag": "triage",
            "provider": "openai",
            "model": "gpt-4o",
            "input_tokens": 1200,  # cached ones included
            "cached_input_tokens": 1024,
            "output_tokens": 300,
        }
    )
    costs.close()  # the end of the process would do that as well, too late for an exit code
    return 1 if costs.lost else 0


if __name__ == "__main__":
    logging.basicConfig()
    sys.exit(main())
