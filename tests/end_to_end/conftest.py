"""Servers for end-to-end tests: workers read topics of fixed names, so no broker is shared with other tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end import broker, database
from tests.end_to_end.deployment import Deployment
from tests.stack import Stack

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is here: all of it needs both servers, and time."""
    for item in items:
        if _HERE in item.path.parents:
            for name in ("postgres", "kafka", "slow"):
                item.add_marker(name)


@pytest.fixture
def deployment(session_broker: str, database_url: str, tmp_path: Path) -> Deployment:
    """A deployment whose servers stay up, with empty topics and tables."""
    broker.renew_topics(session_broker)
    database.prepare(database_url)
    return Deployment(database_url, session_broker, tmp_path)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """Servers that only this test uses, and may stop."""
    with Stack.private(tmp_path / "stack") as stack:
        yield stack


@pytest.fixture
def shaky(stack: Stack, tmp_path: Path) -> Deployment:
    """A deployment on the servers of `stack`."""
    broker.renew_topics(stack.bootstrap)
    database.prepare(stack.database_url)
    return Deployment(stack.database_url, stack.bootstrap, tmp_path)
