"""Refused records: found, shown, sent again; and too many of them stop the worker until somebody has looked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from engines.core.model import Invalid, LogRecord, Outgoing
from streams import fates
from tests import oracle
from tests.end_to_end import broker, database
from tests.end_to_end.deployment import PARTITIONS, PATIENCE_S, Deployment
from tests.end_to_end.test_bad_input import TENANT, good, with_text
from tests.streams.commands import Ran, run

HOME = oracle.home(TENANT, PARTITIONS)
_OLD = good(7).replace(b"2026-03-01", b"2025-12-01")
_LATE = good(8).replace(b"2026-03-01", b"2026-02-20")
_NEW = good(9).replace(b"2026-03-01", b"2026-03-02")


class DeadLetters:
    """``outlay dead-letters …`` on a deployment, in this process."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd

    def run(self, *arguments: str) -> Ran:
        """Run a command to its end."""
        return run(self._capfd, "dead-letters", *arguments)

    def told(self, *arguments: str) -> list[dict[str, Any]]:
        """Return the JSON array that a command prints."""
        ran = self.run(*arguments, "--json")
        assert ran.out, ran.err
        found: list[dict[str, Any]] = json.loads(ran.out)
        return found


@pytest.fixture
def letters(deployment: Deployment, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> DeadLetters:
    for name, value in deployment.environment.items():
        if name.startswith("OUTLAY_"):
            monkeypatch.setenv(name, value)
    return DeadLetters(capfd)


async def send(bootstrap: str, values: Sequence[bytes], partition: int = HOME) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        for value in values:
            await producer.send_and_wait("costs", value, b"any key", partition, headers=[("trace", b"\xff")])


def letter(offset: int, value: bytes) -> Outgoing:
    """Return a letter of a record that an earlier version could not read."""
    record = LogRecord(offset, 1_000, b"any key", value, [("trace", b"\xff")])
    return fates.dead_letter("costs", (HOME + 1) % PARTITIONS, record, Invalid(None, "ZeroDivisionError: a bug\nat …"))


async def leave(bootstrap: str, left: Sequence[Outgoing]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        for one in left:
            await producer.send_and_wait(one.topic, one.value, one.key, 0, headers=list(one.headers))


def test_refused_records_are_found_shown_and_sent_again(deployment: Deployment, letters: DeadLetters) -> None:
    foreign = (HOME + 1) % PARTITIONS
    place = [f"costs/{foreign}/{900 + n}" for n in range(4)]
    asyncio.run(send(deployment.bootstrap, [good(1), b"{bad \x1b[31m", with_text("cost_cents", b"-1"), _NEW]))
    with deployment.worker():
        deployment.reached(4)
        values = [good(1), _NEW.replace(b'"e9"', b'"e10"'), _LATE, _OLD]
        asyncio.run(leave(deployment.bootstrap, [letter(900 + n, value) for n, value in enumerate(values)]))
        deployment.eventually(lambda: len(letters.told("list")) == 6 or None, "all letters are there")

        found = letters.told("list", "--field", "cost_cents", "--since", "1h", "--topic", "costs")
        assert [(one["place"], one["reason"]) for one in found] == [(f"costs/{HOME}/2", found[0]["reason"])]
        assert {one["place"] for one in letters.told("list", "--reason", "zerodivision")} == set(place)
        assert len(letters.told("list", "--limit", "2")) == 2
        assert "\x1b" not in letters.run("list").out
        shown = letters.run("show", f"costs/{HOME}/1").out
        assert ("{bad \N{REPLACEMENT CHARACTER}[31m" in shown, "base64 /w==" in shown) == (True, True)
        assert "at …" in letters.run("show", place[0]).out
        missing = letters.run("show", "costs/0/12345")
        told = "outlay: there is no dead letter of costs/0/12345: `outlay dead-letters list` shows the newest\n"
        assert (missing.code, missing.err) == (1, told)

        planned = letters.told("retry", "--all", "--reason", "ZeroDivision", "--dry-run")
        assert {one["fate"] for one in planned} == {f"would be sent to costs/{HOME}"}
        assert deployment.events == 4

        outcome = {one["place"]: one["fate"] for one in letters.told("retry", place[1], place[2], place[3])}
        assert outcome == {
            place[1]: "accepted",
            place[2]: "accepted, corrects a closed day",
            place[3]: "late, not counted: too_old",
        }
        assert letters.told("retry", place[0])[0]["fate"] == "duplicate"
        again = letters.run("retry", "--all", "--field", "cost_cents")
        assert (again.code, "dead again: " in again.out) == (1, True)
        after = letters.told("list", "--field", "cost_cents")
        assert [one["origin"] for one in after] == [f"costs/{HOME}/2"] * 2
        assert len(letters.told("retry", "--all", "--field", "cost_cents", "--dry-run")) == 1
        counted = letters.run("retry", "--all", "--reason", "zerodivision", "--since", "2000-01-01")
        assert counted.code == 1  # the one that is too old

    sent = [record for record in broker.read(deployment.bootstrap, "costs") if record.offset > 3]
    assert {record.partition for record in sent} == {HOME}
    assert {record.key for record in sent} == {b"any key"}
    assert [dict(record.headers)["outlay-retried-from"].decode() for record in sent[:3]] == place[1:]
    assert all(record.headers[0] == ("trace", b"\xff") for record in sent)


def test_a_retry_that_no_worker_takes_in_says_so_and_wrong_usage_sends_nothing(
    deployment: Deployment, letters: DeadLetters
) -> None:
    asyncio.run(leave(deployment.bootstrap, [letter(900, good(1))]))
    place = f"costs/{(HOME + 1) % PARTITIONS}/900"
    for wrong in ([], [place, "--all"], [place, "--field", "model"], ["costs/x"], ["--all", "--since", "soon"]):
        assert letters.run("retry", *wrong).code == 2
    assert letters.run("retry", place, "costs/0/1").code == 1
    assert broker.read(deployment.bootstrap, "costs") == []
    ran = letters.run("retry", place, "--wait", "1")
    assert (ran.code, "not taken in yet" in ran.out) == (1, True)
    assert len(broker.read(deployment.bootstrap, "costs")) == 1


def test_a_topic_of_nothing_but_poison_stops_the_worker_until_the_limit_is_raised(
    deployment: Deployment, letters: DeadLetters
) -> None:
    poison = 300
    asyncio.run(send(deployment.bootstrap, [b"{bad"] * poison))
    with deployment.worker(dead_letters_max=100, chunk_records=50) as worker:
        worker.told_to_end = True  # by its limit
        assert worker.process.wait(PATIENCE_S) == 1
        last = worker.said.splitlines()[-1]
        assert (
            "records are dead letters: see `outlay dead-letters list`; to go on, raise OUTLAY_DEAD_LETTERS_MAX" in last
        )
        assert "Traceback" not in worker.said
    found = letters.told("list", "--limit", "1000")
    assert 100 < len(found) <= poison
    assert len(found) == sum(one.counts.get("dead", 0) for one in database.progress(deployment.database_url).values())
    asyncio.run(send(deployment.bootstrap, [good(1)]))
    with deployment.worker(dead_letters_max=1000):
        deployment.reached(poison + 1)
        deployment.eventually(lambda: len(letters.told("list", "--limit", "1000")) == poison or None, "all is told")
    counts = database.progress(deployment.database_url)[HOME].counts
    assert (counts["dead"], counts["accepted"]) == (poison, 1)
