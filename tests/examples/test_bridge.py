"""The bridge as a program, on the embedded broker: it is ended, started again, and has told everything once."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from incidents import incident_id

from drivers.embedded.kafka import embedded_kafka
from tests.docs.documents import blocks
from tests.examples.facts import value
from tests.streams.commands import run

FACTS = "cost-anomaly-facts"


async def started(bootstrap: str, folder: Path, *options: str) -> Process:
    return await asyncio.create_subprocess_exec(
        *[sys.executable, "examples/bridge", "--ledger", str(folder / "ledger"), *options],
        env={**os.environ, "OUTLAY_KAFKA_BOOTSTRAP_SERVERS": bootstrap},
        stdout=PIPE,
        stderr=PIPE,
    )


async def once(bootstrap: str, folder: Path, *options: str) -> tuple[list[str], str]:
    """Run it to the end of the topic; return what it told and what it logged."""
    program = await started(bootstrap, folder, "--once", *options)
    out, err = await asyncio.wait_for(program.communicate(), 60)
    assert program.returncode == 0, err
    return out.decode().splitlines(), err.decode()


async def send(bootstrap: str, *values: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        for number, one in enumerate(values):
            await producer.send_and_wait(FACTS, one, partition=number % 3)


async def test_it_tells_of_each_incident_once_over_restarts(tmp_path: Path) -> None:
    first, second = incident_id("ep_1"), incident_id("ep_2")
    high = value(entity_type="user", entity_id="ben", tenant_episode_id="ep_1", episode_id="ep_2", anomaly_id="ca_2")
    with embedded_kafka({FACTS: 3}) as bootstrap:
        await send(
            bootstrap,
            value(status="provisional", revision=4),
            high,
            value(severity="MEDIUM", anomaly_id="ca_3", episode_id="ep_3"),
        )
        told, logged = await once(bootstrap, tmp_path)
        spent = "2025-09-09 +37.38 USD RETRY_LOOP"
        assert sorted(told) == sorted(
            [
                f"opened   {first} cost_spike high acme tenant acme {spent} so far",
                f"opened   {second} cost_spike high acme user ben {spent} (part of {first})",
            ]
        )
        assert logged == ""
        assert await once(bootstrap, tmp_path) == ([], "")
        await send(bootstrap, b"{}", high, value(status="withdrawn", revision=160), value(revision=4))
        told, logged = await once(bootstrap, tmp_path)
        assert told == [f"resolved {first} cost_spike high acme tenant acme {spent} withdrawn"]
        assert "cost-anomaly-facts/0/1 holds no fact: KeyError" in logged


def test_what_the_document_shows_comes_of_the_example(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(capfd, "replay", "--in-memory", "examples/calls.jsonl", "--facts", tmp_path / "facts").code == 0
    facts = (tmp_path / "facts").read_bytes().splitlines()

    async def told() -> list[str]:
        with embedded_kafka({FACTS: 3}) as bootstrap:
            await send(bootstrap, *facts)
            return (await once(bootstrap, tmp_path))[0]

    shown = [line for block in blocks(Path("docs/consuming.md"), "") for line in block.text.splitlines()]
    assert set(shown) & set(asyncio.run(told()))


async def test_it_goes_on_after_it_was_killed(tmp_path: Path) -> None:
    with embedded_kafka({FACTS: 3}) as bootstrap:
        await send(bootstrap, value(status="provisional", revision=4))
        program = await started(bootstrap, tmp_path)
        assert program.stdout is not None
        line = await asyncio.wait_for(program.stdout.readline(), 60)
        program.send_signal(signal.SIGKILL)
        await program.wait()
        assert line.startswith(b"opened")
        await send(bootstrap, value())
        told, _ = await once(bootstrap, tmp_path)
    assert [one.split()[0] for one in told] in (
        ["updated"],
        ["opened", "updated"],
    )  # killed before it noted that it told


@pytest.mark.parametrize("text", [None, '{"conditions":"COST_ANOMALY"}', "[1]", "no JSON"])
async def test_a_file_of_rules_that_holds_none_is_told_of_in_a_line(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "rules.jsonl"
    if text is not None:
        path.write_text(text)
    program = await started("127.0.0.1:1", tmp_path, "--rules", str(path))
    _, err = await asyncio.wait_for(program.communicate(), 60)
    assert program.returncode == 2
    assert f"error: --rules {path}: " in err.decode()
    assert "Traceback" not in err.decode()


async def test_a_rule_silences_what_comes_while_it_is_in_force(tmp_path: Path) -> None:
    rules = tmp_path / "rules.jsonl"
    rules.write_text('{"tenant_id":"acme","conditions":"COST_ANOMALY_ABSOLUTE_SPIKE"}\n')
    with embedded_kafka({FACTS: 3}) as bootstrap:
        await send(bootstrap, value())
        assert await once(bootstrap, tmp_path, "--rules", str(rules)) == ([], "")
        await send(bootstrap, value(revision=159))
        told, _ = await once(bootstrap, tmp_path)
    assert [one.split()[0] for one in told] == ["opened"]


async def test_ctrl_c_ends_it_quietly(tmp_path: Path) -> None:
    with embedded_kafka({FACTS: 3}) as bootstrap:
        await send(bootstrap, value())
        program = await started(bootstrap, tmp_path)
        assert program.stdout is not None
        await asyncio.wait_for(program.stdout.readline(), 60)
        program.send_signal(signal.SIGINT)
        _, err = await asyncio.wait_for(program.communicate(), 60)
    assert (program.returncode, err) == (0, b"")
