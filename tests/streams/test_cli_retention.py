"""``outlay migrate`` and ``outlay retention`` as programs read them, on a real PostgreSQL."""

import pytest

from drivers.postgres.schema_version import NEWEST
from tests.streams.commands import listed, run


def test_what_was_migrated_and_dropped_can_be_had_as_json(
    database_url: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTLAY_DATABASE_URL", database_url.replace("+asyncpg", ""))
    (migrated,) = listed(run(capfd, "migrate", "--json"))
    assert (migrated["database"], migrated["revision"]) == (0, f"{NEWEST:04d}")
    assert listed(run(capfd, "retention", "--dry-run", "--json")) == []
    assert listed(run(capfd, "retention", "--json")) == []
    assert run(capfd, "retention").out == "dropped: nothing\n"
