"""What the tour shows of ``outlay top`` is what it says of ``examples/calls.jsonl``."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from drivers.postgres.migrate import migrate
from drivers.postgres.store import PostgresStore
from engines.core.model import TableRow
from engines.core.time import US_PER_DAY, parse_instant
from tests.docs.documents import blocks
from tests.drivers.rows import anomaly, snapshot
from tests.drivers.store_subject import LOG, TP, batch
from tests.streams.commands import run

TOUR = Path("docs/tour.md")
EXAMPLE = Path("examples/calls.jsonl")
WATERMARK_US = parse_instant("2025-09-11T08:55:00Z")


def row_of_snapshot(line: dict[str, Any]) -> TableRow:
    return snapshot(**line | {"window_kind": line["window"], "start_at": parse_instant(line["start"])})


def row_of_anomaly(line: dict[str, Any]) -> TableRow:
    window = {name: parse_instant(line[name]) for name in ("window_start", "window_end")}
    return anomaly(**line | window | {"line": json.dumps(line)})


async def store(url: str, rows: list[TableRow]) -> None:
    await migrate(url)
    postgres = PostgresStore(url)
    claimed = await postgres.claim(TP, LOG)
    changes = {"watermark_us": WATERMARK_US, "closed_through": WATERMARK_US // US_PER_DAY - 1}
    assert await postgres.commit(batch(claimed, changes, rows=rows))
    await postgres.close()


def test_the_tour_shows_what_top_says_of_the_example(
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
        if shell.text.startswith("outlay top ")
    )
    ran = run(capfd, *shell.split()[1:])
    assert (ran.code, ran.err) == (0, "")
    head, freshness, *tables = [line.rstrip() for line in ran.out.splitlines()]
    assert freshness.startswith("event time 2025-09-11T08:55:00Z, ")
    assert shown.splitlines() == [head, *tables]
