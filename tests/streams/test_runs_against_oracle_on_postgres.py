"""The same equality as in ``test_runs_against_oracle``, with a real PostgreSQL below: fewer histories."""

import json
from collections.abc import Sequence
from random import Random

import asyncpg
import pytest

from drivers.postgres.connections import libpq_url
from drivers.postgres.migrate import migrate
from tests import oracle
from tests.oracle.runs import Line
from tests.oracle.runs.histories import make_history
from tests.oracle.runs.making import Shape
from tests.streams.running_runs import run
from tests.streams.test_against_oracle_on_postgres import InPostgres
from tests.streams.test_runs_against_oracle import SIZES, acknowledged_on_the_way, bytes_of, check

_LINES = "SELECT line FROM pattern_feedback UNION ALL SELECT line FROM prediction_events"


class RunsInPostgres(InPostgres):
    """One PostgreSQL database of all partitions."""

    async def rows(self) -> list[Line]:
        """Return every revision of feedback and predictions that is stored."""
        connection = await asyncpg.connect(libpq_url(self._url))
        try:
            return [json.loads(row["line"]) for row in await connection.fetch(_LINES)]
        finally:
            await connection.close()


@pytest.mark.parametrize("seed", range(200, 206))
async def test_a_run_on_postgresql_equals_the_oracle(seed: int, database_url: str) -> None:
    await migrate(database_url)
    random, partitions = Random(seed), 1 + seed % 3
    log = make_history(seed, Shape(runs_max=160, foreign=True, append=seed % 2 == 0))
    database = RunsInPostgres(database_url)
    try:
        ran = await run(
            log,
            lambda: random.choice(SIZES),
            partitions=partitions,
            database=database,
            taken_over=seed % 2 == 0,
        )
    finally:
        await database.store.close()
    check(ran, partitions)


@pytest.mark.parametrize("seed", [300, 303])
async def test_acknowledgements_on_postgresql_are_those_in_memory(seed: int, database_url: str) -> None:
    await migrate(database_url)
    log = oracle.placed(make_history(seed, Shape(append=True)), 1)
    rows: Sequence[oracle.Setting] = acknowledged_on_the_way(log, 1, Random(seed))
    database = RunsInPostgres(database_url)
    try:
        ran = await run(log, lambda: 30, settings=rows, calibrated=True, database=database)
    finally:
        await database.store.close()
    wanted = await run(log, lambda: 7, settings=rows, calibrated=True)
    assert bytes_of(ran) == bytes_of(wanted)
    assert (ran.feedback, ran.predictions) == (wanted.feedback, wanted.predictions)
