"""New settings rows are heard of, notified or not, through outages."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import asyncpg
import pytest

from drivers.postgres.connections import PostgresLimits, libpq_url
from drivers.postgres.migrate import migrate
from drivers.postgres.settings_head import SettingsHead
from drivers.postgres.settings_writer import SettingsTable
from engines.core.errors import Transient
from engines.core.model import NewSetting, TopicPartition
from streams.limits import ShellLimits
from streams.settings_watch import SettingsWatch
from tests.stack import Stack

ROW = NewSetting("rule", "*", 0, b'{"name":"spike_pct","value":150}')
TP = TopicPartition("costs", 3)
NEVER_S = 3600.0
SOON_S = 2.0
"""A tenth of a second where the machine has nothing else to do."""
OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'outlay-settings-watch'"


@asynccontextmanager
async def watching(url: str, poll_s: float) -> AsyncIterator[SettingsWatch]:
    """Watch the database at *url*; the watch has looked once."""
    head = SettingsHead(url, PostgresLimits())
    watch = SettingsWatch([head], poll_s, ShellLimits(), asyncio.sleep)
    await head.newest()
    following = asyncio.create_task(watch.follow())
    try:
        yield watch
    finally:
        following.cancel()
        await asyncio.wait([following])
        await head.close()


async def append(url: str, n: int = 1) -> int:
    """Append *n* rows; return the sequence number of the last."""
    table = SettingsTable(url, PostgresLimits())
    try:
        return (await table.append([ROW] * n, now_us=0))[-1]
    finally:
        await table.close()


async def until(holds: Callable[[], bool], patience_s: float) -> float:
    """Return after how many seconds *holds*."""
    began = time.monotonic()
    async with asyncio.timeout(patience_s):
        while not holds():  # noqa: ASYNC110 - the watch has nothing to wait for
            await asyncio.sleep(0.01)
    return time.monotonic() - began


def _knows(watch: SettingsWatch, seq: int) -> bool:
    return watch.known(TP) == seq


async def executed(url: str, statement: str) -> None:
    connection = await asyncpg.connect(libpq_url(url))
    await connection.execute(statement)
    await connection.close()


@pytest.fixture
async def url(database_url: str) -> str:
    await asyncio.to_thread(asyncio.run, migrate(database_url))
    return database_url


async def test_a_new_row_is_known_soon_after_its_notification_however_rarely_it_looks(url: str) -> None:
    first = await append(url, 2)
    async with watching(url, NEVER_S) as watch:
        await until(lambda: watch.known(TP) == first, 5)
        for _ in range(3):
            seq = await append(url)
            assert await until(partial(_knows, watch, seq), 10) < SOON_S


async def test_without_a_notification_it_is_known_at_the_next_look(url: str) -> None:
    async with watching(url, 0.3) as watch:
        await until(lambda: watch.known(TP) == 0, 5)
        await executed(url, "UPDATE settings_head SET seq = 7")
        assert await until(lambda: watch.known(TP) == 7, 10) < SOON_S


async def test_a_lost_connection_is_made_again_at_once(url: str) -> None:
    async with watching(url, NEVER_S) as watch:
        await executed(url, "UPDATE settings_head SET seq = 4")
        await executed(url, OTHERS)
        await until(lambda: watch.known(TP) == 4, 5)
        seq = await append(url)
        assert await until(lambda: watch.known(TP) == seq, 10) < SOON_S


async def test_a_database_restored_to_an_earlier_state_is_believed(url: str) -> None:
    await append(url, 3)
    async with watching(url, 0.1) as watch:
        await until(lambda: watch.known(TP) == 3, 5)
        await executed(url, "UPDATE settings_head SET seq = 1")
        await until(lambda: watch.known(TP) == 1, 5)


@pytest.mark.postgres
async def test_an_outage_is_waited_for_and_what_was_set_after_it_is_known(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Stack.private(tmp_path, with_broker=False) as stack:
        url = stack.database_url
        await asyncio.to_thread(asyncio.run, migrate(url))
        seq = await append(url)
        async with watching(url, 0.5) as watch:
            await until(lambda: watch.known(TP) == seq, 5)
            await asyncio.to_thread(stack.stop_postgres, kill=True)
            with pytest.raises(Transient):
                await append(url)
            await until(lambda: "trying again until it works" in caplog.text, 5)
            await asyncio.to_thread(stack.start_postgres)
            seq = await append(url)
            await until(lambda: watch.known(TP) == seq, 5)
            assert "database 0: works again" in caplog.text


async def test_a_partition_is_told_of_its_own_database_only() -> None:
    class Fixed:
        def __init__(self, seq: int) -> None:
            self._seq = seq

        async def newest(self) -> int:
            return self._seq

        async def stirred(self, within_s: float) -> None:
            await asyncio.sleep(within_s)

    watch = SettingsWatch([Fixed(5), Fixed(8)], NEVER_S, ShellLimits(), asyncio.sleep)
    assert watch.known(TP) == 0
    following = asyncio.create_task(watch.follow())
    await until(lambda: watch.known(TP) == 8, 5)
    assert [watch.known(TopicPartition("costs", partition)) for partition in range(4)] == [5, 8, 5, 8]
    following.cancel()
    await asyncio.wait([following])
