"""A worker that stands still inside its transaction, longer than its session lives (a paused machine, a long swap).

A brake in the database makes each move of a position take a while, so that a worker can be met in its transaction:
before its commit, which the server then takes back, or inside it, which then happens though nobody hears of it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack

import asyncpg
import psutil
import pytest

from tests.end_to_end import broker, database, exact, records
from tests.end_to_end.deployment import (
    LEAVE_S,
    LOCK_S,
    SESSION_S,
    Deployment,
    Worker,
    eventually,
)

_BRAKE_S = 0.7
_IDLE_S = 6.0  # longer than a session, so that the successor does meet the lock
_ROOM_S = 4.0  # the group's own rounds, and a loaded machine
_BLOCKED_S = {"before": _BRAKE_S + _IDLE_S, "inside": SESSION_S}

_BRAKE = f"""
CREATE TABLE brake (pressed boolean NOT NULL);
INSERT INTO brake VALUES (false);
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT pressed FROM brake) THEN PERFORM pg_sleep({_BRAKE_S}); END IF;
    RETURN NULL;
END $$;
"""
_TRIGGERS = {
    "before": "CREATE TRIGGER slow AFTER UPDATE ON positions FOR EACH ROW EXECUTE FUNCTION slow()",
    "inside": "CREATE CONSTRAINT TRIGGER slow AFTER UPDATE ON positions DEFERRABLE INITIALLY DEFERRED "
    "FOR EACH ROW EXECUTE FUNCTION slow()",
}
_BRAKED = """
SELECT client_port FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'outlay-worker' AND wait_event = 'PgSleep'
  AND query NOT LIKE '%epoch + 1%'
ORDER BY query_start DESC LIMIT 1
"""


@pytest.mark.parametrize("when", _TRIGGERS)
def test_a_worker_stopped_at_its_commit_is_succeeded_in_time_and_fenced(deployment: Deployment, when: str) -> None:
    url = deployment.database_url
    database.run(url, _BRAKE, _TRIGGERS[when])
    stream = records.small(11, 800)
    with ExitStack() as held:
        workers = [
            held.enter_context(deployment.worker(chunk_records=20, database_idle_timeout_s=_IDLE_S)) for _ in range(2)
        ]
        deployment.claimed()
        with broker.load(deployment.bootstrap, stream, rate=len(stream) / 10):
            deployment.reached(len(stream) // 10)
            database.run(url, "UPDATE brake SET pressed = true")
            stopped = frozen_in_transaction(url, workers)
            began = time.monotonic()
            before = database.progress(url)
            database.run(url, "UPDATE brake SET pressed = false")
            deployment.eventually(
                lambda: claimed_anew(before, database.progress(url)), "the successor has claimed everything"
            )
            stall_s = time.monotonic() - began
            deployment.reached(deployment.events + len(stream) // 10)
            stopped.thaw()
        exact.exact(deployment)
        assert "left with work undone" in stopped.said or "another worker owns it now" in stopped.said
        assert all(worker.stop() < LEAVE_S for worker in workers)
    print(f"stopped {when} its commit: its partitions were taken up after {stall_s:.1f} s")  # noqa: T201
    assert _BLOCKED_S[when] / 2 < stall_s < _BLOCKED_S[when] + LOCK_S + _ROOM_S


def frozen_in_transaction(url: str, workers: Sequence[Worker]) -> Worker:
    """Return a worker that is stopped while the server works on a commit of it."""

    async def port(connection: asyncpg.Connection[asyncpg.Record]) -> int | None:
        found: int | None = await connection.fetchval(_BRAKED)
        return found

    def caught() -> Worker | None:
        client_port = database.ask(url, port)
        for worker in workers:
            if client_port in local_ports(worker):
                worker.freeze()
                if database.ask(url, port) == client_port:
                    return worker
                worker.thaw()
        return None

    return eventually(caught, "a worker is in a transaction", every_s=0.0)


def claimed_anew(before: dict[int, database.Progress], now: dict[int, database.Progress]) -> bool | None:
    """Return True when each partition was claimed since."""
    return (bool(now) and all(now[partition].epoch > one.epoch for partition, one in before.items())) or None


def local_ports(worker: Worker) -> set[int]:
    """Return the ports of the worker's connections at its end of them."""
    return {one.laddr.port for one in psutil.Process(worker.process.pid).net_connections()}
