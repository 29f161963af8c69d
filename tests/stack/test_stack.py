"""The servers of the stack come up, survive a kill, and leave nothing behind."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.stack import Stack, Unavailable

_OWN_SESSION = """
import sys
from tests.stack.supervise import run
sys.exit(run([sys.executable, "-c", sys.argv[1]], {}))
"""
_RUNS_UNTIL_A_SIGNAL = """
import sys
from tests.stack.supervise import Interrupted, interruptions, run
try:
    with interruptions():
        run([sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(600)"], {})
except Interrupted as interruption:
    sys.exit(100 + interruption.number)
"""
_LEAVES_AN_ORPHAN = """
import subprocess, sys
print(subprocess.Popen(["sleep", "600"], start_new_session=True, stdout=subprocess.DEVNULL).pid, flush=True)
sys.exit(7)
"""


async def test_a_fresh_database_is_empty_and_writable(database_url: str) -> None:
    connection = await asyncpg.connect(database_url.replace("+asyncpg", ""))
    try:
        assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
        await connection.execute("CREATE TABLE seen (n int)")
    finally:
        await connection.close()


async def test_two_databases_of_a_module_are_apart(database_url: str, module_database_url: str) -> None:
    assert database_url != module_database_url


async def test_a_topic_exists_only_once_made(bootstrap: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        name = f"stack-{time.monotonic_ns()}"
        assert name not in await admin.list_topics()
        await admin.create_topics([NewTopic(name, num_partitions=3, replication_factor=1)])
        assert name in await admin.list_topics()
        await admin.delete_topics([name])
    finally:
        await admin.close()


@pytest.mark.slow
@pytest.mark.postgres
async def test_a_killed_postgres_comes_back_with_what_was_committed(tmp_path: Path) -> None:
    with Stack.private(tmp_path, with_broker=False) as stack:
        url = stack.database_url.replace("+asyncpg", "")
        before = await asyncpg.connect(url)
        await before.execute("CREATE TABLE kept AS SELECT 42 AS n")
        first = stack.postgres_pid

        stack.restart_postgres(kill=True)

        before.terminate()
        after = await asyncpg.connect(url)
        assert await after.fetchval("SELECT n FROM kept") == 42
        await after.close()
        assert not psutil.pid_exists(first)
        last = stack.postgres_pid
    assert not psutil.pid_exists(last)


@pytest.mark.slow
@pytest.mark.kafka
async def test_a_killed_broker_comes_back_with_what_was_acknowledged(tmp_path: Path) -> None:
    with Stack.private(tmp_path, with_postgres=False) as stack:
        admin = AIOKafkaAdminClient(bootstrap_servers=stack.bootstrap)
        await admin.start()
        await admin.create_topics([NewTopic("kept", num_partitions=1, replication_factor=1)])
        await admin.close()
        assert await _sent_offset(stack) == 0

        stack.restart_broker(kill=True)

        assert await _sent_offset(stack) == 1
        last = stack.broker_pid
    assert not psutil.pid_exists(last)


def test_an_absent_server_is_named_with_the_command_that_starts_it() -> None:
    with pytest.raises(Unavailable, match="Apache Kafka is not running; `make up` starts it"):
        _ = Stack().bootstrap


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux hands orphans to a chosen process")
def test_a_supervised_command_leaves_no_process_and_its_exit_code_arrives() -> None:
    command = [sys.executable, "-c", _OWN_SESSION, _LEAVES_AN_ORPHAN]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 7, done.stderr
    assert not psutil.pid_exists(int(done.stdout))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_ends_the_supervised_command_too(number: signal.Signals) -> None:
    command = [sys.executable, "-c", _RUNS_UNTIL_A_SIGNAL]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as supervisor:
        assert supervisor.stdout is not None
        supervised = int(supervisor.stdout.readline())
        assert psutil.pid_exists(supervised)
        supervisor.send_signal(number)
        assert supervisor.wait(30) == 100 + number
    assert not psutil.pid_exists(supervised)


async def _sent_offset(stack: Stack) -> int:
    producer = AIOKafkaProducer(bootstrap_servers=stack.bootstrap, enable_idempotence=True)
    await producer.start()
    try:
        offset: int = (await producer.send_and_wait("kept", b"x")).offset
        return offset
    finally:
        await producer.stop()
