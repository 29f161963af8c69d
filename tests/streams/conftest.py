"""Commands on a database of the test's own."""

import os

import pytest

from drivers.postgres.migrate import migrate
from tests.streams.commands import Outlay, aside, run


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("OUTLAY_"):
            monkeypatch.delenv(name)


@pytest.fixture
def outlay(database_url: str, bare: None, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Outlay:
    """Runs commands on a database of this test's own."""
    del bare
    aside(migrate(database_url))
    monkeypatch.setenv("OUTLAY_DATABASE_URL", database_url)
    return lambda *arguments: run(capfd, *arguments)
