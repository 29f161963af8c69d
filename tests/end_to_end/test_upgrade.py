"""A deployment goes on through an upgrade: old and new workers side by side, back again, and on for good."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import asyncpg
import pytest

from tests.end_to_end import broker, database, exact, next_version, records
from tests.end_to_end.deployment import LEAVE_S, Deployment, Worker, eventually
from tests.end_to_end.next_version import CONTRACTS, EXPANDS, LAYOUT

TOO_OLD = f"run a newer Outlay, one that knows {CONTRACTS:04d}"
_LAYOUTS = "SELECT DISTINCT get_byte(body, 1) FROM pages"


@pytest.fixture
def newer(deployment: Deployment, tmp_path: Path) -> Deployment:
    """The same deployment as the next version of the program sees it."""
    program = tmp_path / "next"
    found = Deployment(deployment.database_url, deployment.bootstrap, tmp_path / "newer")
    found.folder.mkdir()
    found.environment = deployment.environment | next_version.make(program)
    return found


def layouts(url: str) -> set[int]:
    """Return the versions of the pages that are stored."""

    async def look(connection: asyncpg.Connection[asyncpg.Record]) -> set[int]:
        return {row[0] for row in await connection.fetch(_LAYOUTS)}

    return database.ask(url, look) or set()


def at_work(deployment: Deployment, worker: Worker) -> None:
    """Return when *worker* has been given partitions, and records are taken in after that."""
    deployment.eventually(lambda: " partitions taken: " in worker.said or None, "the worker has partitions")
    deployment.reached(deployment.events + 20)


def test_old_and_new_workers_side_by_side_through_a_change_of_pages_and_tables(
    deployment: Deployment, newer: Deployment
) -> None:
    url, stream = deployment.database_url, records.small(5, 2400)
    with ExitStack() as held:

        def started(version: Deployment) -> Worker:
            return held.enter_context(version.worker(chunk_records=20))

        old = [started(deployment) for _ in range(2)]
        deployment.claimed()
        with broker.load(deployment.bootstrap, stream, rate=4) as sending:
            expanded = newer.said("migrate")
            assert f"revision {EXPANDS:04d}" in expanded
            assert f"{CONTRACTS:04d} waits" in expanded
            assert old.pop(0).stop() < LEAVE_S
            new = started(newer)
            at_work(deployment, new)

            assert new.stop() < LEAVE_S  # back: a release that is not liked
            old.append(started(deployment))
            at_work(deployment, old[-1])
            assert layouts(url) == {LAYOUT - 1}

            assert old.pop().stop() < LEAVE_S  # and on again; one old worker is overlooked
            new = started(newer)
            at_work(deployment, new)
            new.kill()
            new = started(newer)
            at_work(deployment, new)
            contracted_under(old.pop(), newer.said("migrate --contract"))
            assert TOO_OLD in deployment.said("worker", code=2)
            at_work(newer, new)
            new.kill()
            new = started(newer)
            at_work(newer, new)
            assert sending.sent < len(stream), "the stream ended too soon to show anything"
            sending.hurry()
        exact.settled(newer, 240)
        assert layouts(url) == {LAYOUT - 1, LAYOUT}
        assert new.stop() < LEAVE_S
    database.run(url, f"UPDATE schema_range SET oldest = {next_version.NOW}")  # the views read below are as they were
    assert exact.exact(deployment).counts["accepted"] > len(stream) // 2


def contracted_under(old: Worker, contracted: str) -> None:
    """Hold that the database was *contracted* and an *old* worker, which nobody had stopped, ends because of it."""
    old.told_to_end = True
    assert f"revision {CONTRACTS:04d}" in contracted
    assert "waits" not in contracted
    assert eventually(old.process.poll, "the old worker has ended") == 1
    assert TOO_OLD in old.said
    assert "Traceback" not in old.said
