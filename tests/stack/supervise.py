"""Run a command between the start and the stop of the servers, and leave no process behind, however it ends."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import FrameType

import psutil

from drivers.embedded.processes import end_with_me, release

_PR_SET_CHILD_SUBREAPER = 36
_PATIENCE_SECONDS = 20.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):
    """A signal asked us to end."""

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.number = number


@contextmanager
def interruptions() -> Iterator[None]:
    """Turn the signals that would end us into `Interrupted`, once; later ones do not disturb the tidying."""

    def interrupt(number: int, _frame: FrameType | None) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise Interrupted(number)

    before = {number: signal.signal(number, interrupt) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run *command* with more *environment*; return its exit code once it and all that it started are gone.

    Raises:
        Interrupted: a signal came; the command has been ended.
    """
    _adopt_orphans()
    ours = set(psutil.Process().children())
    process = subprocess.Popen(command, env={**os.environ, **environment}, start_new_session=True)
    watcher = end_with_me(process.pid, group=True)
    try:
        return process.wait()
    except Interrupted:
        os.killpg(process.pid, signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE_SECONDS)
        raise
    finally:
        release(watcher)
        _end({child for child in psutil.Process().children() if child.pid != watcher.pid} - ours)
        process.wait()


def _adopt_orphans() -> None:
    """Become the parent of what our descendants leave behind, so that it is found (Linux; elsewhere without effect)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _end(families: set[psutil.Process]) -> None:
    for leader in families:
        with suppress(psutil.NoSuchProcess):
            for member in [*leader.children(recursive=True), leader]:
                with suppress(psutil.NoSuchProcess):
                    member.kill()
    psutil.wait_procs(families, timeout=_PATIENCE_SECONDS)
