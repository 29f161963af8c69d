"""One deployment: a broker's topics, a database, and any number of ``outlay`` processes, all ended with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from drivers.embedded.processes import end_with_me, release
from tests.end_to_end import database

SESSION_S = 3.0
IDLE_IN_TRANSACTION_S = 2.0
LOCK_S = 2.0
PATIENCE_S = 60.0
LEAVE_S = 10.0
"""A worker that is told to stop has gone by then."""
PARTITIONS = 12
_OUTLAY = [sys.executable, "-c", "from streams.cli import main; main()"]
_SEVERAL = """
import json, sys
from streams.cli import main
for arguments in json.loads(sys.argv[1]):
    try:
        main(arguments)
    except SystemExit as ended:
        if ended.code:
            raise
"""
T = TypeVar("T")


def eventually(look: Callable[[], T | None], what: str, patience_s: float = PATIENCE_S, every_s: float = 0.1) -> T:
    """Return the first answer of *look* that is not None; *what* is said when there is none in time."""
    deadline = time.monotonic() + patience_s
    while (found := look()) is None:
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(every_s)
    return found


@dataclass(slots=True)
class Worker:
    """A running ``outlay worker``."""

    process: subprocess.Popen[bytes]
    log: Path
    told_to_end: bool = False

    @property
    def said(self) -> str:
        """What it has logged so far."""
        return self.log.read_text()

    @property
    def failed(self) -> bool:
        """Whether it ended by itself."""
        return not self.told_to_end and self.process.poll() is not None

    def kill(self) -> None:
        """End it as a crash does."""
        self.told_to_end = True
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        """Stop it where it stands."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> float:
        """Ask it to leave; return how long that took, in seconds."""
        began = time.monotonic()
        self.told_to_end = True
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE_S)
        assert code == 0, f"exit code {code}:\n{self.said}"
        return time.monotonic() - began


class Deployment:
    """The processes of one deployment; its time limits are short, so that what runs into them is soon seen."""

    def __init__(self, database_url: str, bootstrap: str, folder: Path, partitions: int = PARTITIONS) -> None:
        self.database_url = database_url
        self.bootstrap = bootstrap
        self.folder = folder
        self.partitions = partitions
        self.program: Sequence[str] = _OUTLAY
        """What is run as a worker; a test may put rules of its own into it."""
        self._workers: list[Worker] = []
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OUTLAY_")}
        self.environment = kept | {
            "OUTLAY_DATABASE_URL": database_url,
            "OUTLAY_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
            "OUTLAY_GROUP_ID": f"group-{uuid.uuid4().hex}",
            "OUTLAY_DOMAINS": "costs",
            "OUTLAY_METRICS_PORT": "0",
            "OUTLAY_SESSION_TIMEOUT_S": f"{SESSION_S}",
            "OUTLAY_DATABASE_IDLE_TIMEOUT_S": f"{IDLE_IN_TRANSACTION_S}",
            "OUTLAY_DATABASE_LOCK_TIMEOUT_S": f"{LOCK_S}",
            "OUTLAY_DATABASE_CONNECT_TIMEOUT_S": "3",
        }

    @contextmanager
    def worker(self, **settings: object) -> Iterator[Worker]:
        """Run a worker with *settings* (names as in the environment, without the prefix); killed if it outlives."""
        log = self.folder / f"worker-{len(self._workers) + 1}.log"
        more = {f"OUTLAY_{name.upper()}": f"{value}" for name, value in settings.items()}
        with log.open("wb") as out:
            process = subprocess.Popen([*self.program, "worker"], env=self.environment | more, stdout=out, stderr=out)
        watcher = end_with_me(process.pid)
        worker = Worker(process, log)
        self._workers.append(worker)
        try:
            yield worker
        finally:
            worker.kill()
            release(watcher)

    @contextmanager
    def publishing(self, *arguments: str | float | Path) -> Iterator[subprocess.Popen[str]]:
        """Run ``outlay publish`` while the block does; at its end everything must be published."""
        command = [*_OUTLAY, "publish", *map(str, arguments)]
        process = subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        try:
            yield process
            said, _ = process.communicate(timeout=PATIENCE_S)
            assert process.returncode == 0, said
        finally:
            process.kill()
            process.communicate()

    def outlay(self, *commands: str) -> None:
        """Run ``outlay`` with each of *commands*, one after the other in one process, which starts sooner than many."""
        arguments = json.dumps([command.split() for command in commands])
        ran = subprocess.run(
            [sys.executable, "-c", _SEVERAL, arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr

    def ran(self, command: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run ``outlay`` with *command*, which must end with *code*; return what it said."""
        ran = subprocess.run(
            [*_OUTLAY, *command.split()],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE_S,
            check=False,
        )
        assert ran.returncode == code, ran.stdout + ran.stderr
        return ran

    def said(self, command: str, code: int = 0) -> str:
        """Return what *command* says on both outputs; it must end with *code*."""
        ran = self.ran(command, code)
        return ran.stdout + ran.stderr

    @property
    def events(self) -> int:
        """How many records are taken in, forwarded ones at each end; 0 while the database is away."""
        return sum(one.events for one in database.progress(self.database_url).values())

    def reached(self, events: int) -> None:
        """Return once *events* records are taken in."""
        self.eventually(lambda: self.events >= events or None, f"{events} records are taken in")

    def claimed(self) -> None:
        """Return once every partition has been claimed."""
        self.eventually(lambda: len(database.progress(self.database_url)) == self.partitions or None, "all is claimed")

    def at_work(self, *workers: Worker) -> None:
        """Return once each of *workers* has been given partitions."""
        taken = "partitions taken"
        self.eventually(lambda: all(taken in worker.said for worker in workers) or None, "all have partitions")

    def eventually(self, look: Callable[[], T | None], what: str, patience_s: float = PATIENCE_S) -> T:
        """Return the first answer of *look* that is not None; a worker that ended by itself will not bring it."""

        def looked() -> T | None:
            failed = [worker for worker in self._workers if worker.failed]
            assert not failed, f"a worker ended, exit code {failed[0].process.returncode}:\n{failed[0].said}"
            return look()

        return eventually(looked, what, patience_s)
