"""Workers that stand still in a transaction: how long their successors may have to wait, and that they are fenced."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Final

from tests.end_to_end import brake, database
from tests.end_to_end.deployment import LOCK_S, SESSION_S, Deployment, Worker

_IDLE_S: Final = 6.0  # longer than a session, so that the successor does meet the lock
_ROOM_S: Final = 4.0  # the group's own rounds, and a loaded machine
SETTINGS: Final[Mapping[str, object]] = {"chunk_records": 20, "database_idle_timeout_s": _IDLE_S}
BLOCKED_S: Final[Mapping[brake.Place, float]] = {"before": brake.BRAKE_S + _IDLE_S, "inside": SESSION_S}
"""By place: until when the lock is held, in seconds; inside its commit it is given up as soon as that is done."""


def frozen(deployment: Deployment, workers: Sequence[Worker], when: brake.Place) -> tuple[Worker, float]:
    """Stop one of *workers* in its transaction; return it once all it had is claimed, and how long that took."""
    url = deployment.database_url
    brake.press(url, when)
    stopped = brake.frozen_there(url, workers)
    began, before = time.monotonic(), database.progress(url)
    brake.release(url)
    deployment.eventually(lambda: _claimed_anew(before, database.progress(url)), "the successor has claimed everything")
    stall_s = time.monotonic() - began
    assert BLOCKED_S[when] / 2 < stall_s < BLOCKED_S[when] + LOCK_S + _ROOM_S, f"{stall_s:.1f} s"
    return stopped, stall_s


def fenced(worker: Worker) -> None:
    """*worker* has noticed that another one owns what it had."""
    assert "left with work undone" in worker.said or "another worker owns it now" in worker.said


def _claimed_anew(before: dict[int, database.Progress], now: dict[int, database.Progress]) -> bool | None:
    """Return True when each partition was claimed since."""
    return (bool(now) and all(now[partition].epoch > one.epoch for partition, one in before.items())) or None
