"""A backup that is restored, and a replay from the log's start, with the commands in docs/operations.md."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.end_to_end import broker, database, exact, records
from tests.end_to_end.deployment import LEAVE_S, Deployment
from tests.stack import shared

_HERE = Path(__file__).parents[2]
_PATIENCE_S = 180.0


def shown(program: str, section: str) -> str:
    """Return the command of *program* in a section of docs/operations.md."""
    _, _, told = (_HERE / "docs" / "operations.md").read_text().partition(f"\n## {section}\n")
    found = re.search(rf"^ *({program} .*)$", told.partition("\n## ")[0], re.MULTILINE)
    assert found is not None, program
    return found[1]


@pytest.fixture
def restored_url(database_url: str) -> str:
    """The URL of a database that is not there yet, and goes with its server."""
    return database_url + "_restored"


def test_a_backup_taken_at_work_is_restored_and_the_log_brings_the_rest(
    deployment: Deployment, restored_url: str, tmp_path: Path
) -> None:
    stream = records.small(7, 400)
    cluster = shared.load().cluster
    assert cluster is not None
    plain = {
        name: url.replace("+asyncpg", "") for name, url in (("old", deployment.database_url), ("new", restored_url))
    }
    name = plain["new"].rpartition("/")[2]
    environment = {
        "PATH": f"{cluster.programs}{os.pathsep}{os.environ['PATH']}",
        "OUTLAY_DATABASE_URL": plain["old"],
        "ADMIN_URL": plain["old"].rpartition("/")[0] + "/postgres",
        "RESTORED_URL": plain["new"],
    }

    def run(program: str) -> None:
        command = shown(program, "Restore from a backup").replace("outlay_restored", name)
        ran = subprocess.run(
            ["bash", "-ec", command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stderr

    with deployment.worker() as worker:
        with broker.load(deployment.bootstrap, stream[: len(stream) // 2]):
            deployment.reached(len(stream) // 4)
            run("pg_dump")
        with broker.load(deployment.bootstrap, stream[len(stream) // 2 :]):
            pass
        before = in_time(deployment)
        assert worker.stop() < LEAVE_S
    run("createdb")
    try:
        run("pg_restore")
        deployment.database_url = deployment.environment["OUTLAY_DATABASE_URL"] = restored_url
        assert deployment.events < sum(one.events for one in before.positions.values())
        goes_on(deployment, before)
    finally:
        database.run(plain["old"], f"DROP DATABASE {name} WITH (FORCE)")


def in_time(deployment: Deployment) -> exact.Left:
    """Return what an exact deployment left behind, once all is told."""
    exact.settled(deployment, _PATIENCE_S)
    return exact.exact(deployment)


def goes_on(deployment: Deployment, before: exact.Left) -> None:
    """Hold that workers bring everything to where it was *before*."""
    deployment.outlay("migrate", "doctor")
    with deployment.worker() as worker:
        after = in_time(deployment)
        assert worker.stop() < LEAVE_S
    exact.same(after.snapshots, before.snapshots)
    exact.same(
        *(sorted(left.revisions, key=lambda one: (one["anomaly_id"], one["revision"])) for left in (after, before))
    )


def test_a_replay_from_the_start_of_the_log_tells_the_same(deployment: Deployment) -> None:
    stream = records.small(8, 400)
    with deployment.worker() as worker:
        with broker.load(deployment.bootstrap, stream):
            pass
        before = in_time(deployment)
        assert worker.stop() < LEAVE_S
    deployment.outlay("migrate --rebuild --yes")
    assert deployment.events == 0
    goes_on(deployment, before)
