"""A brake in the database: commits of workers take a while at a chosen place, so that a worker can be met there.

The places of a batch's way: in its transaction, which the server takes back when the worker dies; in its commit, which
then happens though nobody hears of it; and the same two for the batch that records what is published.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, get_args

import asyncpg
import psutil

from tests.end_to_end import database
from tests.end_to_end.deployment import Worker, eventually

Place = Literal["before", "inside", "published", "recorded"]
PLACES: Final[tuple[Place, ...]] = get_args(Place)
BRAKE_S: Final = 0.7
_LOOK_S: Final = 0.1

_BRAKE = f"""
CREATE TABLE brake (pressed text);
INSERT INTO brake VALUES (NULL);
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT pressed FROM brake) = TG_ARGV[0] THEN PERFORM pg_sleep({BRAKE_S}); END IF;
    RETURN NULL;
END $$;
"""
_TRIGGER = "CREATE {kind} TRIGGER {place} AFTER UPDATE ON positions {when} FOR EACH ROW WHEN ({moved}) "
_DEFERRED = "DEFERRABLE INITIALLY DEFERRED"
_MOVED = ("NEW.next_offset > OLD.next_offset", "NEW.published > OLD.published")
_WHERE: Final[dict[Place, tuple[str, str, str]]] = {
    "before": ("", "", _MOVED[0]),
    "inside": ("CONSTRAINT", _DEFERRED, _MOVED[0]),
    "published": ("", "", _MOVED[1]),
    "recorded": ("CONSTRAINT", _DEFERRED, _MOVED[1]),
}
_BRAKED = """
SELECT client_port FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'outlay-worker' AND wait_event = 'PgSleep'
ORDER BY query_start DESC LIMIT 1
"""


def fit(url: str) -> None:
    """Put the brake into each database, not pressed."""
    triggers = [
        _TRIGGER.format(kind=kind, place=place, when=when, moved=moved) + f"EXECUTE FUNCTION slow('{place}')"
        for place, (kind, when, moved) in _WHERE.items()
    ]
    database.run(url, _BRAKE, *triggers)


def press(url: str, place: Place) -> None:
    """Have workers take their time at *place* from now on."""
    database.run(url, f"UPDATE brake SET pressed = '{place}'")


def release(url: str) -> None:
    """Have nobody take their time any more."""
    database.run(url, "UPDATE brake SET pressed = NULL")


def frozen_there(url: str, workers: Sequence[Worker]) -> Worker:
    """Return a worker that is stopped where the brake holds it."""

    async def port(connection: asyncpg.Connection[asyncpg.Record]) -> int | None:
        found: int | None = await connection.fetchval(_BRAKED)
        return found

    def caught() -> Worker | None:
        for client_port in database.ask_each(url, port):
            for worker in workers:
                if client_port in _local_ports(worker):
                    worker.freeze()
                    if client_port in database.ask_each(url, port):
                        return worker
                    worker.thaw()
        return None

    return eventually(caught, "a worker is where the brake holds it", every_s=_LOOK_S)


def _local_ports(worker: Worker) -> set[int]:
    """Return the ports of the worker's connections at its end of them."""
    return {one.laddr.port for one in psutil.Process(worker.process.pid).net_connections()}
