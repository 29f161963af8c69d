"""What the documents show is what comes out of the examples, and their queries run."""

import asyncio
import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from drivers.postgres.connections import libpq_url
from drivers.postgres.migrate import migrate
from tests.docs.documents import blocks
from tests.streams.commands import run

EXAMPLE = Path("examples/calls.jsonl")
BUDGETS = Path("examples/budgets.jsonl")
RUNS = Path("examples/runs.jsonl")
TOUR = Path("docs/tour.md")
OUTPUTS = ("facts", "snapshots", "anomalies", "dead", "late")


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_summary_in_the_tour_is_that_of_the_example(capfd: pytest.CaptureFixture[str]) -> None:
    summary = run(capfd, "replay", "--in-memory", EXAMPLE, "--json").summary
    shown = [json.loads(block.text) for block in blocks(TOUR, "json")]
    assert [one | {"events_per_second": 0} for one in shown] == [summary | {"events_per_second": 0}]


def test_the_examples_of_the_contract_are_lines_of_their_replays(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    wanted = [word for name in OUTPUTS for word in (f"--{name}", str(tmp_path / name))]
    assert run(capfd, "replay", "--in-memory", EXAMPLE, *wanted).code == 0
    limited = tmp_path / "limited"
    assert run(capfd, "replay", "--in-memory", EXAMPLE, "--budgets", BUDGETS, "--anomalies", limited).code == 0
    of_runs = [tmp_path / name for name in ("feedback", "predictions")]
    outputs = [word for path in of_runs for word in (f"--{path.name}", path)]
    assert run(capfd, "replay", "--in-memory", RUNS, "--close-all", *outputs).code == 0
    files = [EXAMPLE, RUNS, *(tmp_path / name for name in OUTPUTS), limited, *of_runs]
    known = [line for file in files for line in lines_of(file)]
    shown = [json.loads(block.text) for block in blocks(Path("docs/contract.md"), "json")]
    assert len(shown) == 9
    assert any(line.get("budget") for line in shown)
    for line in shown:
        keyless = line | ({"key": None} if "value_base64" in line else {})  # files have no keys, the topic has
        assert keyless in known


def test_the_facts_in_the_tour_are_those_of_the_example(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(capfd, "replay", "--in-memory", EXAMPLE, "--facts", tmp_path / "facts").code == 0
    facts = lines_of(tmp_path / "facts")
    text = TOUR.read_text()
    told = {f"{one['status']} {one['anomaly_id']} {one['revision']} {one['message']}" for one in facts}
    assert any(line in told for line in text.splitlines())
    rows = re.findall(r"^ (tenant|feature|user) +\| (\S+) +\| \S+ \| (\S+) +\| +(\S+) \|", text, re.MULTILINE)
    spent = {(one["entity_type"], one["entity_id"], one["status"], one["current_nanousd"]) for one in facts}
    assert {(*row[:3], round(float(row[3]) * 10**9)) for row in rows} == spent


def test_queries_in_the_tour_run_and_have_the_columns_that_are_shown(database_url: str) -> None:
    async def heads() -> list[list[str]]:
        await migrate(database_url)
        connection = await asyncpg.connect(libpq_url(database_url))
        try:
            statements = [block.text.split(";")[:-1] for block in blocks(TOUR, "sql")]
            prepared = [[await connection.prepare(one) for one in several] for several in statements]
            for one in (one for several in prepared for one in several):
                await one.fetch()
            return [[column.name for column in several[-1].get_attributes()] for several in prepared]
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as aside:  # a loop of its own: Alembic starts one
        found = aside.submit(asyncio.run, heads()).result()
    plain = [block.text.splitlines() for block in blocks(TOUR, "") if "-+-" in block.text]
    assert found == [[name.strip() for name in lines[0].split("|")] for lines in plain]
