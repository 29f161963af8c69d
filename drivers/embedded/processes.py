"""Servers as child processes: free ports, an unprivileged user, and an end that no crash of ours can prevent."""

import os
import pwd
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

_WATCH = """
read -r _
kill -s INT -- "$1"
for _ in 1 2 3 4 5 6 7 8 9 10; do kill -s 0 -- "$1" || break; sleep 0.5; done
kill -s KILL -- "$1"
[ -z "$2" ] || rm -rf -- "$2"
"""


class ServerFailed(RuntimeError):
    """A server did not come up; the message holds the end of its log."""


def free_port() -> int:
    """Return a TCP port that nobody listens on at this moment on the loopback address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def unprivileged_user() -> str | None:
    """Return the user that servers refusing root run as, or None when we are not root ourselves.

    Raises:
        ServerFailed: root, and the system knows neither user.
    """
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in known:
            return name
    raise ServerFailed("PostgreSQL refuses to run as root, and there is no user postgres or nobody to run it as")


def open_to_all(path: Path) -> bool:
    """Tell whether every user may reach *path*, that is pass through each folder above it."""
    return all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents)


def end_with_me(pid: int, *, group: bool = False, folder: Path | None = None) -> subprocess.Popen[bytes]:
    """Start a watcher that ends *pid* once this process is gone, however it went.

    The watcher reads a pipe whose other end only we hold. Keep the result, and call `release` after an orderly stop.

    Args:
        pid: the process to end.
        group: end its whole process group.
        folder: what to delete then.
    """
    return subprocess.Popen(
        ["/bin/sh", "-c", _WATCH, "watch", f"-{pid}" if group else f"{pid}", f"{folder or ''}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def release(watcher: subprocess.Popen[bytes]) -> None:
    """End the watcher without letting it act."""
    watcher.kill()
    watcher.wait()
    if watcher.stdin is not None:
        watcher.stdin.close()


def stop(process: subprocess.Popen[bytes], first: signal.Signals, patience_seconds: float = 15.0) -> None:
    """Ask *process* to end with signal *first*; kill it when it has not ended in time."""
    if process.poll() is None:
        process.send_signal(first)
        try:
            process.wait(patience_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def log_tail(log: Path, lines: int = 15) -> str:
    """Return the last lines of a log, for a message."""
    text = log.read_text(errors="replace") if log.exists() else "(no log)"
    return "\n".join(text.splitlines()[-lines:])


def await_ready(
    what: str, is_ready: Callable[[], bool], is_alive: Callable[[], bool], log: Path, seconds: float = 60.0
) -> None:
    """Return once *is_ready*; look every 20 ms.

    Raises:
        ServerFailed: the process ended, or time ran out.
    """
    deadline = time.monotonic() + seconds
    while not is_ready():
        if not is_alive():
            raise ServerFailed(f"{what} ended while starting:\n{log_tail(log)}")
        if time.monotonic() > deadline:
            raise ServerFailed(f"{what} was not ready after {seconds:.0f} s:\n{log_tail(log)}")
        time.sleep(0.02)
