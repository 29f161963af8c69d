"""``outlay replay`` from files to files: the same records give the same bytes."""

import gzip
import json
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from drivers.prices import Prices
from engines.core.time import US_PER_HOUR
from tests.streams.commands import run
from tests.streams.replaying import NOW, START_US, adds_up, event, month, read, written


def outputs(capfd: pytest.CaptureFixture[str], folder: Path, lines: Sequence[bytes], *options: str) -> list[bytes]:
    """Return facts, snapshots and anomalies of a replay of *lines*."""
    folder.mkdir()
    wanted = [folder / name for name in ("facts", "snapshots", "anomalies")]
    to = [part for path in wanted for part in (f"--{path.name}", str(path))]
    ran = run(capfd, "replay", written(folder / "in", lines), "--in-memory", "--json", "--now", NOW, *to, *options)
    assert ran.code == 0
    assert adds_up(ran)
    assert ran.summary["late"] == 0
    return [path.read_bytes() for path in wanted]


def test_any_order_within_grace_gives_the_same_bytes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    events = month()
    first = outputs(capfd, tmp_path / "sorted", [value for _, value in events])
    assert all(first)
    for seed in (1, 2):
        dice = random.Random(seed)
        shuffled = sorted(events, key=lambda one: one[0] + dice.randrange(US_PER_HOUR))
        again = [shuffled[at] for at in range(0, len(shuffled), 7)]  # and copies
        mixed = sorted([*shuffled, *again], key=lambda one: one[0] + dice.randrange(US_PER_HOUR))
        assert outputs(capfd, tmp_path / f"shuffled{seed}", [value for _, value in mixed]) == first


def test_any_number_of_partitions_gives_the_same_bytes_when_all_is_closed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = [value for _, value in month()]
    one, *more = (
        outputs(capfd, tmp_path / f"n{n}", lines, "--close-all", "--partitions", str(n)) for n in (1, 2, 3, 12)
    )
    facts = [json.loads(line) for line in one[0].splitlines()]
    assert {fact["status"] for fact in facts} == {"final"}
    assert {json.loads(line)["status"] for line in one[1].splitlines()} == {"complete"}
    assert all(other == one for other in more)


def test_one_line_per_id_and_the_summary_counts_them(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    facts = tmp_path / "facts"
    path = written(tmp_path / "in", [value for _, value in month()])
    ran = run(capfd, "replay", path, "--in-memory", "--json", "--close-all", "--facts", facts, "--now", NOW)
    ids = [line["anomaly_id"] for line in read(facts)]
    assert ids
    assert len(set(ids)) == len(ids) == ran.summary["facts"]["ABSOLUTE_SPIKE"]
    assert (
        facts.read_bytes().splitlines()[0]
        == json.dumps(read(facts)[0], sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    )


def test_what_is_not_asked_for_does_not_change_what_is(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "in", [b"{bad", *(value for _, value in month())])
    alone, together, other = tmp_path / "alone", tmp_path / "together", tmp_path / "other"
    options = ("--in-memory", "--json", "--now", NOW)
    first = run(capfd, "replay", path, *options, "--facts", alone)
    second = run(capfd, "replay", path, *options, "--facts", together, "--snapshots", other, "--dead", tmp_path / "d")
    assert alone.read_bytes() == together.read_bytes()
    assert [first.summary["dead"], second.summary["dead"]] == [1, 1]
    assert first.summary | {"events_per_second": 0} == second.summary | {"events_per_second": 0}


def test_the_summary_has_what_the_contract_lists(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    unknown = event(3, START_US, model="no-such-model", cost_cents=None)
    other = event(1, START_US, cost_cents=7)
    path = written(tmp_path / "in", [event(1, START_US), event(1, START_US), other, unknown])
    ran = run(capfd, "replay", path, "--in-memory", "--json", "--now", NOW, "--rules", "reference")
    summary = ran.summary
    assert summary.pop("events_per_second") > 0
    assert summary.pop("rules")["profile"] == "reference"
    assert summary == {
        "events": 4,
        "accepted": 2,
        "duplicates": 2,
        "conflicting": 1,
        "dead": 0,
        "late": 0,
        "forwarded": 0,
        "restated": 0,
        "unpriced": {"unknown_model": 1},
        "facts": {},
        "genai_prices": Prices().version,
    }


def test_files_are_played_in_the_order_given(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    cheap, dear = event(1, START_US, cost_cents=1), event(1, START_US, cost_cents=9)
    first, second = tmp_path / "b.jsonl.gz", written(tmp_path / "a.jsonl", [dear])
    first.write_bytes(gzip.compress(cheap + b"\n"))
    for files, nanousd in (((first, second), 10_000_000), ((second, first), 90_000_000)):
        shown = tmp_path / "snapshots"
        ran = run(capfd, "replay", *files, "--in-memory", "--json", "--snapshots", shown, "--now", NOW)
        assert ran.summary["conflicting"] == 1
        assert {line["cost_nanousd"] for line in read(shown)} == {nanousd}


def test_standard_input_and_output_may_be_used() -> None:
    command = [sys.executable, "-c", "from streams.cli import main; main()"]
    lines = b"".join(value + b"\n" for _, value in month())
    arguments = ["replay", "-", "--in-memory", "--close-all", "--facts", "-", "--json", "--now", NOW]
    ran = subprocess.run([*command, *arguments], input=lines, capture_output=True, check=True)
    facts = [json.loads(line) for line in ran.stdout.splitlines()]
    assert facts
    assert json.loads(ran.stderr)["facts"] == {"ABSOLUTE_SPIKE": len(facts)}
