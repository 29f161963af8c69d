"""A running worker judges by what is set while it runs, within seconds, and takes back what no longer holds."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from drivers.postgres.connections import libpq_url
from engines.core.time import US_PER_DAY, US_PER_SECOND, format_instant
from tests.stack import Stack
from tests.streams.test_cli_worker import Outlay

PATIENCE_S = 30.0
TOLD = "SELECT status, anomaly_type FROM anomalies WHERE tenant_id = 'acme' AND revision > $1"
NEWEST = "SELECT coalesce(max(revision), 0) FROM anomalies WHERE tenant_id = 'acme'"


async def spend(bootstrap: str, at_us: int, cents: int) -> None:
    """Publish one record of acme."""
    body = {
        "id": f"{at_us}",
        "tenant_id": "acme",
        "occurred_at": format_instant(at_us),
        "model": "m",
        "input_tokens": 1,
        "output_tokens": 1,
        "cost_cents": cents,
    }
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        await producer.send("costs", json.dumps(body).encode(), key=b"acme")


async def newer(database: Any, revision: int) -> set[tuple[str, str]]:
    """Return status and type of what was told after *revision*, once something was."""
    async with asyncio.timeout(PATIENCE_S):
        while not (found := await database.fetch(TOLD, revision)):  # noqa: ASYNC110 - another process does it
            await asyncio.sleep(0.1)
    return {(status, kind) for status, kind in found}


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.kafka
async def test_a_budget_set_and_removed_while_a_worker_runs(tmp_path: Path) -> None:
    at_us = int(time.time()) * US_PER_SECOND
    since = ("--effective-from", format_instant(at_us // US_PER_DAY * US_PER_DAY))
    acme = ("--tenant", "acme", "--type", "tenant")
    with Stack.private(tmp_path / "stack") as stack:
        outlay = Outlay(stack.database_url, stack.bootstrap, tmp_path)
        assert outlay.run("migrate").returncode == 0
        assert outlay.run("topics", "apply").returncode == 0
        database = await asyncpg.connect(libpq_url(stack.database_url))
        with outlay.worker(OUTLAY_SETTINGS_POLL_S="60"):
            await spend(stack.bootstrap, at_us, 1_000)
            outlay.settled(1)
            assert await database.fetchval(NEWEST) == 0
            for arguments, told in (
                (("set", *acme, "--daily-usd", "12"), {("provisional", "BUDGET_WARNING")}),
                (("set", *acme, "--daily-usd", "10"), {("provisional", "BUDGET_EXCEEDED")}),
                (("remove", *acme), {("withdrawn", "BUDGET_EXCEEDED")}),
            ):
                revision = await database.fetchval(NEWEST)
                ran = outlay.run("budgets", *arguments, *since)
                assert ran.returncode == 0, ran.stderr
                assert await newer(database, revision) == told
            assert outlay.status()["published"]["cost-anomaly-facts"] >= 2
        await database.close()
        assert "Traceback" not in outlay.log
