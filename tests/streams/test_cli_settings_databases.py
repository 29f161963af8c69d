"""Settings by command where days are closed, where there are several databases, and where one is busy."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import asyncpg
import pytest

from drivers.kafka.murmur2 import partition_of
from drivers.postgres.connections import libpq_url
from drivers.postgres.migrate import migrate
from drivers.postgres.store import PostgresStore
from engines.core.model import Batch, LogBounds, TopicPartition
from engines.core.time import US_PER_DAY, format_instant
from streams.cli.settings_shared import now_us
from tests.streams.commands import Outlay, Ran, aside, listed

PARTITIONS = 12
LOG = LogBounds(0, 0, "cluster", "topic", PARTITIONS)
HEAD = "SELECT seq FROM settings_head FOR UPDATE"


@pytest.fixture
def two_urls(outlay: Outlay, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Two migrated databases, over which the partitions are spread."""
    del outlay
    base, _, name = database_url.rpartition("/")
    urls = [database_url, f"{base}/{name}_second"]
    aside(_execute(database_url, f"CREATE DATABASE {name}_second"))
    try:
        aside(migrate(urls[1]))
        monkeypatch.delenv("OUTLAY_DATABASE_URL")
        monkeypatch.setenv("OUTLAY_DATABASE_URLS", ",".join(urls))
        yield urls
    finally:
        aside(_execute(database_url, f"DROP DATABASE {name}_second WITH (FORCE)"))


async def closed_through(url: str, tenant_id: str, day: int) -> None:
    """Let the home partition of *tenant_id* have closed *day*."""
    store = PostgresStore(url)
    claimed = await store.claim(TopicPartition("costs", partition_of(tenant_id.encode(), PARTITIONS)), LOG)
    moved = replace(
        claimed,
        version=claimed.version + 1,
        released=False,
        closed_through=day,
        watermark_us=(day + 1) * US_PER_DAY,
    )
    assert await store.commit(Batch(claimed.epoch, claimed.version, moved))
    await store.close()


def value_of(ran: Ran, name: str) -> object:
    (found,) = (one["value"] for one in listed(ran) if one["name"] == name)
    return found


def test_what_is_decided_is_not_changed_and_the_refusal_says_from_when_on(outlay: Outlay, database_url: str) -> None:
    today = now_us() // US_PER_DAY
    aside(closed_through(database_url, "acme", today - 1))
    yesterday, start = format_instant(now_us() - US_PER_DAY), format_instant(today * US_PER_DAY)
    budget = ("budgets", "set", "--tenant", "acme", "--type", "tenant", "--daily-usd", "5", "--effective-from")
    for refused in (
        outlay(*budget, yesterday),
        outlay("rules", "set", "spike_pct", "150", "--effective-from", yesterday),
        outlay("tags", "set", "triage", "--tenant", "acme", "--effective-from", start),
    ):
        assert refused.code == 2
        assert "the earliest time is 2" in refused.err
    assert outlay(*budget, start).code == 0
    assert outlay("rules", "set", "spike_pct", "150").code == 0
    assert outlay("tags", "set", "triage", "--tenant", "acme").code == 0


def test_a_rule_for_all_is_in_every_database_and_a_tenants_in_that_of_its_home(
    outlay: Outlay, two_urls: list[str]
) -> None:
    unknown = outlay("rules", "set", "spike_pct", "150", "--tenant", "acme")
    assert (unknown.code, "start `outlay worker` first" in unknown.err) == (2, True)
    homes = {tenant: partition_of(tenant.encode(), PARTITIONS) % 2 for tenant in ("a", "b", "c", "d")}
    assert set(homes.values()) == {0, 1}
    for tenant, home in homes.items():
        aside(closed_through(two_urls[home], tenant, 0))
    assert outlay("rules", "set", "spike_pct", "160").code == 0
    for tenant in homes:
        assert outlay("rules", "set", "spike_pct", "170", "--tenant", tenant).code == 0
    held = [aside(_tenants(url)) for url in two_urls]
    assert held == [["*", *(tenant for tenant, home in homes.items() if home == number)] for number in range(2)]
    assert value_of(outlay("rules", "list", "--tenant", "b", "--json"), "spike_pct") == 170
    assert value_of(outlay("rules", "list", "--json"), "spike_pct") == 160
    early = outlay("rules", "set", "spike_pct", "150", "--effective-from", "1970-01-01T00:00:00Z")
    assert (early.code, "the earliest time is 1970-01-02" in early.err) == (2, True)
    assert [aside(_tenants(url)) for url in two_urls] == held


async def test_when_nobody_knows_whether_it_was_written_the_error_says_where_to_look(
    outlay: Outlay, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTLAY_DATABASE_LOCK_TIMEOUT_S", "0.2")
    connection = await asyncpg.connect(libpq_url(database_url))
    async with connection.transaction():
        await connection.execute(HEAD)
        ran = await asyncio.to_thread(outlay, "rules", "set", "spike_pct", "150")
    await connection.close()
    assert ran.code == 1
    assert "whether it was written, `outlay rules list` shows" in ran.err


async def test_a_rule_that_reached_some_databases_only_is_to_be_set_again(
    outlay: Outlay, two_urls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTLAY_DATABASE_LOCK_TIMEOUT_S", "0.2")
    command = ("rules", "set", "spike_pct", "150")
    connection = await asyncpg.connect(libpq_url(two_urls[1]))
    async with connection.transaction():
        await connection.execute(HEAD)
        ran = await asyncio.to_thread(outlay, *command)
    await connection.close()
    assert ran.code == 1
    assert "in force in database 0 only: give the command again" in ran.err
    assert [await _tenants(url) for url in two_urls] == [["*"], []]
    assert (await asyncio.to_thread(outlay, *command)).code == 0
    assert [await _tenants(url) for url in two_urls] == [["*", "*"], ["*"]]


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(libpq_url(url))
    await connection.execute(statement)
    await connection.close()


async def _tenants(url: str) -> list[str]:
    connection = await asyncpg.connect(libpq_url(url))
    found = await connection.fetch("SELECT tenant_id FROM settings ORDER BY seq")
    await connection.close()
    return [tenant for (tenant,) in found]
