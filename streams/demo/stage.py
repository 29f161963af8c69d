"""The stage of the demo: a real PostgreSQL, a broker and a worker of its own, gone without a trace at the end.

One invariant: whatever ends this process, its children end too; each has a watcher that outlives us for that.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from drivers import settings, topics
from drivers.embedded import embedded_kafka, embedded_postgres
from drivers.embedded.processes import end_with_me, log_tail, release, stop
from drivers.postgres.migrate import migrate
from drivers.settings import PREFIX, Settings

_WORKER: Final = "from streams.cli import main; main(['worker'])"
_LEAVE_S: Final = 12.0
_FOR_SHOW: Final = {"fsync": "off", "full_page_writes": "off", "jit": "off"}
"""Nothing here outlives the demo, so nothing needs to survive the machine."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What runs, and how to reach it."""

    settings: Settings
    worker: subprocess.Popen[bytes]
    log: Path

    @property
    def database_url(self) -> str:
        """Where the worker writes."""
        return self.settings.databases[0]

    def end_worker(self) -> int:
        """Ask the worker to leave and return its exit code."""
        stop(self.worker, signal.SIGTERM, _LEAVE_S)
        return self.worker.returncode

    def last_words(self) -> str:
        """Return the end of the worker's log."""
        return log_tail(self.log)


@contextmanager
def another_worker(stage: Stage) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker that goes on where the one of *stage* left."""
    with _worker(stage.log.with_name("worker-2.log"), stage.log.parent) as process:
        yield process


@contextmanager
def raised(said: Callable[[str], None]) -> Iterator[Stage]:
    """Start everything and yield it; *said* is told what happens. Raises ServerFailed.

    The environment's own settings of Outlay are put aside: the demo touches nothing but itself.
    """
    with ExitStack() as held:
        folder = Path(
            held.enter_context(tempfile.TemporaryDirectory(prefix="outlay-demo-", ignore_cleanup_errors=True))
        )
        said("starting PostgreSQL")
        url = held.enter_context(embedded_postgres(folder, _FOR_SHOW))
        said("starting a broker")
        bootstrap = held.enter_context(embedded_kafka({one.name: one.partitions for one in topics.load().topics}))
        said("creating the tables")
        asyncio.run(migrate(url))
        chosen = _settings(url, bootstrap)
        said("starting a worker")
        log = folder / "worker.log"
        yield Stage(chosen, held.enter_context(_worker(log, folder)), log)


def _settings(url: str, bootstrap: str) -> Settings:
    for name in [name for name in os.environ if name.upper().startswith(PREFIX)]:
        del os.environ[name]
    ours = {
        "DATABASE_URL": url,
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "GROUP_ID": "outlay-demo",
        "METRICS_PORT": "0",
        "TOPICS_CHECK": "off",
    }
    os.environ.update({PREFIX + name: value for name, value in ours.items()})
    return settings.load()


@contextmanager
def _worker(log: Path, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``outlay worker`` in a session of its own, so that Ctrl-C is ours to answer."""
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603 -- ourselves
            [sys.executable, "-P", "-c", _WORKER],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    watcher = end_with_me(process.pid, group=True, folder=folder)
    try:
        yield process
    finally:
        stop(process, signal.SIGTERM, _LEAVE_S)
        release(watcher)
