"""Servers for tests. A test that asks for one is marked so; PARTIAL=1 leaves out what cannot run."""

import os
from collections.abc import Iterator

import pytest

from tests.stack import Stack, shared
from tests.stack.databases import fresh_database

_NEEDS = {"postgres": {"database_url", "module_database_url", "stack"}, "kafka": {"bootstrap", "stack"}}
_PARTIAL = os.environ.get("PARTIAL") == "1"
_left_out: list[str] = []


@pytest.fixture(scope="session")
def stack() -> Stack:
    """Both servers of `make up`, shared by all tests: do not stop them; `Stack.private` gives a test its own."""
    return shared.load()


@pytest.fixture
def database_url() -> Iterator[str]:
    """The SQLAlchemy URL of an empty database that only this test uses."""
    with fresh_database(shared.load()) as url:
        yield url


@pytest.fixture(scope="module")
def module_database_url() -> Iterator[str]:
    """The SQLAlchemy URL of a database, empty at first, that the tests of this module share."""
    with fresh_database(shared.load()) as url:
        yield url


@pytest.fixture(scope="session")
def bootstrap() -> str:
    """The address of the shared broker. Topics are shared too: use names of your own."""
    return shared.load().bootstrap


@pytest.fixture(scope="session")
def session_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A broker that one test at a time uses, for workers read topics of fixed names; not to be stopped for good."""
    with Stack.private(tmp_path_factory.mktemp("broker"), with_postgres=False) as stack:
        yield stack


@pytest.fixture
def session_broker(session_stack: Stack) -> str:
    """The address of that broker."""
    return session_stack.bootstrap


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what needs a server; with PARTIAL=1 leave out what needs a server that does not run."""
    absent = _absent() if _PARTIAL else set()
    kept = []
    for item in items:
        names = set(getattr(item, "fixturenames", ()))
        for marker, fixtures in _NEEDS.items():
            if names & fixtures:
                item.add_marker(marker)
        if any(item.get_closest_marker(marker) for marker in absent):
            _left_out.append(item.nodeid)
        else:
            kept.append(item)
    if _left_out:
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand what was left out to the process that prints the summary."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = _left_out


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    """Take over what a worker left out; all workers leave out the same."""
    _left_out[:] = getattr(node, "workeroutput", {}).get("left_out", _left_out)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which tests did not run."""
    if _left_out:
        terminalreporter.section(
            f"PARTIAL: {len(_left_out)} tests did not run, without {' and '.join(sorted(_absent()))}"
        )
        terminalreporter.write_line("\n".join(_left_out))


def _absent() -> set[str]:
    running = shared.environment(shared.load())
    variables = {"postgres": "OUTLAY_TEST_DATABASE_URL", "kafka": "OUTLAY_TEST_KAFKA"}
    return {marker for marker, variable in variables.items() if variable not in running}
