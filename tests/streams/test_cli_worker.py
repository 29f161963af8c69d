"""Real ``outlay`` processes on a real broker and database."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest
from aiokafka import AIOKafkaProducer

from drivers.embedded.processes import free_port
from drivers.postgres.schema_version import NEWEST
from engines.core.time import US_PER_SECOND, format_instant
from tests.stack import Stack

OUTLAY = [sys.executable, "-c", "from streams.cli import main; main()"]
RECORDS = 3_000
PATIENCE_S = 60.0
T = TypeVar("T")


class Outlay:
    """The commands of one deployment: a broker and a database of its own."""

    def __init__(self, database_url: str, bootstrap: str, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OUTLAY_")}
        self.environment = kept | {
            "OUTLAY_DATABASE_URL": database_url,
            "OUTLAY_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
            "OUTLAY_METRICS_PORT": str(self.port),
            "OUTLAY_SESSION_TIMEOUT_S": "6",
        }

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [*OUTLAY, *arguments],
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    @contextmanager
    def worker(self, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a worker; it is killed when the block leaves it running. Its log is ``log``."""
        with (self._folder / "worker.log").open("wb") as log:
            process = subprocess.Popen([*OUTLAY, "worker"], env=self.environment | environment, stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    @property
    def log(self) -> str:
        """What the last worker said."""
        return (self._folder / "worker.log").read_text()

    def status(self) -> dict[str, Any]:
        """Return ``outlay status --json``."""
        ran = self.run("status", "--json")
        assert ran.returncode == 0, ran.stderr
        found: dict[str, Any] = json.loads(ran.stdout)
        return found

    def settled(self, events: int) -> dict[str, Any]:
        """Return the status once *events* records are taken in and all messages are published."""

        def reached() -> bool | None:
            with suppress(urllib.error.URLError):  # not up yet
                metrics = scrape(self.port)
                done = metrics.get("outlay_events_total", 0) >= events and not metrics["outlay_pending_outbox"]
                return done or None
            return None

        eventually(reached)
        return eventually(self._published)

    def _published(self) -> dict[str, Any] | None:
        """Return the status unless an acknowledgement still travels: it does so with a commit of its own."""
        status = self.status()
        return None if any(line["unpublished"] for line in status["partitions"]) else status


def eventually(look: Callable[[], T | None]) -> T:
    """Return the first answer of *look* that is not None."""
    deadline = time.monotonic() + PATIENCE_S
    while (found := look()) is None:
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.2)
    return found


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """Servers that only this test uses: workers read one topic, and it stops them."""
    with Stack.private(tmp_path / "stack") as stack:
        yield stack


@pytest.fixture
def outlay(stack: Stack, tmp_path: Path) -> Outlay:
    """A deployment whose servers run; nothing is migrated or applied yet."""
    return Outlay(stack.database_url, stack.bootstrap, tmp_path)


def record(number: int) -> tuple[bytes, bytes]:
    """Return key and value: 40 tenants; each hundredth record is bad, each thirtieth a copy."""
    tenant = f"tenant-{number % 40}"
    body = {
        "id": f"e{number - 40 if number % 30 == 0 and number >= 40 else number}",
        "tenant_id": tenant,
        "occurred_at": format_instant(int(time.time() // 3600 * 3600 - 7200) * US_PER_SECOND),
        "model": "no-such-model" if number % 7 == 0 else "gpt-4o",
        "input_tokens": 1000,
        "output_tokens": 10,
    }
    return tenant.encode(), b"{bad" if number % 100 == 99 else json.dumps(body).encode()


async def publish(bootstrap: str, numbers: range) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        for number in numbers:
            key, value = record(number)
            await producer.send("costs", value, key=key)


def expected(numbers: range) -> Mapping[str, int]:
    values = [record(number)[1] for number in numbers]
    good = [json.loads(value) for value in values if value != b"{bad"]
    ids = {(body["tenant_id"], body["id"]) for body in good}
    return {"accepted": len(ids), "duplicates": len(good) - len(ids), "dead": len(values) - len(good)}


def totals(status: Mapping[str, Any]) -> dict[str, int]:
    return {name: sum(line[name] for line in status["partitions"]) for name in ("accepted", "duplicates", "dead")}


def scrape(port: int) -> dict[str, float]:
    """Return metric names and the sums of their samples."""
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
    sums: dict[str, float] = {}
    for line in text.splitlines():
        if line.startswith("outlay_"):
            name, value = line.partition("{")[0], float(line.rpartition(" ")[2])
            sums[name] = sums.get(name, 0.0) + value
    return sums


def _refused_until_prepared(outlay: Outlay) -> None:
    """Start in the wrong order: each step says which one is missing."""
    refused = outlay.run("worker")
    assert (refused.returncode, "run `outlay migrate`" in refused.stderr) == (2, True)
    assert outlay.run("migrate").stdout == f"the database is at revision {NEWEST:04d}\n"
    refused = outlay.run("worker")
    assert (refused.returncode, "run `outlay topics apply`" in refused.stderr) == (2, True)
    assert "costs: created" in outlay.run("topics", "apply").stdout
    assert "costs: is as it should be" in outlay.run("topics", "apply").stdout
    assert {"topic": "costs", "created": False} in json.loads(outlay.run("topics", "apply", "--json").stdout)
    assert outlay.run("status").stdout.startswith("No partition has been claimed yet")


def _stopped(worker: subprocess.Popen[bytes], number: signal.Signals = signal.SIGTERM) -> bool:
    """Tell the worker to stop and return whether it did, in time and with success."""
    began = time.monotonic()
    worker.send_signal(number)
    return worker.wait(PATIENCE_S) == 0 and time.monotonic() - began < 10


@pytest.mark.slow
async def test_a_deployment_from_nothing_to_a_clean_stop(outlay: Outlay, stack: Stack) -> None:
    _refused_until_prepared(outlay)
    numbers = range(RECORDS)
    dead = expected(numbers)["dead"]
    with outlay.worker() as worker:
        await publish(stack.bootstrap, numbers)
        status = outlay.settled(RECORDS)
        assert status["adds_up"]
        assert totals(status) == expected(numbers)
        assert status["published"] == {"dead-letters": dead}
        assert {line["lag"] for line in status["partitions"]} == {0}
        assert sum(sum(line["unpriced"].values()) for line in status["partitions"]) > 0

        metrics = scrape(outlay.port)
        assert metrics["outlay_events_total"] == metrics["outlay_records_total"] == RECORDS
        assert metrics["outlay_messages_total"] == dead
        assert metrics["outlay_assigned_partitions"] == metrics["outlay_claimed"] == 2 * 12, "of costs and of runs"
        assert metrics["outlay_pending_records"] == 0

        shown = outlay.run("status").stdout
        assert "accepted + duplicates + dead + late + forwarded = events" in shown
        assert f"published to dead-letters: {dead}" in shown
        assert _stopped(worker)
    assert "Traceback" not in outlay.log
    rows = json.loads(outlay.run("positions", "list", "--json").stdout)
    assert [row["released"] for row in rows] == [True] * 24


@pytest.mark.slow
async def test_a_position_set_back_reads_records_again_and_counts_none_twice(outlay: Outlay, stack: Stack) -> None:
    outlay.run("migrate")
    outlay.run("topics", "apply")
    numbers = range(500)
    await publish(stack.bootstrap, numbers)
    with outlay.worker() as worker:
        status = outlay.settled(len(numbers))
        assert _stopped(worker)
    busiest = max(status["partitions"], key=lambda line: int(line["events"]))
    accept = ("positions", "accept", "costs", str(busiest["partition"]))
    beyond = outlay.run(*accept, "--offset", "999999", "--yes")
    assert (beyond.returncode, "lies outside the log" in beyond.stderr) == (1, True)
    assert outlay.run(*accept, "--earliest", "--latest").returncode == 2
    assert outlay.run(*accept, "--earliest").returncode == 1  # nobody said yes
    assert outlay.status() == status
    back = outlay.run(*accept, "--earliest", "--yes")
    assert (back.returncode, "next offset 0" in back.stdout) == (0, True)
    with outlay.worker() as worker:
        again = outlay.settled(len(numbers) + busiest["events"])
        assert again["adds_up"]
        assert totals(again)["accepted"] == expected(numbers)["accepted"]
        assert _stopped(worker, signal.SIGINT)


@pytest.mark.slow
async def test_a_worker_waits_for_broker_and_database_and_then_works(outlay: Outlay, stack: Stack) -> None:
    outlay.run("migrate")
    outlay.run("topics", "apply")
    await publish(stack.bootstrap, range(100))
    stack.stop_postgres()
    stack.stop_broker()
    with outlay.worker() as worker:
        eventually(lambda: outlay.log.count("waiting for database") >= 2 or None)
        away = outlay.run("status")
        assert (away.returncode, "Traceback" in away.stderr) == (1, False)
        stack.start_postgres()
        eventually(lambda: outlay.log.count("waiting for the broker") >= 2 or None)
        assert "Traceback" not in outlay.log
        assert all(len(line) < 300 for line in outlay.log.splitlines())
        stack.start_broker()
        assert totals(outlay.settled(100)) == expected(range(100))
        assert _stopped(worker)


@pytest.mark.slow
async def test_too_many_dead_letters_end_the_worker_with_a_reason(outlay: Outlay, stack: Stack) -> None:
    outlay.run("migrate")
    outlay.run("topics", "apply")
    async with AIOKafkaProducer(bootstrap_servers=stack.bootstrap) as producer:
        for _ in range(200):
            await producer.send("costs", b"{bad", key=b"tenant")
    with outlay.worker(OUTLAY_DEAD_LETTERS_MAX="50") as worker:
        assert worker.wait(PATIENCE_S) == 1
    assert "200 of 200 records are dead letters" in outlay.log.splitlines()[-1]
    assert "Traceback" not in outlay.log


async def test_a_worker_that_waits_stops_at_once_when_it_is_told(database_url: str, tmp_path: Path) -> None:
    outlay = Outlay(database_url, f"127.0.0.1:{free_port()}", tmp_path)
    assert outlay.run("migrate").returncode == 0
    with outlay.worker(OUTLAY_METRICS_PORT="0") as worker:
        eventually(lambda: "waiting for the broker" in outlay.log or None)
        assert _stopped(worker)


def test_wrong_settings_stop_every_command_with_one_line(tmp_path: Path) -> None:
    outlay = Outlay("postgresql://u:hush@127.0.0.1:1/x", "127.0.0.1:1", tmp_path)
    for command in (("worker",), ("migrate",), ("status",), ("topics", "apply"), ("positions", "list")):
        ran = outlay.run(*command, OUTLAY_METRICS_PORT="many")
        assert (ran.returncode, ran.stdout) == (2, "")
        assert ran.stderr.startswith("outlay: OUTLAY_METRICS_PORT: ")
        assert ran.stderr.count("\n") == 1
