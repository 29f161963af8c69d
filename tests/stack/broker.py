"""One Apache Kafka process, broker and controller in one (KRaft), loopback only."""

import base64
import shutil
import signal
import subprocess
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path

from drivers.embedded.processes import ServerFailed, await_ready, free_port, stop
from tests.stack.edge import Edge

_STARTED = b"Kafka Server started"
_SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "auto.create.topics.enable": "false",
    "message.max.bytes": "4194304",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",  # a test may want a dead consumer noticed soon
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "3000",  # a killed broker may come back after this
    "num.network.threads": "2",
    "num.io.threads": "4",
    "log.cleaner.dedupe.buffer.size": "8388608",
}
_LOG4J = """status=warn
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d %p %c{1} %m%n
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
logger.started.name=kafka.server.KafkaRaftServer
logger.started.level=info
"""


@dataclass(frozen=True, slots=True)
class Broker:
    """A formatted broker: its folder, and how it is run and reached."""

    runtime: tuple[str, ...]  # the command up to the JVM's options
    home: Path
    port: int

    @property
    def bootstrap(self) -> str:
        """The address for clients."""
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """The broker's log file."""
        return self.home / "kafka.log"

    def command(self, *arguments: str) -> list[str]:
        """Return the command that runs a main class of Kafka."""
        options = ("-Xmx512m", "-XX:+UseSerialGC", f"-Dlog4j2.configurationFile={self.home}/log4j2.properties")
        return [*self.runtime, *options, *arguments]


def create(runtime: tuple[str, ...], parent: Path, edge: Edge | None = None) -> Broker:
    """Format an empty broker below *parent*.

    Args:
        runtime: the command up to the JVM's options.
        parent: holds its folder.
        edge: what it also listens with, beside plain text.

    Raises:
        ServerFailed: Kafka refused.
    """
    parent.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="kafka-", dir=parent.resolve()))
    broker = Broker(runtime, home, free_port())
    try:
        _format(broker, edge)
    except BaseException:
        delete(broker)
        raise
    return broker


def launch(broker: Broker) -> subprocess.Popen[bytes]:
    """Start the broker in a session of its own (Ctrl-C does not reach it); return once it serves clients.

    Raises:
        ServerFailed: it did not come up.
    """
    with broker.log.open("ab") as log:
        before = log.tell()
        process = subprocess.Popen(
            broker.command("kafka.Kafka", f"{broker.home}/server.properties"),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        await_ready(
            "Apache Kafka",
            lambda: _STARTED in broker.log.read_bytes()[before:],
            lambda: process.poll() is None,
            broker.log,
        )
    except BaseException:
        stop(process, signal.SIGTERM)
        raise
    return process


def delete(broker: Broker) -> None:
    """Remove the broker's data and log."""
    shutil.rmtree(broker.home, ignore_errors=True)


def _format(broker: Broker, edge: Edge | None) -> None:
    controller = f"127.0.0.1:{free_port()}"
    settings = _SETTINGS | {
        "listeners": f"PLAINTEXT://{broker.bootstrap},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{broker.bootstrap}",
        "controller.quorum.voters": f"1@{controller}",
        "log.dirs": f"{broker.home}/data",
    }
    if edge is not None:
        settings = edge.added_to(settings, broker.home)
    (broker.home / "log4j2.properties").write_text(_LOG4J)
    properties = broker.home / "server.properties"
    properties.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    arguments = ("kafka.tools.StorageTool", "format", "--config", f"{properties}", "--cluster-id", cluster)
    users = edge.users() if edge is not None else ()
    command = broker.command("-XX:TieredStopAtLevel=1", *arguments, *users)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ServerFailed(f"Kafka could not format its storage:\n{done.stdout}{done.stderr}")
