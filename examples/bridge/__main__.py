"""Makes incidents of facts: python examples/bridge [--ledger FILE] [--rules FILE] [--once].

It keeps incidents in a SQLite file and prints what becomes of each; ``tell`` is where a pager would be called. Facts
are few: it reads all that the topic holds at each start, and what it knows already changes nothing.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from aiokafka import AIOKafkaConsumer
from incidents import Change, Fact, Incident, Rule
from ledger import Ledger

BROKER = os.environ.get("OUTLAY_KAFKA_BOOTSTRAP_SERVERS", "localhost:9092")
TOPIC = "cost-anomaly-facts"
LOG = logging.getLogger("bridge")


def tell(change: Change, incident: Incident) -> None:
    """Tell of *change*; after a crash it may be told again, with the same ``incident_id``."""
    days = (
        incident.first_day if incident.first_day == incident.last_day else f"{incident.first_day}…{incident.last_day}"
    )
    words = [
        f"{change:8} {incident.incident_id} {incident.trigger} {incident.severity} {incident.tenant_id}",
        f"{incident.impact_scope} {incident.entity_id} {days} {incident.cost_delta_cents / 100:+.2f} USD",
        incident.derived_cause,
        incident.resolution or ("so far" if incident.provisional else ""),
        f"(part of {incident.part_of})" if incident.part_of else "",
    ]
    sys.stdout.write(" ".join(word for word in words if word) + "\n")
    sys.stdout.flush()


async def follow(ledger: Ledger, *, once: bool) -> None:
    """Take every fact, for ever, or to the end that the topic has at the start."""
    async with AIOKafkaConsumer(
        TOPIC, bootstrap_servers=BROKER, auto_offset_reset="earliest", isolation_level="read_committed"
    ) as consumer:  # without a group: all partitions, from the start
        ends = await consumer.end_offsets(consumer.assignment())
        while not once or any([await consumer.position(one) < end for one, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    take(ledger, record.value, f"{TOPIC}/{record.partition}/{record.offset}")
            for change, incident in ledger.untold():
                tell(change, incident)


def take(ledger: Ledger, value: bytes | None, place: str) -> None:
    """Take the fact in *value*; what is none is logged and passed over."""
    try:
        ledger.take(Fact.read(value or b""))
    except ValueError as error:
        LOG.error("%s holds %s", place, error)  # noqa: TRY400 -- the place is what helps


def rules_in(path: Path | None) -> Iterator[Rule]:
    """Yield the policy rules in a file of JSON lines: tenant_id, conditions, is_active."""
    for line in path.read_text().splitlines() if path else ():
        yield Rule(**json.loads(line))


def main() -> None:
    """Run until Ctrl-C."""
    options = argparse.ArgumentParser(prog="bridge", description=__doc__)
    options.add_argument("--ledger", type=Path, default=Path("incidents.sqlite"), help="the file that remembers")
    options.add_argument("--rules", type=Path, help="JSON lines of policy rules that silence anomalies of a tenant")
    options.add_argument("--once", action="store_true", help="end where the topic ends")
    given = options.parse_args()
    logging.basicConfig()
    try:
        rules = list(rules_in(given.rules))
    except (OSError, TypeError, ValueError) as error:
        options.error(f"--rules {given.rules}: {error}")
    ledger = Ledger(given.ledger, rules)
    with contextlib.closing(ledger), contextlib.suppress(KeyboardInterrupt):
        asyncio.run(follow(ledger, once=given.once))


if __name__ == "__main__":
    main()
