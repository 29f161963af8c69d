"""The two servers together: the shared ones of `make up`, and private ones for tests that stop them."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from drivers.embedded import postgres as clusters
from drivers.embedded.postgres import Cluster
from drivers.embedded.processes import ServerFailed
from tests.stack import broker as brokers
from tests.stack import kafka_runtime, postgres_programs
from tests.stack.broker import Broker
from tests.stack.edge import Edge
from tests.stack.service import Service
from tests.stack.unavailable import Unavailable

_CACHE = Path(__file__).resolve().parents[2] / ".stack" / "cache"
_SHARED = {
    "max_connections": "200",
    "timezone": "UTC",
    "max_wal_size": "2GB",
    "log_min_messages": "warning",
    "jit": "off",
}
_FAST = {"fsync": "off", "full_page_writes": "off"}  # a crash of the server is survived, one of the machine is not


_SOON_READY = (
    "-XX:TieredStopAtLevel=1",
)  # what a short life never earns back is not compiled: half the processor time

_Part = TypeVar("_Part")


@dataclass(slots=True)
class Stack:
    """A PostgreSQL and a Kafka broker; either may be absent (PARTIAL=1)."""

    cluster: Cluster | None = None
    postgres: Service | None = None
    kafka: Broker | None = None
    broker: Service | None = None

    @property
    def database_url(self) -> str:
        """Return the SQLAlchemy URL of database `outlay`; its user may create others."""
        return _present(self.cluster, "PostgreSQL").url()

    @property
    def bootstrap(self) -> str:
        """Return the address of the broker."""
        return _present(self.kafka, "Apache Kafka").bootstrap

    @property
    def postgres_pid(self) -> int:
        """Return the process id of the database server."""
        return _present(self.postgres, "PostgreSQL").pid

    @property
    def broker_pid(self) -> int:
        """Return the process id of the broker."""
        return _present(self.broker, "Apache Kafka").pid

    def start_postgres(self) -> None:
        """Start the database server; no effect when it runs."""
        _present(self.postgres, "PostgreSQL").start()

    def stop_postgres(self, *, kill: bool = False) -> None:
        """Stop the database server in order, or with `kill` as a crash would."""
        _present(self.postgres, "PostgreSQL").stop(kill=kill)

    def restart_postgres(self, *, kill: bool = False) -> None:
        """Stop or kill the database server, and start it on the same port and data."""
        _present(self.postgres, "PostgreSQL").restart(kill=kill)

    def start_broker(self) -> None:
        """Start the broker; no effect when it runs."""
        _present(self.broker, "Apache Kafka").start()

    def stop_broker(self, *, kill: bool = False) -> None:
        """Stop the broker in order, or with `kill` as a crash would."""
        _present(self.broker, "Apache Kafka").stop(kill=kill)

    def restart_broker(self, *, kill: bool = False) -> None:
        """Stop or kill the broker, and start it on the same port and data."""
        _present(self.broker, "Apache Kafka").restart(kill=kill)

    @classmethod
    @contextmanager
    def private(
        cls,
        directory: Path,
        *,
        with_postgres: bool = True,
        with_broker: bool = True,
        durable: bool = False,
        edge: Edge | None = None,
    ) -> Iterator["Stack"]:
        """Run servers of one's own below *directory*; they end with the block, or with this process.

        Args:
            directory: an empty folder, such as `tmp_path`.
            with_postgres: start a PostgreSQL.
            with_broker: start a broker.
            durable: PostgreSQL waits for the disk, and the broker becomes fast in time, as in production.
            edge: what the broker also listens with, beside plain text.
        """
        stack = cls()
        try:
            if with_postgres:
                stack.add_postgres(directory, durable=durable, watched=True)
            if with_broker:
                stack.add_broker(directory, durable=durable, watched=True, edge=edge)
            yield stack
        finally:
            stack.discard()

    def add_postgres(self, directory: Path, *, durable: bool = False, watched: bool) -> None:
        """Create and start the database server.

        Raises:
            Unavailable: it cannot run on this machine.
        """
        cluster = clusters.create(postgres_programs.find(), directory)
        self.know_postgres(cluster, durable=durable, watched=watched)
        self.start_postgres()

    def add_broker(self, directory: Path, *, durable: bool = False, watched: bool, edge: Edge | None = None) -> None:
        """Create and start the broker.

        Raises:
            Unavailable: it cannot run on this machine.
        """
        runtime = kafka_runtime.find(_CACHE, directory.resolve())
        if not durable:
            runtime = (*runtime, *_SOON_READY)
        try:
            self._new_broker(runtime, directory, edge, watched=watched)
        except ServerFailed:  # a port that was free may be taken before the broker listens on it: once more, on others
            self._new_broker(runtime, directory, edge, watched=watched)

    def _new_broker(self, runtime: tuple[str, ...], directory: Path, edge: Edge | None, *, watched: bool) -> None:
        created = brokers.create(runtime, directory, edge)
        self.know_broker(created, watched=watched)
        try:
            self.start_broker()
        except ServerFailed:
            self.kafka = self.broker = None
            brokers.delete(created)
            raise

    def discard(self) -> None:
        """Stop both servers and delete their data."""
        if self.broker is not None and self.kafka is not None:
            self.broker.stop()
            brokers.delete(self.kafka)
        if self.postgres is not None and self.cluster is not None:
            self.postgres.stop()
            clusters.delete(self.cluster)

    def know_postgres(self, cluster: Cluster, *, durable: bool = False, watched: bool, pid: int = 0) -> None:
        """Take up a database server that exists already."""
        settings = _SHARED if durable else _SHARED | _FAST
        start = partial(clusters.launch, cluster, settings)
        self.cluster = cluster
        self.postgres = Service(
            "PostgreSQL", start, f"{cluster.data}", signal.SIGINT, cluster.data.parent, watched, pid
        )

    def know_broker(self, known: Broker, *, watched: bool, pid: int = 0) -> None:
        """Take up a broker that exists already."""
        self.kafka = known
        start = partial(brokers.launch, known)
        self.broker = Service("Apache Kafka", start, f"{known.home}", signal.SIGTERM, known.home, watched, pid)


def _present(part: _Part | None, name: str) -> _Part:
    if part is None:
        raise Unavailable(f"{name} is not running; `make up` starts it")
    return part
