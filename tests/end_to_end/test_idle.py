"""Days close on a partition to which nothing more comes, by the clock (CONTRACT §2)."""

from __future__ import annotations

import asyncio
import json
import time

from aiokafka import AIOKafkaProducer

from drivers import topics
from engines.core.time import US_PER_DAY, US_PER_HOUR, US_PER_MINUTE, format_instant
from tests import oracle
from tests.end_to_end import broker, database, exact
from tests.end_to_end.deployment import PARTITIONS, Deployment

TENANT = "acme"
HOME = oracle.home(TENANT, PARTITIONS)
FIRST_DAY = 20_500
DAYS = 6
MARGIN_S = 1
# From 23:00 of the last day, less the five minutes that a watermark lags, to the end of its grace.
SILENCE_US = 2 * US_PER_HOUR + 5 * US_PER_MINUTE
LACKING_US = 12_000_000  # so much of the silence is still to come when the records are sent


async def publish(bootstrap: str, first: int, numbers: range, appended_ms: int) -> None:
    """Send a record for 23:00 of each day *first* + number, a spike on the last day, as if appended at that time."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        for number in numbers:
            record = {
                "id": f"e{number}",
                "tenant_id": TENANT,
                "occurred_at": format_instant((first + number) * US_PER_DAY + 23 * US_PER_HOUR),
                "model": "gpt-4o",
                "input_tokens": 1,
                "output_tokens": 1,
                "cost_cents": 100_000 if number == DAYS - 1 else 1_000,
            }
            await producer.send("costs", json.dumps(record).encode(), TENANT.encode(), timestamp_ms=appended_ms)


def test_the_last_day_closes_once_silence_has_lasted_and_not_before(deployment: Deployment) -> None:
    # Producers cannot choose append times; a topic that lets them stands in for hours of silence.
    chosen = [topic.model_copy(update={"timestamp": "CreateTime"}) for topic in topics.load().topics]
    broker.renew_topics(deployment.bootstrap, chosen)
    last_day = FIRST_DAY + DAYS - 1

    def here() -> database.Progress:
        return database.progress(deployment.database_url)[HOME]

    with deployment.worker(topics_check="off", idle_margin_s=MARGIN_S) as worker:
        deployment.claimed()
        sent = time.time()
        appended_ms = int(sent * 1000) - (SILENCE_US - LACKING_US) // 1000
        asyncio.run(publish(deployment.bootstrap, FIRST_DAY, range(DAYS), appended_ms))
        deployment.reached(DAYS)
        open_still = here()
        assert (open_still.closed_through, open_still.watermark_us) == (
            last_day - 1,
            last_day * US_PER_DAY + 22 * US_PER_HOUR + 55 * US_PER_MINUTE,
        )
        deployment.eventually(lambda: here().closed_through == last_day or None, "the last day is closed")
        waited_s = time.time() - sent
        assert here().watermark_us == open_still.watermark_us
        exact.settled(deployment)
        assert worker.process.poll() is None
    print(f"closed {waited_s - LACKING_US / 1e6:.1f} s after the silence was long enough")  # noqa: T201
    assert waited_s >= LACKING_US / 1e6 + MARGIN_S
    found = exact.left(deployment)
    wanted = oracle.evaluate(found.log, partitions=PARTITIONS, append_forwarded=False, closed_through={HOME: last_day})
    exact.same([oracle.comparable(f) for f in found.newest_facts], [oracle.comparable(f) for f in wanted.facts])
    assert [(fact["status"], fact["window_start"]) for fact in found.newest_facts] == [
        ("final", format_instant(last_day * US_PER_DAY))
    ]
