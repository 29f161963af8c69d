from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import pytest

from bench.signatures import groupings, main, score

_LINES = [
    {"system": "a", "message": "block 17 lost", "event": "E1"},
    {"system": "a", "message": "block 4 lost", "event": "E1"},
    {"system": "a", "message": "state: ready", "event": "E2"},
    {"system": "a", "message": "state: busy", "event": "E2"},
    {"system": "a", "message": "item 1 and 2 of kind_1 sold", "event": "E3"},
    {"system": "a", "message": "item 1 and 2 of kind_2 sold", "event": "E4"},
    {"system": "b", "message": "bye", "event": "E1"},
]


def test_a_group_counts_when_it_is_exactly_an_event() -> None:
    assert score(["x", "x", "y"], ["1", "1", "2"]) == (1.0, 1.0, 2, 2)
    assert score(["x", "x", "x"], ["1", "1", "2"]) == (0.0, 0.0, 1, 2)
    assert score(["x", "y", "z"], ["1", "1", "2"]) == (1 / 3, 2 / 5, 3, 2)


def test_accuracy_counts_messages_and_f1_counts_groups() -> None:
    groups = ["x"] * 8 + ["y", "z"]
    assert score(groups, ["1"] * 8 + ["2", "2"]) == (0.8, 2 / 5, 3, 2)


def test_what_is_compared_groups_place_by_place() -> None:
    for name, group in groupings().items():
        assert len(group(["a 1", "b", "a 2"])) == 3, name


@pytest.mark.parametrize("zipped", [False, True])
def test_the_command_prints_scores_of_each_system_and_their_mean(
    zipped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content = "".join(json.dumps(line) + "\n" for line in _LINES).encode()
    path = tmp_path / ("lines.jsonl.gz" if zipped else "lines.jsonl")
    path.write_bytes(gzip.compress(content) if zipped else content)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys, "argv", ["signatures", str(path)])
    main()
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in capsys.readouterr().out.splitlines()]
    scores = {row[0]: row[5] for row in rows if len(row) >= 6}
    assert scores["a"] == "0.333 0.250      4"
    assert scores["b"] == "1.000 1.000      1"
    assert scores["mean"] == "0.667 0.625"


def test_the_command_shows_what_is_split_and_what_is_merged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in _LINES))
    monkeypatch.setattr(sys, "argv", ["signatures", str(path), "--misses", "a"])
    main()
    assert capsys.readouterr().out.splitlines() == [
        "E2 has 2 templates:",
        "       1 state: ready",
        "       1 state: busy",
        "E3 (1), E4 (1) have one: item <*> and <*> of <*> sold",
    ]
