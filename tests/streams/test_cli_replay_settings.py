"""``outlay replay --budgets --tags``: settings that are known before the first record."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.streams.commands import Ran, run

NOW = "2026-06-01T00:00:00Z"
OUTPUTS = ("anomalies", "snapshots")


def spending(folder: Path) -> Path:
    """Write a file: five days of four records of a dollar each, all for one feature."""
    members = {"tenant_id": "acme", "model": "m", "input_tokens": 1, "output_tokens": 1, "feature_tag": "triage"}
    records = [
        {"id": f"{day}-{hour}", "occurred_at": f"2026-03-0{day}T0{hour}:00:00Z", "cost_cents": 100} | members
        for day in range(1, 6)
        for hour in range(4)
    ]
    return written(folder / "in.jsonl", *records)


def written(path: Path, *lines: dict[str, Any]) -> Path:
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


def replayed(capfd: pytest.CaptureFixture[str], folder: Path, *options: str | Path) -> tuple[Ran, dict[str, Any]]:
    to = [word for name in OUTPUTS for word in (f"--{name}", folder / name)]
    ran = run(capfd, "replay", "--in-memory", spending(folder), "--json", "--now", NOW, *to, *options)
    lines = {name: [json.loads(line) for line in (folder / name).read_text().splitlines()] for name in OUTPUTS}
    return ran, lines


def test_budgets_judge_the_days_that_end_after_they_took_effect(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    budgets = written(
        tmp_path / "B.jsonl",
        {"tenant_id": "acme", "budget_type": "tenant", "monthly_limit_cents": 2_000},
        {
            "tenant_id": "acme",
            "budget_type": "feature",
            "entity_id": "triage",
            "daily_limit_cents": 400,
            "effective_from": "2026-03-03T12:00:00Z",
        },
        {
            "tenant_id": "acme",
            "budget_type": "feature",
            "entity_id": "triage",
            "is_active": False,
            "effective_from": "2026-03-05T00:00:00Z",
        },
    )
    ran, lines = replayed(capfd, tmp_path, "--budgets", budgets, "--close-all")
    assert ran.code == 0
    found = [(line["window_start"][:10], line["entity_type"], line["anomaly_type"]) for line in lines["anomalies"]]
    assert found == [
        ("2026-03-01", "tenant", "BUDGET_EXCEEDED"),
        ("2026-03-03", "feature", "BUDGET_EXCEEDED"),
        ("2026-03-04", "feature", "BUDGET_EXCEEDED"),
    ]
    assert ran.summary["facts"] == {"BUDGET_EXCEEDED": 3}
    assert ran.summary["rules"]["changed"] == {}


def test_tags_change_the_records_that_occur_after_they_took_effect(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    inactive = {"tenant_id": "acme", "tag": "triage", "is_active": False, "effective_from": "2026-03-04T02:00:00Z"}
    tags = written(tmp_path / "T.jsonl", {"tenant_id": "acme", "tag": "triage"}, inactive)
    ran, lines = replayed(capfd, tmp_path, "--tags", tags)
    assert ran.code == 0
    spent = {
        (line["start"][:10], line["entity_id"]): line["requests"]
        for line in lines["snapshots"]
        if (line["window"], line["entity_type"]) == ("day", "feature")
    }
    assert spent == {
        ("2026-03-01", "triage"): 4,
        ("2026-03-02", "triage"): 4,
        ("2026-03-03", "triage"): 4,
        ("2026-03-04", "triage"): 2,
        ("2026-03-04", "unclassified"): 2,
        ("2026-03-05", "unclassified"): 4,
    }


def test_a_line_that_is_not_valid_is_named_before_anything_is_played(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    budgets, tags = tmp_path / "B.jsonl", tmp_path / "T.jsonl"
    budgets.write_text('{"tenant_id":"acme","budget_type":"tenant"}\n\n{"tenant_id":"acme","budget_type":"user"}\n')
    tags.write_text('{"tenant_id":"acme","tag":""}')
    options = ("replay", "--in-memory", tmp_path / "no-such-file")
    for option, path, told in (
        ("--budgets", budgets, f"{budgets}, line 3: entity_id: is needed: whose user budget is it"),
        ("--tags", tags, f"{tags}, line 1: tag: string should have at least 1 character"),
    ):
        ran = run(capfd, *options, option, path)
        assert ran.code == 2
        assert told in ran.err
        assert ran.err.count("\n") == 1


def test_a_file_of_settings_that_is_not_there_is_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for path in (tmp_path / "absent", tmp_path):
        ran = run(capfd, "replay", "--in-memory", spending(tmp_path), "--tags", path)
        assert (ran.code, ran.err.count("\n")) == (1, 1)
        assert str(path) in ran.err


def test_an_output_is_never_written_over_a_file_of_settings(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    tags = written(tmp_path / "T.jsonl", {"tenant_id": "acme", "tag": "triage"})
    ran = run(capfd, "replay", "--in-memory", spending(tmp_path), "--tags", tags, "--facts", tags)
    assert (ran.code, "is an input" in ran.err) == (2, True)
    assert json.loads(tags.read_text())["tag"] == "triage"
