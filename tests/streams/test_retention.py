"""A worker sweeps once an hour, and says what it dropped; by hand it is a command."""

import asyncio
import json
import logging
from collections.abc import Iterator
from datetime import date
from typing import cast

import asyncpg
import pytest

from drivers.postgres.connections import libpq_url
from drivers.postgres.migrate import migrate
from drivers.postgres.retention import Expired, Retention, Sweep
from drivers.postgres.time_partitions import TimePartition
from engines.core.errors import Transient
from streams import retention
from tests.streams.commands import run

WEEK = Expired(TimePartition("pages", date(2025, 9, 4)), 81_920)
MONTH = Expired(TimePartition("snapshots", date(2025, 9, 1)), 16_384)
LEFT_BEHIND = """
SELECT ensure_partition('pages', '2020-01-02');
INSERT INTO positions (partition, topic, cluster_id, topic_id, next_offset, outbox_seq, published, projected, epoch,
                       version, released, counts, settings_seq, watermark_us)
VALUES (0, 'costs', '', '', 0, 0, 0, 0, 0, 0, true, '{}', 0, 1700000000000000)
"""


class Sweeping:
    """Answers with what it was given, one after another."""

    def __init__(self, *answers: Sweep | Transient) -> None:
        self._answers: Iterator[Sweep | Transient] = iter(answers)

    async def sweep(self) -> Sweep:
        """The next answer."""
        answer = next(self._answers)
        if isinstance(answer, Transient):
            raise answer
        return answer


async def followed(*sweepings: Sweeping, hours: int) -> list[float]:
    """Let *hours* go by, and return the waits."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) > hours:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await retention.follow([cast("Retention", one) for one in sweepings], sleep)
    return waits


async def test_what_was_dropped_is_said_loudly(caplog: pytest.LogCaptureFixture) -> None:
    await followed(Sweeping(Sweep([WEEK], [MONTH])), hours=1)
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    dropped, in_use = caplog.messages
    assert dropped == "retention: dropped pages_20250904, the days 2025-09-04 to 2025-09-11 (exclusive), 80 KiB"
    assert in_use.startswith("retention: somebody is reading snapshots_20250901")


async def test_a_database_that_is_away_keeps_no_other_from_being_swept(caplog: pytest.LogCaptureFixture) -> None:
    nothing = Sweep([], [])
    away = Sweeping(Transient("no route"), Sweep([WEEK], []))
    waits = await followed(away, Sweeping(Sweep([MONTH], []), nothing), hours=2)
    assert [message.split(",")[0] for message in caplog.messages] == [
        "retention: no route; the next try is in an hour",
        "retention: dropped snapshots_20250901",
        "retention: dropped pages_20250904",
    ]
    assert waits[1:] == [3600.0, 3600.0]


async def prepared(url: str) -> None:
    """Make the tables, with a week that a watermark has left behind."""
    await migrate(url)
    connection = await asyncpg.connect(libpq_url(url))
    await connection.execute(LEFT_BEHIND)
    await connection.close()


def test_the_command_shows_and_then_drops(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    monkeypatch.setenv("OUTLAY_DATABASE_URL", database_url)
    assert run(capfd, "retention").code == 2
    asyncio.run(prepared(database_url))
    shown = run(capfd, "retention", "--dry-run")
    assert (shown.code, shown.out.splitlines()[0]) == (0, "would be dropped:")
    assert "pages_20200102  2020-01-02  2020-01-09" in shown.out
    rows = json.loads(run(capfd, "retention", "--dry-run", "--json").out)
    week = {"database": 0, "partition": "pages_20200102", "from": "2020-01-02", "to": "2020-01-09", "dropped": False}
    assert [row for row in rows if {**row, "bytes": 0} == week | {"bytes": 0}]
    dropped = run(capfd, "retention")
    assert dropped.out.splitlines()[1:] == shown.out.splitlines()[1:]
    assert run(capfd, "retention", "--dry-run").out == "would be dropped: nothing\n"
