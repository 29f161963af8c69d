"""The programs are run as they stand: what they publish is accepted, and at home."""

import asyncio
import json
import os
import shutil
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer

from drivers.embedded.kafka import embedded_kafka
from drivers.kafka.murmur2 import partition_of
from engines.core.model import Invalid
from engines.cost.decode import CostEvent, decode
from engines.runs import decode as runs
from tests.examples.doors import unanswered

PARTITIONS = 12
LINES = Path("examples/calls.jsonl").read_bytes().splitlines(keepends=True)
RUNS = Path("examples/runs.jsonl").read_bytes().splitlines()
_KCAT = """
import argparse, sys
from confluent_kafka import Producer
options = argparse.ArgumentParser()
options.add_argument("-P", action="store_true", required=True)
for name in "btkz":
    options.add_argument("-" + name, required=True)
options.add_argument("-X", action="append", default=[])
given = options.parse_args()
more = dict(one.split("=", 1) for one in given.X)
producer = Producer({"bootstrap.servers": given.b, "compression.type": given.z, "log_level": 0} | more)
for line in sys.stdin.buffer:
    producer.produce(given.t, line.rstrip(b"\\n"), given.k)
sys.exit(1 if producer.flush(3) else 0)
"""


async def run(*command: str, bootstrap: str, path: str = os.environ["PATH"], given: bytes = b"") -> tuple[int, bytes]:
    """Run a program; return its exit code and what it complained of."""
    around = {**os.environ, "OUTLAY_KAFKA_BOOTSTRAP_SERVERS": bootstrap, "PATH": path}
    program = await asyncio.create_subprocess_exec(*command, env=around, stdin=PIPE, stderr=PIPE)
    _, complaints = await program.communicate(given)
    assert program.returncode is not None
    return program.returncode, complaints


async def events(bootstrap: str, count: int) -> list[CostEvent]:
    """Return the first *count* records, which must be acceptable and at home."""
    found: list[CostEvent] = []
    async with AIOKafkaConsumer("costs", bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        async with asyncio.timeout(30):
            while len(found) < count:
                record = await consumer.getone()
                event = decode(record.value, record.headers, record.timestamp * 1000)
                assert isinstance(event, CostEvent)
                assert record.partition == partition_of(event.tenant_id.encode(), PARTITIONS)
                found.append(event)
    return found


@pytest.mark.parametrize("name", ["publish.py", "publish_confluent.py", "otel_processor.py"])
async def test_a_publisher_sends_a_record_that_is_accepted_to_its_home(name: str) -> None:
    with embedded_kafka({"costs": PARTITIONS}) as bootstrap:
        assert await run(sys.executable, f"examples/{name}", bootstrap=bootstrap) == (0, b"")
        (event,) = await events(bootstrap, 1)
    assert (event.tenant_id, event.user_id, event.input_tokens) == ("globex", "ana", 1200)


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH with kcat, or with a stand-in of the same library where it is not installed."""
    if shutil.which("kcat"):
        return os.environ["PATH"]
    stand_in = tmp_path / "kcat"
    stand_in.write_text(f"#!{sys.executable}\n{_KCAT}")
    stand_in.chmod(0o755)
    return f"{tmp_path}:{os.environ['PATH']}"


async def test_the_shell_script_sends_lines_of_files_or_of_standard_input(tmp_path: Path, path: str) -> None:
    lines = LINES[:20]
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(b"".join(lines[:3]))
    second.write_bytes(b"".join(lines[3:10]))
    script = ("examples/publish.sh", "acme")
    with embedded_kafka({"costs": PARTITIONS}) as bootstrap:
        assert await run(*script, str(first), str(second), bootstrap=bootstrap, path=path) == (0, b"")
        assert await run(*script, bootstrap=bootstrap, path=path, given=b"".join(lines[10:])) == (0, b"")
        found = await events(bootstrap, 20)
    assert [event.id for event in found] == [json.loads(line)["id"] for line in lines]


async def test_the_shell_script_sends_runs_to_their_topic(path: str) -> None:
    script = ("env", "TOPIC=runs", "examples/publish.sh", "acme", "examples/runs.jsonl")
    with embedded_kafka({"runs": PARTITIONS}) as bootstrap:
        assert await run(*script, bootstrap=bootstrap, path=path) == (0, b"")
        async with AIOKafkaConsumer("runs", bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
            async with asyncio.timeout(30):
                found = [await consumer.getone() for _ in RUNS]
    assert [record.value for record in found] == RUNS
    refused = [one for record in found if isinstance(one := runs.decode(record.value, (), 1 << 62), Invalid)]
    assert refused == [Invalid("worker_id", "is missing or null")]


async def test_the_shell_script_says_when_it_could_not_send(path: str, tmp_path: Path) -> None:
    code, _ = await run("examples/publish.sh", "acme", bootstrap=unanswered(), path=path, given=b"{}\n")
    assert code != 0
    code, _ = await run("examples/publish.sh", "acme", str(tmp_path / "none"), bootstrap=unanswered(), path=path)
    assert code != 0
    code, complaint = await run("examples/publish.sh", bootstrap=unanswered(), path=path)
    assert code != 0
    assert b"TENANT" in complaint
