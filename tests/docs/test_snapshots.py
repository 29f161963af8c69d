"""What the tour shows of ``outlay snapshots`` is what it says of ``examples/calls.jsonl``."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.docs.documents import blocks
from tests.docs.test_top import EXAMPLE, TOUR, row_of_anomaly, row_of_snapshot, store
from tests.streams.commands import run


def test_the_tour_shows_what_snapshots_says_of_the_example(
    database_url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = {name: tmp_path / name for name in ("snapshots", "anomalies")}
    options = [word for name, path in paths.items() for word in (f"--{name}", str(path))]
    assert run(capfd, "replay", "--in-memory", EXAMPLE, *options).code == 0
    lines = {name: [json.loads(line) for line in path.read_text().splitlines()] for name, path in paths.items()}
    rows = [*map(row_of_snapshot, lines["snapshots"]), *map(row_of_anomaly, lines["anomalies"])]
    asyncio.run(store(database_url, rows))
    monkeypatch.setenv("OUTLAY_DATABASE_URL", database_url.replace("+asyncpg", ""))
    shell, shown = next(
        (shell.text, after.text)
        for shell, after in zip(blocks(TOUR), blocks(TOUR)[1:], strict=False)
        if shell.text.startswith("outlay snapshots")
    )
    ran = run(capfd, *shell.split()[1:])
    assert (ran.code, ran.err) == (0, "")
    assert [line.rstrip() for line in ran.out.splitlines()] == shown.splitlines()
