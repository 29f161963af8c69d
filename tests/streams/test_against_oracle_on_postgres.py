"""The same equality as in ``test_against_oracle``, with a real PostgreSQL below: fewer streams, the same oracle."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from random import Random

import asyncpg
import pytest

from drivers.postgres.connections import libpq_url
from drivers.postgres.migrate import migrate
from drivers.postgres.positions import instant
from drivers.postgres.read import SnapshotLine, iterate_snapshots, opened
from drivers.postgres.store import PostgresStore
from tests import oracle
from tests.strategies import make_rich_stream, make_stream
from tests.streams.learning import content
from tests.streams.running import Left, Line, run
from tests.streams.test_against_oracle import PROFILES, check

_INSERT = "INSERT INTO settings (seq, kind, tenant_id, effective_at, body) VALUES ($1, $2, $3, $4, $5)"


class InPostgres:
    """One PostgreSQL database of all partitions."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.store = PostgresStore(url)

    async def append(self, partition: int, rows: Sequence[oracle.Setting]) -> int:
        """Append *rows* as they are: whether one is in force too early is no matter of a run."""
        assert partition == 0, "rows of one database are known to all its partitions at once"
        connection = await asyncpg.connect(libpq_url(self._url))
        try:
            head = int(await connection.fetchval("SELECT seq FROM settings_head"))
            for seq, row in enumerate(rows, head + 1):
                kind, tenant, effective_us, body = content(row)
                effective = None if effective_us is None else instant(effective_us)
                await connection.execute(_INSERT, seq, kind, tenant, effective, body.decode())
            await connection.execute("UPDATE settings_head SET seq = $1", head + len(rows))
        finally:
            await connection.close()
        return head + len(rows)

    async def left(self) -> Left:
        """Return what is stored."""
        async with opened(self._url) as database:
            snapshots = [_line(shown) async for shown in iterate_snapshots(database)]
        connection = await asyncpg.connect(libpq_url(self._url))
        try:
            lines = [json.loads(row["line"]) for row in await connection.fetch("SELECT line FROM anomalies")]
        finally:
            await connection.close()
        return Left(snapshots, lines)


def _line(shown: SnapshotLine) -> Line:
    line: Line = asdict(shown)
    del line["partition"]
    line["start"] = shown.start.strftime("%Y-%m-%dT%H:%M:%SZ")
    line["deviation_pct"] = None if shown.deviation_pct is None else float(shown.deviation_pct)
    return line


@pytest.mark.parametrize("seed", range(200, 206))
async def test_a_run_on_postgresql_equals_the_oracle(seed: int, database_url: str) -> None:
    await migrate(database_url)
    random, profile, partitions = Random(seed), PROFILES[seed % 2], 1 + seed % 3
    database = InPostgres(database_url)
    try:
        ran = await run(
            make_stream(seed),
            lambda: random.randint(1, 80),
            partitions=partitions,
            profile=profile,
            database=database,
        )
    finally:
        await database.store.close()
    check(ran, profile, partitions)


@pytest.mark.parametrize("seed", [300, 303, 306, 309])
async def test_all_rules_on_postgresql_equal_the_oracle(seed: int, database_url: str) -> None:
    await migrate(database_url)
    random, profile, rich = Random(seed), PROFILES[seed % 2], make_rich_stream(seed)
    settings = rich.settings(1)
    database = InPostgres(database_url)
    try:
        ran = await run(
            rich.log, lambda: random.choice([7, 80, 500]), profile=profile, settings=settings, database=database
        )
    finally:
        await database.store.close()
    check(ran, profile, 1, settings)
