"""``outlay backtest`` from files to scores."""

import gzip
import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from engines.core.time import US_PER_DAY, US_PER_HOUR, format_instant
from tests.engines.prediction.spending import FIRST_DAY, UNIT, spent
from tests.streams.commands import run

START_US = FIRST_DAY * US_PER_DAY


def written(path: Path, events: Iterable[dict[str, Any]]) -> Path:
    text = "".join(json.dumps(event) + "\n" for event in events).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def runs(number: int = 400) -> list[dict[str, Any]]:
    """Return runs, an hour apart; every fourth worker fails mostly."""
    dice = random.Random(1)
    found = []
    for at in range(number):
        worker = dice.randrange(8)
        failed = dice.random() < (0.8 if worker % 4 == 3 else 0.02)
        event = {"type": "run-failed" if failed else "run-completed", "run_id": f"r{at}", "tenant_id": f"t{at % 3}"}
        found.append(event | {"worker_id": f"w{worker}", "occurred_at": format_instant(START_US + at * US_PER_HOUR)})
    return found


def costs(days: int = 125, **members: Any) -> list[dict[str, Any]]:
    body = {"tenant_id": "acme", "model": "m", "input_tokens": 1, "output_tokens": 1, **members}
    return [
        {"id": f"c{at}", "occurred_at": format_instant(START_US + at * US_PER_DAY), "cost_cents": spend / UNIT} | body
        for at, spend in enumerate(spent("weekly", 3, days))
    ]


def test_failures_are_scored_beside_the_simple_ways(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    started = {**runs(1)[0], "type": "run-started"}
    path = written(tmp_path / "runs.jsonl.gz", [started, *runs(), runs()[7]])
    ran = run(capfd, "backtest", path, "--target", "failures")
    assert (ran.code, ran.err) == (0, "")
    assert "402 events; left out: 1 repeated, 1 started only" in ran.out
    assert "400 finished runs; the first 200" in ran.out
    report = run(capfd, "backtest", path, "--target", "failures", "--json").summary
    skill = {score["name"]: score["skill"] for score in report["scores"]}
    assert skill["calibrated"] > 0.3
    assert skill["calibrated"] > skill["worker's own rate, 7 days"]
    assert skill["base rate of the first part"] == 0
    assert sum(row["told"] for row in report["reliability"]) == report["held_out"] == 200


def test_the_order_of_the_lines_does_not_matter(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    mixed = random.Random(2).sample(runs(), 400)
    both = [
        run(capfd, "backtest", written(tmp_path / "runs", lines), "--target", "failures", "--json").summary
        for lines in (runs(), mixed)
    ]
    assert both[0] == both[1]


def test_the_month_end_is_scored_beside_the_simple_ways(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    unpriced = costs(1, id="other", model="no such model", cost_cents=None)
    path = written(tmp_path / "costs.jsonl", [*costs(), *unpriced])
    ran = run(capfd, "backtest", path, "--target", "overrun")
    assert (ran.code, ran.err) == (0, "")
    assert "126 events; left out: 1 without a price" in ran.out
    assert "1 series; months not scored: 2025-01 to 2025-02 (2); held out: 2025-03 to 2025-04 (2)" in ran.out
    report = run(capfd, "backtest", path, "--target", "overrun", "--json", "--train-share", "0.25").summary
    assert report["held_out_months"] == ["2025-02", "2025-03", "2025-04"]
    assert report["forecasts"] == 27 + 30 + 29 == sum(row["forecasts"] for row in report["coverage"])
    assert {score["name"] for score in report["budgets"]} >= {"calibrated", "run-rate", "reference rule on days"}


def test_series_are_told_apart_by_what_is_asked_for(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    one, other = costs(user_id="ann"), costs(user_id="bob", feature_tag="chat")
    path = written(tmp_path / "costs", [*one, *({**event, "id": f"b{event['id']}"} for event in other)])
    found = {
        by: run(capfd, "backtest", path, "--target", "overrun", "--by", by, "--json").summary
        for by in ("tenant", "user", "feature", "worker")
        if by != "worker"
    }
    assert {by: report["series"] for by, report in found.items()} == {"tenant": 1, "user": 2, "feature": 1}
    assert found["feature"]["lines"]["without_entity"] == 125


def test_runs_that_say_what_they_cost_are_spend_too(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    events = [
        {**event, "type": "run-completed", "run_id": event["id"], "worker_id": "w"} for event in costs(70, id=None)
    ]
    for at, event in enumerate(events):
        event["run_id"] = f"r{at}"
    path = written(tmp_path / "runs", events)
    report = run(capfd, "backtest", path, "--target", "overrun", "--by", "worker", "--json").summary
    assert (report["series"], report["held_out_months"]) == (1, ["2025-02"])


@pytest.mark.parametrize(
    "target, line, complaint",
    [
        ("failures", {"type": "run-failed"}, ":21: run_id is missing or null"),
        ("failures", {**runs(1)[0], "worker_id": None}, ":21: worker_id is missing or null"),
        ("failures", {**runs(1)[0], "tenant_id": ""}, ":21: tenant_id is not a string of 1 to 256 characters"),
        ("failures", {**runs(1)[0], "occurred_at": "now"}, ":21: occurred_at is not of the form YYYY"),
        ("failures", {**runs(1)[0], "type": "cost-record"}, ":21: type is not one of run-completed"),
        ("overrun", {**costs(1)[0], "input_tokens": -1}, ":21: input_tokens is negative"),
        ("overrun", {**runs(1)[0], "cost_cents": "7"}, ":21: cost_cents is not a number"),
        ("overrun", {**runs(1)[0], "type": "run-away"}, ":21: type is not one of run-completed"),
        ("overrun", ["no object"], ":21: the value is not a JSON object"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_with_its_field(
    target: str, line: Any, complaint: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    good = runs(20) if target == "failures" else costs(20)
    path = written(tmp_path / "events.jsonl", [*good, line, *good])
    ran = run(capfd, "backtest", path, "--target", target)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("outlay: ")
    assert f"events.jsonl{complaint}" in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    "target, events, complaint",
    [
        ("failures", runs(30), "30 finished runs: a backtest needs 20"),
        ("overrun", costs(40), "1 whole months of spend: a backtest needs 2"),
        ("overrun", costs(90, cost_cents=None), "no line has a price"),
    ],
)
def test_too_little_to_tell_from_is_said(
    target: str, events: list[dict[str, Any]], complaint: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    ran = run(capfd, "backtest", written(tmp_path / "events", events), "--target", target)
    assert (ran.code, ran.out) == (1, "")
    assert complaint in ran.err


def test_a_picture_is_drawn_and_one_that_cannot_be_is_found_out_first(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    for target, events in (("failures", runs()), ("overrun", costs())):
        picture = tmp_path / f"{target}.svg"
        path = written(tmp_path / target, events)
        assert run(capfd, "backtest", path, "--target", target, "--plot", picture).code == 0
        assert b"reliability" in picture.read_bytes()
    ran = run(capfd, "backtest", tmp_path / "not there", "--target", "overrun", "--plot", tmp_path / "picture.txt")
    assert (ran.code, "picture's name ends with" in ran.err) == (2, True)
