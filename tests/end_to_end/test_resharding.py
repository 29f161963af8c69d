"""State moved to more partitions, then to more databases: what is told is as if it had always been there."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from streams import fates
from tests import oracle
from tests.end_to_end import broker, database, exact, records
from tests.end_to_end.broker import Sent
from tests.end_to_end.deployment import LEAVE_S, PARTITIONS, Deployment
from tests.end_to_end.test_kills_all_rules import settings_at_the_start
from tests.stack import shared
from tests.stack.databases import fresh_database

_MORE = 2 * PARTITIONS
_PATIENCE_S = 240.0


def work(deployment: Deployment, stream: Sequence[Sent]) -> None:
    """Take in and tell of *stream*, with two workers, of which one leaves in order and one does not."""
    with ExitStack() as held:
        workers = [held.enter_context(deployment.worker(chunk_records=20)) for _ in range(2)]
        with broker.load(deployment.bootstrap, stream):
            pass
        exact.settled(deployment, _PATIENCE_S)
        workers.pop().kill()
        assert workers.pop().stop() < LEAVE_S


async def add_partitions(bootstrap: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_partitions({"costs": NewPartitions(total_count=_MORE)})
    finally:
        await admin.close()


def test_more_partitions_and_then_more_databases_change_nothing_that_is_told(deployment: Deployment) -> None:
    stream = records.rich(3, 8, 10)
    first, second, third = (
        stream.records[n * len(stream.records) // 3 :][: len(stream.records) // 3] for n in range(3)
    )
    deployment.outlay(*settings_at_the_start(stream.tenants))
    work(deployment, first)
    moved_at = {number: one.next_offset for number, one in database.progress(deployment.database_url).items()}

    asyncio.run(add_partitions(deployment.bootstrap))
    deployment.partitions = _MORE
    assert "tenants moved" in deployment.said("positions repartition --yes")
    assert "database 0: 0 tenants moved" in deployment.said("positions repartition --yes")
    work(deployment, second)

    one = deployment.database_url
    with fresh_database(shared.load(), template=one.rpartition("/")[2]) as two:
        divided(deployment, one, two)
        assert [list(database.progress(url)) for url in (one, two)] == [list(range(n, _MORE, 2)) for n in (0, 1)]
        work(deployment, third)
        as_if_always_there(exact.left(deployment), moved_at)


def divided(deployment: Deployment, one: str, two: str) -> None:
    """Let *two*, a copy of *one*, hold half of the partitions."""
    del deployment.environment["OUTLAY_DATABASE_URL"]
    deployment.environment["OUTLAY_DATABASE_URLS"] = f"{two},{one}"
    deployment.database_url = f"{one},{two}"
    database.run(two, "UPDATE positions SET version = version - 1 WHERE partition = 4")
    assert "costs/4 belongs into database 0, which has an older copy" in deployment.said("positions spread --yes", 1)
    database.run(two, "UPDATE positions SET version = version + 1 WHERE partition = 4")
    deployment.environment["OUTLAY_DATABASE_URLS"] = deployment.database_url
    assert f"database 1: {PARTITIONS} partitions are another's now" in deployment.said("positions spread --yes")
    assert "database 0: 0 partitions" in deployment.said("positions spread --yes")
    deployment.environment["OUTLAY_DATABASE_URLS"] = f"{two},{one}"
    assert "belongs into database" in deployment.said("positions spread --yes", 1)
    assert "this_database_holds_it" in deployment.said("worker", 1)
    deployment.environment["OUTLAY_DATABASE_URLS"] = deployment.database_url


def as_if_always_there(found: exact.Left, moved_at: dict[int, int]) -> None:
    """Hold what is told against the oracle's reading of a log with each tenant at its last home from the start."""
    places: dict[int, list[oracle.LogRecord]] = {}
    for entry in found.log:
        record = oracle.decode(entry.value, entry.headers)
        assert entry.partition is not None
        assert entry.offset is not None
        place = entry.partition
        if entry.offset < moved_at.get(place, 0) and isinstance(record, oracle.Record):
            tenant = record.tenant_id
            place = oracle.home(tenant, _MORE) if oracle.home(tenant, PARTITIONS) == place else place
        places.setdefault(place, []).append(entry)
    log = [
        replace(entry, partition=place, offset=offset)
        for place, entries in sorted(places.items())
        for offset, entry in enumerate(entries)
    ]
    assert {entry.partition for entry in log} > set(range(PARTITIONS, _MORE)) & set(places)
    wanted = exact.wanted(replace(found, log=log))
    names = (fates.EVENTS, *fates.FATES, fates.CONFLICTING, fates.RESTATED)
    assert {name: found.counts.get(name, 0) for name in names} == {name: wanted.outcome.summary[name] for name in names}
    exact.same(found.snapshots, [exact._numbers(line) for line in wanted.outcome.snapshots])
    exact._revisions(found, [one.line for one in wanted.told], list)
    exact._facts(found, [one.fact for one in wanted.told if one.fact is not None], list)
    moved = {line["tenant_id"] for line in found.revisions} - {
        line["tenant_id"] for line in found.revisions if oracle.home(line["tenant_id"], _MORE) < PARTITIONS
    }
    assert moved, "nobody of whom anything is told has moved"
