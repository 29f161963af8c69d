"""The embedded PostgreSQL: loopback, password, and no process or file left behind."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import psutil
import pytest

from drivers.embedded.postgres import embedded_postgres

_RUNS_UNTIL_KILLED = """
import sys, time
from pathlib import Path
from drivers.embedded.postgres import embedded_postgres
with embedded_postgres(Path(sys.argv[1])):
    print("up", flush=True)
    time.sleep(600)
"""


def _servers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return [child for child in psutil.Process(process.pid).children(recursive=True) if child.name() == "postgres"]


async def test_it_has_an_empty_database_and_is_gone_afterwards(tmp_path: Path) -> None:
    with embedded_postgres(tmp_path, {"timezone": "UTC"}) as url:
        plain = url.replace("+asyncpg", "")
        connection = await asyncpg.connect(plain)
        assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
        assert int(await connection.fetchval("SHOW server_version_num")) >= 150000
        await connection.close()
    with pytest.raises(OSError, match="onnect"):
        await asyncpg.connect(plain)
    assert not any(tmp_path.iterdir())  # noqa: ASYNC240 - nothing else runs on this loop


async def test_a_wrong_password_is_refused(tmp_path: Path) -> None:
    with embedded_postgres(tmp_path) as url, pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(url.replace("+asyncpg", ""), password="guess")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_it_ends_with_its_owner_however_that_ends(tmp_path: Path, number: signal.Signals) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", _RUNS_UNTIL_KILLED, tmp_path],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert owner.stdout is not None
    assert owner.stdout.readline() == "up\n"
    servers = _servers_of(owner)
    folder = Path(servers[0].cmdline()[2]).parent
    owner.send_signal(number)
    owner.communicate(timeout=20)
    deadline = time.monotonic() + 15
    while folder.exists() or any(_lives(server) for server in servers):
        assert time.monotonic() < deadline, "PostgreSQL or its data outlived its owner"
        time.sleep(0.05)


def _lives(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
