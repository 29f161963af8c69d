"""What the tour shows of feedback and predictions is what they are of ``examples/runs.jsonl``."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from drivers.postgres.migrate import migrate
from drivers.postgres.store import PostgresStore
from engines.core.model import TableRow, TopicPartition
from engines.core.time import parse_instant
from tests.docs.documents import blocks
from tests.drivers.rows import feedback, prediction
from tests.drivers.store_subject import LOG, batch
from tests.streams.commands import run

TOUR = Path("docs/tour.md")
EXAMPLE = Path("examples/runs.jsonl")


def row_of_feedback(line: dict[str, Any]) -> TableRow:
    times = {name: parse_instant(line[name]) for name in ("as_of", "active_since")}
    return feedback(**line | times | {"line": json.dumps(line)})


def row_of_prediction(line: dict[str, Any]) -> TableRow:
    times = {name: parse_instant(line[name]) for name in ("as_of", "expires_at")}
    return prediction(**line | times | {"line": json.dumps(line)})


async def store(url: str, rows: list[TableRow]) -> None:
    await migrate(url)
    postgres = PostgresStore(url)
    claimed = await postgres.claim(TopicPartition("runs", 0), LOG)
    changes = {"watermark_us": parse_instant("2025-09-11T08:04:02Z")}
    assert await postgres.commit(batch(claimed, changes, rows=rows))
    await postgres.close()


def test_the_tour_shows_what_is_told_of_the_runs_of_the_example(
    database_url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = {name: tmp_path / name for name in ("feedback", "predictions")}
    options = [word for name, path in paths.items() for word in (f"--{name}", str(path))]
    assert run(capfd, "replay", "--in-memory", EXAMPLE, *options).code == 0
    lines = {name: [json.loads(line) for line in path.read_text().splitlines()] for name, path in paths.items()}
    rows = [*map(row_of_feedback, lines["feedback"]), *map(row_of_prediction, lines["predictions"])]
    asyncio.run(store(database_url, rows))
    monkeypatch.setenv("OUTLAY_DATABASE_URL", database_url.replace("+asyncpg", ""))
    shown = {
        shell.text: after.text
        for shell, after in zip(blocks(TOUR), blocks(TOUR)[1:], strict=False)
        if shell.text.startswith(("outlay feedback list", "outlay predictions list")) and not after.language
    }
    assert len(shown) == len(paths)
    for shell, told in shown.items():
        ran = run(capfd, *shell.split()[1:])
        assert (ran.code, ran.err) == (0, "")
        assert [line.rstrip() for line in ran.out.splitlines()] == told.splitlines()
