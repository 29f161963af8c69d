"""The incident bridge of the examples behind real workers and a real broker, killed on its way."""

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.end_to_end import broker, database
from tests.end_to_end.deployment import Deployment, eventually

CALLS = Path("examples/calls.jsonl")


def bridge(deployment: Deployment, ledger: Path, *options: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "OUTLAY_KAFKA_BOOTSTRAP_SERVERS": deployment.bootstrap}
    command = [sys.executable, "examples/bridge", "--ledger", str(ledger), *options]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def incidents(ledger: Path) -> list[dict[str, Any]]:
    """Return what the file holds; nothing while there is no such table."""
    file = sqlite3.connect(ledger, timeout=10)
    try:
        return [json.loads(row[0]) for row in file.execute("SELECT incident FROM incidents")]
    except sqlite3.OperationalError:
        return []
    finally:
        file.close()


def test_each_episode_becomes_one_incident_through_kills_of_the_bridge(deployment: Deployment, tmp_path: Path) -> None:
    ledger = tmp_path / "incidents.sqlite"
    running = bridge(deployment, ledger)
    try:
        with deployment.worker(), deployment.publishing(CALLS):
            pass_on = eventually(lambda: incidents(ledger) or None, "the bridge opens an incident")
            assert pass_on
            running.kill()
            deployment.reached(len(CALLS.read_text().splitlines()))
            deployment.eventually(
                lambda: all(one.told for one in database.progress(deployment.database_url).values()) or None,
                "all is told",
            )
    finally:
        running.kill()
        running.communicate()
    last = bridge(deployment, ledger, "--once")
    told, _ = last.communicate(timeout=60)
    assert last.returncode == 0
    facts = [json.loads(one.value or b"") for one in broker.read(deployment.bootstrap, "cost-anomaly-facts")]
    final = {one["episode_id"]: one for one in facts if one["status"] == "final"}
    found = {one["episode_id"]: one for one in incidents(ledger)}
    assert len(found) == len(final) == 3
    for episode_id, incident in found.items():
        fact = final[episode_id]
        assert incident["cost_delta_cents"] == fact["current_value_cents"] - fact["expected_value_cents"]
        assert (incident["status"], incident["provisional"], incident["trigger"]) == ("open", False, "cost_spike")
        assert (incident["entity_id"], incident["derived_cause"]) == (fact["entity_id"], "RETRY_LOOP")
    tenants = {one["incident_id"] for one in found.values() if one["impact_scope"] == "tenant"}
    assert {one["part_of"] for one in found.values()} == {None, *tenants}
    assert len(tenants) == 1
    assert len([line for line in told.splitlines() if line.startswith("opened")]) <= 3
    again = bridge(deployment, ledger, "--once")
    assert again.communicate(timeout=60)[0] == ""
