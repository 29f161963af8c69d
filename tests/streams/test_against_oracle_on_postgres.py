"""The same equality as in ``test_against_oracle``, with a real PostgreSQL below: fewer streams, the same oracle."""

from dataclasses import asdict
from random import Random

import pytest

from drivers.postgres.migrate import migrate
from drivers.postgres.read import SnapshotLine, iterate_snapshots, opened
from drivers.postgres.store import PostgresStore
from tests.strategies import make_stream
from tests.streams.running import Line, run
from tests.streams.test_against_oracle import PROFILES, check


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

    async def snapshots() -> list[Line]:
        async with opened(database_url) as database:
            return [_line(shown) async for shown in iterate_snapshots(database)]

    store = PostgresStore(database_url)
    try:
        ran = await run(
            make_stream(seed),
            lambda: random.randint(1, 80),
            partitions=partitions,
            profile=profile,
            store=store,
            snapshots=snapshots,
        )
    finally:
        await store.close()
    check(ran, profile, partitions)
