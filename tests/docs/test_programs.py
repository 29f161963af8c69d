"""The example programs do what the documents say of them, on the embedded broker."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from drivers.embedded.kafka import embedded_kafka
from drivers.kafka.murmur2 import partition_of
from engines.cost.decode import CostEvent, decode
from tests.docs.documents import DOCUMENTS
from tests.examples.doors import unanswered

PARTITIONS = 12
FACTS = "cost-anomaly-facts"


def surroundings(bootstrap: str) -> dict[str, str]:
    return {**os.environ, "OUTLAY_KAFKA_BOOTSTRAP_SERVERS": bootstrap}


def fact(anomaly_id: str, revision: int, status: str) -> bytes:
    line = {"anomaly_id": anomaly_id, "revision": revision, "status": status, "message": "spent more"}
    return json.dumps(line).encode()


async def test_the_publisher_sends_a_record_that_is_accepted_to_its_home() -> None:
    with embedded_kafka({"costs": PARTITIONS}) as bootstrap:
        program = await asyncio.create_subprocess_exec(
            sys.executable, "examples/publish.py", env=surroundings(bootstrap), stderr=PIPE
        )
        _, complaints = await program.communicate()
        assert (program.returncode, complaints) == (0, b"")
        async with AIOKafkaConsumer("costs", bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
            record = await consumer.getone()
        event = decode(record.value, record.headers, record.timestamp * 1000)
        assert isinstance(event, CostEvent)
        assert record.partition == partition_of(event.tenant_id.encode(), PARTITIONS)


async def test_a_publisher_that_lost_its_record_says_so_by_its_exit_code() -> None:
    async def complaints(program: str) -> tuple[int | None, bytes]:
        running = await asyncio.create_subprocess_exec(
            sys.executable, program, env=surroundings(unanswered()), stderr=PIPE
        )
        _, said = await running.communicate()
        return running.returncode, said

    programs = ("examples/publish.py", "examples/publish_confluent.py")
    for code, said in await asyncio.gather(*map(complaints, programs)):
        assert code == 1
        assert b"1 cost records are lost so far" in said


async def test_the_reader_of_facts_tells_of_higher_revisions_only() -> None:
    with embedded_kafka({FACTS: 1}) as bootstrap:
        async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
            for revision, status in ((4, "provisional"), (4, "provisional"), (2, "withdrawn"), (9, "final")):
                await producer.send_and_wait(FACTS, fact("ca_1", revision, status), key=b"ca_1")
        program = await asyncio.create_subprocess_exec(
            sys.executable, "examples/facts.py", env=surroundings(bootstrap), stdout=PIPE
        )
        try:
            assert program.stdout is not None
            told = [await asyncio.wait_for(program.stdout.readline(), 30) for _ in range(2)]
        finally:
            program.kill()
            await program.wait()
        assert told == [b"provisional ca_1 4 spent more\n", b"final ca_1 9 spent more\n"]


@pytest.mark.parametrize("program", sorted(Path("examples").glob("*.py")), ids=str)
def test_a_document_tells_of_each_program(program: Path) -> None:
    assert any(
        f"({relative / program})" in document.read_text() or f"python {program}" in document.read_text()
        for document, relative in ((one, Path("..") if one.parent.name == "docs" else Path()) for one in DOCUMENTS)
    )
