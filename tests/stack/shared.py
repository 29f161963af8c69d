"""The servers of `make up`: started once, found by every process through `.stack`, gone with their data at `down`."""

import fcntl
import json
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from drivers.embedded.postgres import Cluster
from drivers.embedded.processes import ServerFailed
from tests.stack.broker import Broker
from tests.stack.service import Service
from tests.stack.stack import Stack
from tests.stack.unavailable import Unavailable

HOME = Path(__file__).resolve().parents[2] / ".stack"


def up(say: Callable[[str], None], *, watched: bool, home: Path = HOME) -> tuple[Stack, dict[str, str]]:
    """Start what does not run yet; return the servers, and by marker why one cannot run here.

    Args:
        say: shows progress.
        watched: what is started now ends with this process.
        home: where the servers keep their data.
    """
    missing: dict[str, str] = {}
    with _locked(home):
        stack = load(home)
        try:
            for marker, name, known, add in (
                ("postgres", "PostgreSQL", stack.postgres, stack.add_postgres),
                ("kafka", "Apache Kafka", stack.broker, stack.add_broker),
            ):
                try:
                    if known is None:
                        say(f"starting {name}")
                        add(home, watched=watched)
                    elif not known.running:
                        say(f"starting {name} again")
                        known.start()
                except (Unavailable, ServerFailed) as problem:
                    missing[marker] = f"{problem}"
        finally:
            _save(stack, home)  # also what an interruption left half done, so that `down` finds it
    return stack, missing


def down(stack: Stack | None = None, home: Path = HOME) -> bool:
    """Stop the servers and delete their data; return whether there were any.

    Args:
        stack: what `up` returned, where this process called it.
        home: where the servers keep their data.
    """
    with _locked(home):
        stack = stack or load(home)
        stack.discard()
        for name in ("state.json", "env"):
            (home / name).unlink(missing_ok=True)
    return stack.postgres is not None or stack.broker is not None


def load(home: Path = HOME) -> Stack:
    """Return the servers that `up` started, running or not; an empty stack when there are none."""
    stack = Stack()
    saved = home / "state.json"
    state: dict[str, Any] = json.loads(saved.read_text()) if saved.exists() else {}
    if found := state.get("postgres"):
        paths = {"programs": Path(found["programs"]), "data": Path(found["data"])}
        stack.know_postgres(Cluster(**found | paths), watched=False, pid=state["postgres_pid"])
    if found := state.get("kafka"):
        known = Broker(tuple(found["runtime"]), Path(found["home"]), found["port"])
        stack.know_broker(known, watched=False, pid=state["broker_pid"])
    return stack


def environment(stack: Stack) -> dict[str, str]:
    """Return the variables by which tests, benchmarks and shells find the servers."""
    found = {}
    if _runs(stack.postgres):
        found["OUTLAY_TEST_DATABASE_URL"] = stack.database_url
    if _runs(stack.broker):
        found["OUTLAY_TEST_KAFKA"] = stack.bootstrap
    return found


def _runs(service: Service | None) -> bool:
    return service is not None and service.running


def _save(stack: Stack, home: Path) -> None:
    state: dict[str, Any] = {"environment": environment(stack)}
    if stack.cluster is not None:
        state |= {"postgres": asdict(stack.cluster), "postgres_pid": stack.postgres_pid}
    if stack.kafka is not None:
        state |= {"kafka": asdict(stack.kafka), "broker_pid": stack.broker_pid}
    _write(home / "state.json", json.dumps(state, default=str, indent=1))
    _write(home / "env", "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment(stack).items()))


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)  # it holds a password
    path.write_text(text)


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    """Let one process at a time start or stop the servers."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
