"""``outlay publish`` on a real broker: what arrives where, and what is said of what does not."""

import asyncio
import gzip
import json
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from drivers.kafka.admin import apply
from drivers.kafka.connection import KafkaConnection
from drivers.kafka.murmur2 import partition_of
from drivers.topics import load
from tests.streams.commands import run

PARTITIONS = 4
SERVERS = "OUTLAY_KAFKA_BOOTSTRAP_SERVERS"


@pytest.fixture
def topic(bootstrap: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(SERVERS, bootstrap)
    name = f"publish-{uuid.uuid4().hex}"
    changes = {"name": name, "partitions": PARTITIONS, "max_message_bytes": 50_000}
    asyncio.run(apply([load().named("costs").model_copy(update=changes)], KafkaConnection(bootstrap)))
    return name


def records(bootstrap: str, topic: str) -> list[list[tuple[bytes | None, bytes]]]:
    """Return (key, value) of every record, by partition."""

    async def read() -> list[list[tuple[bytes | None, bytes]]]:
        places = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
        async with AIOKafkaConsumer(bootstrap_servers=bootstrap, fetch_max_wait_ms=50) as consumer:
            consumer.assign(places)
            await consumer.seek_to_beginning(*places)
            ends = await consumer.end_offsets(places)
            found: list[list[tuple[bytes | None, bytes]]] = [[] for _ in places]
            while sum(map(len, found)) < sum(ends.values()):
                for place, fetched in (await consumer.getmany(timeout_ms=500)).items():
                    found[place.partition] += [(record.key, record.value) for record in fetched]
            return found

    return asyncio.run(asyncio.wait_for(read(), 30))


def event(tenant: str, second: int, **members: object) -> bytes:
    at = f"2026-03-01T00:{second // 60:02d}:{second % 60:02d}Z"
    return json.dumps({"id": f"{tenant}-{second}", "tenant_id": tenant, "occurred_at": at, **members}).encode()


def write(path: Path, lines: Sequence[bytes]) -> Path:
    content = b"\n".join(lines) + b"\n"
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def test_several_files_arrive_merged_by_time_at_home_and_unchanged(
    bootstrap: str, topic: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    tenants = ["acme", "globex", "ünïcode", "initech", "hooli"]
    lines = [event(tenants[second % 5], second, text=' \\u00e9 "') + b" " for second in range(1500)]
    first = write(tmp_path / "a.jsonl", lines[0::3])
    second = write(tmp_path / "b.jsonl.gz", [b"", *lines[1::3]])
    third = write(tmp_path / "c.jsonl", lines[2::3])
    ran = run(capfd, "publish", third, first, second, "--topic", topic)
    assert (ran.code, ran.err) == (0, "")
    assert re.fullmatch(rf"{topic}: 1500 sent, 0 failed, [0-9.]+ s, [0-9,]+ events/s\n", ran.out)
    found = records(bootstrap, topic)
    for partition in range(PARTITIONS):
        mine = [
            (tenants[second % 5].encode(), line)
            for second, line in enumerate(lines)
            if partition_of(tenants[second % 5].encode(), PARTITIONS) == partition
        ]
        assert found[partition] == mine


def test_what_the_broker_refuses_is_named_by_file_and_line_and_the_rest_goes_on(
    bootstrap: str, topic: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    noise = "".join(chr(0x4E00 + (n * 7919 + n * n) % 20_000) for n in range(60_000))
    lines = [event("acme", second, **({"pad": noise} if second in {7, 30} else {})) for second in range(50)]
    path = write(tmp_path / "large.jsonl", [b"", *lines])
    ran = run(capfd, "publish", path, "--topic", topic)
    assert ran.code == 1
    assert ran.out.startswith(f"{topic}: 48 sent, 2 failed, ")
    assert ran.err.splitlines() == [
        f"{path}:{number}: not published: larger than the topic allows ({len(lines[number - 2])} bytes)"
        for number in (9, 32)
    ]
    arrived = [value for partition in records(bootstrap, topic) for _, value in partition]
    assert arrived == [line for second, line in enumerate(lines) if second not in {7, 30}]


def test_what_was_read_of_a_broken_file_is_published_and_the_exit_code_tells(
    bootstrap: str, topic: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = gzip.compress(b"\n".join(event("acme", second % 3600, n=second * 7919) for second in range(20_000)))
    path = tmp_path / "cut.jsonl.gz"
    path.write_bytes(whole[:-100])
    ran = run(capfd, "publish", path, "--topic", topic)
    assert ran.code == 1
    told = re.fullmatch(rf"outlay: stopped: {path}: unreadable after line ([0-9]+): .+\n", ran.err)
    assert told is not None
    assert ran.out.startswith(f"{topic}: {told[1]} sent, 0 failed, ")
    assert sum(map(len, records(bootstrap, topic))) == int(told[1])


def test_without_a_broker_it_tries_a_few_times_and_says_so(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SERVERS, "127.0.0.1:1")
    ran = run(capfd, "publish", write(tmp_path / "a.jsonl", [event("acme", 1)]))
    assert (ran.code, ran.out) == (1, "")
    told = ran.err.splitlines()
    assert len(told) > 1
    assert all(line.startswith("outlay: Kafka at 127.0.0.1:1: ") for line in told)
    assert [line.endswith("trying again") for line in told] == [True] * (len(told) - 1) + [False]


def test_a_missing_file_and_a_missing_topic_are_one_line(
    bootstrap: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SERVERS, bootstrap)
    ran = run(capfd, "publish", tmp_path / "nowhere.jsonl")
    assert (ran.code, ran.err) == (1, f"outlay: {tmp_path / 'nowhere.jsonl'}: No such file or directory\n")
    path = write(tmp_path / "a.jsonl", [event("acme", 1)])
    ran = run(capfd, "publish", path, "--topic", "no-such-topic")
    assert ran.code == 2
    assert ran.err.startswith("outlay: there is no topic 'no-such-topic': ")


def test_standard_input_is_published_as_it_comes_and_an_interrupt_ends_it_in_order(bootstrap: str, topic: str) -> None:
    command = [sys.executable, "-c", "from streams.cli import main; main()", "publish", "-", "--topic", topic]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdin is not None
        lines = [event("acme", second) for second in range(25)]
        process.stdin.write(b"\n".join(lines) + b"\n" + b'{"begun": ')
        process.stdin.flush()
        deadline_s = time.monotonic() + 60
        while sum(map(len, records(bootstrap, topic))) < len(lines) and time.monotonic() < deadline_s:
            pass
        process.send_signal(signal.SIGINT)
        process.wait(20)  # while the pipe is still open, and a line half read
        out, err = process.communicate()
    assert process.returncode == 130
    assert out.decode().startswith(f"{topic}: 25 sent, 0 failed, ")
    assert out.decode().endswith(", interrupted\n")
    assert err.decode() == "outlay: stopping after what is on its way\n"
    assert [value for partition in records(bootstrap, topic) for _, value in partition] == lines


def test_a_rate_holds_it_back(bootstrap: str, topic: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "a.jsonl", [event("acme", second) for second in range(60)])
    ran = run(capfd, "publish", path, "--topic", topic, "--rate", "100")
    seconds = re.fullmatch(rf"{topic}: 60 sent, 0 failed, ([0-9.]+) s, [0-9,]+ events/s\n", ran.out)
    assert seconds is not None
    assert float(seconds[1]) >= 0.5
    assert sum(map(len, records(bootstrap, topic))) == 60


def test_the_summary_can_be_had_as_json(topic: str, capfd: pytest.CaptureFixture[str]) -> None:
    ran = run(capfd, "publish", "examples/budgets.jsonl", "--topic", topic, "--json")
    told = ran.summary
    assert told.pop("seconds") >= 0
    assert (ran.code, told) == (0, {"topic": topic, "sent": 2, "failed": 0, "interrupted": False})


def test_lines_that_name_no_tenant_are_published_and_told_of(
    bootstrap: str, topic: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path / "notes.md", [b"# no record", event("acme", 1), b'{"id":"1"}'])
    ran = run(capfd, "publish", file, "--topic", topic)
    assert ran.code == 0
    assert ran.err.startswith("outlay: 2 lines name no tenant: workers refuse such records")
    assert sum(map(len, records(bootstrap, topic))) == 3
