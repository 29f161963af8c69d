"""One server process that can be started, stopped, killed and found again by another process."""

import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from drivers.embedded.processes import end_with_me, release


@dataclass(slots=True)
class Service:
    """A server by its process id.

    Tests may pause it (SIGSTOP to `pid`), kill it, and start it again on the same port and data.
    """

    name: str
    launch: Callable[[], subprocess.Popen[bytes]]  # returns once the server serves
    mark: str  # a part of its command line that no other process has: process ids are used again
    gentle: signal.Signals
    folder: Path  # its data, deleted when a watched server's owner dies
    watched: bool  # ends with the process that started it
    pid: int = 0
    process: subprocess.Popen[bytes] | None = None
    watcher: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Tell whether the server's process lives; one that only awaits its parent does not."""
        if self.process is not None:
            return self.process.poll() is None
        return self._found() is not None

    def start(self) -> None:
        """Start the server if it is not running; return once it serves."""
        if self.running:
            return
        self._unwatch()
        self.process = self.launch()
        self.pid = self.process.pid
        if self.watched:
            self.watcher = end_with_me(self.pid, folder=self.folder)

    def stop(self, *, kill: bool = False, patience_seconds: float = 20.0) -> None:
        """End the server: in order, or with `kill` as a crash would. Return once all its processes are gone."""
        leader = self._found()
        if leader is not None:
            family = [leader, *leader.children(recursive=True)]
            leader.send_signal(signal.SIGKILL if kill else self.gentle)
            leader.send_signal(signal.SIGCONT)  # a paused server ends too
            if not self._gone(family, patience_seconds):
                for member in family:
                    _kill(member)
                self._gone(family, patience_seconds)
        self._unwatch()
        self.process = None

    def restart(self, *, kill: bool = False) -> None:
        """Stop the server, or kill it, and start it again on the same port and data."""
        self.stop(kill=kill)
        self.start()

    def _unwatch(self) -> None:
        if self.watcher is not None:
            release(self.watcher)
            self.watcher = None

    def _found(self) -> psutil.Process | None:
        try:
            process = psutil.Process(self.pid) if self.pid else None
            if process is None or process.status() == psutil.STATUS_ZOMBIE:
                return None
            return process if any(self.mark in part for part in process.cmdline()) else None
        except psutil.NoSuchProcess:
            return None

    def _gone(self, family: list[psutil.Process], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while any(_alive(member) for member in family):
            if time.monotonic() > deadline:
                return False
            if self.process is not None:
                self.process.poll()  # ours: collect it
            time.sleep(0.02)
        if self.process is not None:
            self.process.wait()
        return True


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return
