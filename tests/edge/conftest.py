"""A broker and a database with certificates of our own, and the roles that docs/operations.md makes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.kafka.connection import KafkaConnection, SaslMechanism
from tests.edge.servers import HUSH, USER, Servers, admit_roles
from tests.stack import Stack
from tests.stack.edge import Edge, certify

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is here: all of it needs servers of its own, and time."""
    for item in items:
        if _HERE in item.path.parents:
            for name in ("postgres", "kafka", "slow"):
                item.add_marker(name)


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Both servers; tests share them and the one database."""
    folder = tmp_path_factory.mktemp("edge")
    for name in ("ours", "others"):
        (folder / name).mkdir()
    ours, others = certify(folder / "ours"), certify(folder / "others")
    edge = Edge(ours, USER, HUSH)
    with Stack.private(folder / "stack", edge=edge) as stack:
        servers = Servers(stack, edge, ours, others)
        asyncio.run(admit_roles(servers))
        yield servers


@pytest.fixture(params=["PLAIN", "SCRAM-SHA-256"])
def mechanism(request: pytest.FixtureRequest) -> SaslMechanism:
    """Each way to log in."""
    found: SaslMechanism = request.param
    return found


@pytest.fixture
def login(servers: Servers, mechanism: SaslMechanism) -> KafkaConnection:
    """The broker, through TLS and a login."""
    return servers.login(mechanism)
