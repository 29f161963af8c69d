"""The whole demo, as somebody who has just installed Outlay runs it."""

import gzip
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

COMMAND = [sys.executable, "-c", "from streams.cli import main; main()", "demo"]
NOT_OURS = {"OUTLAY_KAFKA_BOOTSTRAP_SERVERS": "nowhere:1", "OUTLAY_RULES": "nonsense", "NO_COLOR": "1"}
"""A user's own settings, which the demo must not meet."""

pytestmark = pytest.mark.slow


@pytest.fixture
def folder() -> Iterator[Path]:
    """The demo's temporary folder, which every user may pass through: as root PostgreSQL runs as another one."""
    with tempfile.TemporaryDirectory(prefix="demo-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, **NOT_OURS, "TMPDIR": str(folder)}


def play(folder: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [*COMMAND, *arguments],
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=150,
    )
    return done.returncode, done.stdout


def test_the_demo_finds_what_was_planted_and_all_its_checks_hold(folder: Path) -> None:
    code, out = play(folder, "--seed", "4")
    assert code == 0, out
    assert "All 25 checks hold" in out
    assert "NO" not in [line.split()[-1] for line in out.splitlines() if line.strip()]
    told = [line for line in out.splitlines() if line.startswith("[") and " fact " in line]
    for status in ("provisional", "final"):
        assert sum(f"fact {status}" in line and "feature storyboard-render" in line for line in told) == 1
        assert sum(f"fact {status}" in line and "day 2" in line and "user milton" in line for line in told) == 1
        assert sum(f"fact {status}" in line and "FEATURE_SURGE: image-captions" in line for line in told) == 1
        assert sum(f"fact {status}" in line and "BUDGET_EXCEEDED" in line for line in told) == 1
    assert sum("fact final, restated" in line and "user chloe" in line for line in told) == 1
    assert not [line for line in told if "withdrawn" in line]
    runs = [line for line in out.splitlines() if line.startswith("[") and "] runs " in line]
    imported = [line.split()[4] for line in runs if "failure_pattern of hooli-retail catalog-import" in line]
    assert imported == ["active", "cleared", "active", "cleared"]
    assert sum("runs active" in line and "cost_overrun of umbrella-research" in line for line in runs) == 5
    assert sum("runs final" in line and "cost_spike of umbrella-research" in line for line in runs) == 4
    assert sum("runs active" in line and "failure_likelihood of initech-dev" in line for line in runs) == 3
    assert "outlay budgets set --tenant northwind-legal" in out
    assert "input_tokens is negative" in out
    assert "type is not one of run-started" in out
    for tenant in ("acme-support", "globex-studio", "hooli-retail", "initech-dev", "tyrell-robotics"):
        assert sum(line.startswith(f"{tenant} ") and line.rstrip().endswith(" yes") for line in out.splitlines()) == 1
    assert "Traceback" not in out
    assert list(folder.iterdir()) == []


def test_it_plays_records_of_ones_own_and_compares_with_a_replay(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl.gz"
    with gzip.open(path, "wb") as file:
        for number in range(3000):
            file.write(b"%s\n" % json.dumps(record(number)).encode())
        file.write(b"nonsense\n")
    code, out = play(folder, "--data", str(path))
    assert code == 0, out
    assert "All 4 checks hold" in out
    assert "Feedback and predictions" not in out
    assert "2,990 accepted + 10 duplicates + 1 dead + 0 late + 0 forwarded = 3,001 of 3,001 published" in out
    assert list(folder.iterdir()) == []


def test_runs_among_ones_own_records_go_to_their_topic(folder: Path, tmp_path: Path) -> None:
    calls, runs = tmp_path / "calls.jsonl", tmp_path / "runs.jsonl"
    calls.write_text("".join(json.dumps(record(number)) + "\n" for number in range(1000)))
    runs.write_text("".join(json.dumps(failure(number)) + "\n" for number in range(40)))
    code, out = play(folder, "--data", str(calls), "--data", str(runs))
    assert code == 0, out
    assert "All 6 checks hold" in out
    assert "= 1,040 of 1,040 published" in out
    assert "no rights for <*>" in out


def test_kept_up_it_answers_the_commands_it_prints_until_it_is_interrupted(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    events = [*map(record, range(3000)), *map(failure, range(6))]
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    with subprocess.Popen(
        [*COMMAND, "--keep", "--data", str(path)],
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        printed = []
        for line in process.stdout:
            printed.append(line.strip())
            if line.startswith("  kcat"):
                break
        exports = [word for line in printed if line.startswith("export ") for word in shlex.split(line)[1:]]
        theirs = dict(word.split("=", 1) for word in exports)
        plain = {name: value for name, value in os.environ.items() if not name.startswith("OUTLAY_")}
        answers = [
            subprocess.run(
                [*COMMAND[:-1], *shlex.split(line, comments=True)[1:]],
                env=plain | theirs,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                timeout=60,
            )
            for line in printed
            if line.startswith("outlay ") and "snapshots" not in line
        ]
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    assert [answer.returncode for answer in answers] == [0] * 6, [answer.stdout for answer in answers]
    assert any("costs/0" in answer.stdout for answer in answers)
    assert any("no rights for <*>" in answer.stdout for answer in answers)
    assert any("failure_likelihood" in answer.stdout for answer in answers)
    assert any("acknowledged by" in answer.stdout for answer in answers)
    assert theirs["OUTLAY_DATABASE_URL"].startswith("postgresql://")
    assert "everything is stopped and removed" in rest
    assert process.returncode == 0, rest
    assert list(folder.iterdir()) == []


def record(number: int) -> dict[str, object]:
    copied = number - 1 if number % 300 == 299 else number
    return {
        "id": f"mine-{copied}",
        "tenant_id": f"tenant-{copied % 13}",
        "occurred_at": f"2026-01-{1 + copied // 300:02d}T{copied // 13 % 24:02d}:00:00Z",
        "model": "gpt-4o",
        "input_tokens": 1000 + copied,
        "output_tokens": 10,
    }


def failure(number: int) -> dict[str, object]:
    return {
        "type": "run-failed",
        "run_id": f"run-{number}",
        "tenant_id": "tenant-1",
        "worker_id": "sweeper",
        "occurred_at": f"2026-01-{1 + number // 20:02d}T{number % 20:02d}:00:00Z",
        "error": f"no rights for user{number}@example.com",
    }


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_behind_however_it_ends(folder: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        COMMAND,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "publishing" in line:
                break
        children = psutil.Process(process.pid).children(recursive=True)
        assert any("postgres" in child.name() for child in children)
        process.send_signal(number)
        out, _ = process.communicate(timeout=60)
    deadline_s = time.monotonic() + 40
    while (alive := [child for child in children if runs(child)]) and time.monotonic() < deadline_s:
        time.sleep(0.2)
    assert alive == []
    expected = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}
    assert process.returncode == expected[number], out
    assert "Traceback" not in out
    assert list(folder.iterdir()) == []


def runs(process: psutil.Process) -> bool:
    """Whether *process* still does anything: one that ended and that nobody waits for is only a name."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_file_that_is_not_there_ends_it_before_anything_starts(folder: Path, tmp_path: Path) -> None:
    code, out = play(folder, "--data", str(tmp_path / "nowhere.jsonl"))
    assert (code, out) == (1, f"outlay: {tmp_path / 'nowhere.jsonl'}: No such file or directory\n")
    assert list(folder.iterdir()) == []
