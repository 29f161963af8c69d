"""Partitions spread over two databases: exact through kills, and seen by commands as one deployment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests import oracle
from tests.end_to_end import broker, database, exact, records
from tests.end_to_end.deployment import LEAVE_S, PARTITIONS, Deployment
from tests.stack import shared
from tests.stack.databases import fresh_database

_EVER = "--effective-from 2020-01-01T00:00:00Z"


@pytest.fixture
def two(session_broker: str, database_url: str, tmp_path: Path) -> Iterator[Deployment]:
    """A deployment on two databases."""
    broker.renew_topics(session_broker)
    with fresh_database(shared.load()) as second:
        urls = f"{database_url},{second}"
        database.prepare(urls)
        deployment = Deployment(urls, session_broker, tmp_path)
        deployment.environment["OUTLAY_DATABASE_URLS"] = deployment.environment.pop("OUTLAY_DATABASE_URL")
        yield deployment


def said(deployment: Deployment, command: str) -> Any:
    """Return what a command answers in JSON."""
    return json.loads(deployment.ran(f"{command} --json").stdout)


def test_two_databases_are_one_deployment_through_kills(two: Deployment) -> None:
    random, stream = Random(1), records.small(1, 900)
    names = [f"tenant-{n}" for n in range(9)]
    ours = [next(name for name in names if oracle.home(name, PARTITIONS) % 2 == place) for place in (0, 1)]
    assert {name.encode() for name in ours} <= {key for key, _, _ in stream}
    two.outlay(f"rules set spike_pct 130 {_EVER}")
    with ExitStack() as held:
        workers = [held.enter_context(two.worker(chunk_records=random.choice([7, 50]))) for _ in range(2)]
        two.claimed()
        with broker.load(two.bootstrap, stream, rate=len(stream) / 6):
            for _ in range(2):
                two.reached(two.events + random.randint(1, len(stream) // 4))
                workers.pop(0).kill()
                workers.append(held.enter_context(two.worker(chunk_records=random.choice([7, 50]))))
        found = exact.exact(two)
        for worker in workers:
            assert worker.stop() < LEAVE_S
    assert found.counts["accepted"] > len(stream) // 2
    two.outlay(*(f"budgets set --tenant {name} --type tenant --daily-usd 1" for name in ours))
    for number, url in enumerate(two.database_url.split(",")):
        assert list(database.progress(url)) == list(range(number, PARTITIONS, 2))
        assert database.snapshots(url)
        assert {row.tenant_id for row in database.settings(url)} == {"*", ours[number]}
    seen_by_commands(two, found, ours)


def seen_by_commands(two: Deployment, found: exact.Left, ours: list[str]) -> None:
    status = said(two, "status")
    assert status["adds_up"]
    assert [one["partition"] for one in status["partitions"]] == list(range(PARTITIONS))
    assert sum(one["events"] for one in status["partitions"]) == found.counts["events"]
    days = [line for line in found.snapshots if (line["window"], line["entity_type"]) == ("day", "tenant")]
    shared_day = max(line["start"] for line in days)[:10]
    top = said(two, f"top --day {shared_day}")
    assert top["totals"]["cost_nanousd"] == sum(
        line["cost_nanousd"] or 0 for line in days if line["start"][:10] == shared_day
    )
    assert {one["tenant_id"] for one in said(two, "budgets list")} == set(ours)
    (spike,) = (one for one in said(two, "rules list") if one["name"] == "spike_pct")
    assert spike["value"] == 130
