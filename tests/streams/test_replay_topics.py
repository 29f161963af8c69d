"""A replay of several topics: where each line goes, and that no topic sees the lines of another."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from drivers.prices import Prices
from engines.core.time import US_PER_HOUR, US_PER_MINUTE, format_instant, parse_instant
from engines.cost.domain import CostDomain
from engines.cost.rules import STANDARD
from engines.runs.domain import RunsDomain
from streams.replay import Replay, Replayed
from streams.replays import Replays
from tests.streams.commands import run
from tests.streams.replaying import NOW, START_US, adds_up, event, read, written

NOW_MS = parse_instant(NOW) // 1000
LISTS = ("facts", "snapshots", "anomalies", "feedback", "predictions", "dead", "late")


def run_event(number: int, at_us: int, **members: Any) -> bytes:
    body = {
        "type": "run-completed",
        "run_id": f"r{number}",
        "tenant_id": "acme",
        "worker_id": f"w{number % 2}",
        "occurred_at": format_instant(at_us),
        "cost_cents": 5,
    }
    return json.dumps(body | members).encode()


def of_runs() -> list[tuple[int, bytes]]:
    """Return (event time, event): two workers whose runs fail at times for one reason, and one dear run."""
    found = []
    for number in range(120):
        at_us = START_US + number * 25 * US_PER_MINUTE
        members: dict[str, Any] = {}
        if number in {40, 42, 44, 46, 90, 91, 92}:
            members = {"type": "run-failed", "error": f"timeout after {number} s", "cost_cents": None}
        if number == 100:
            members = {"cost_cents": 500}
        found.append((at_us, run_event(number, at_us, **members)))
    return found


def of_costs() -> list[tuple[int, bytes]]:
    at = [START_US + number * US_PER_HOUR for number in range(120)]
    return [(at_us, event(number, at_us, cost_cents=1 + 5_000 * (number > 100))) for number, at_us in enumerate(at)]


def both(partitions: int = 1) -> Replays:
    return Replays(CostDomain(Prices(), STANDARD), {"run-": RunsDomain()}, partitions, NOW_MS)


async def ended(replay: Replay | Replays, lines: Sequence[bytes], *, close_all: bool = True) -> Replayed:
    await replay.start()
    await replay.feed(lines)
    return await replay.finish(close_all=close_all)


@pytest.mark.parametrize("close_all", [False, True])
@pytest.mark.parametrize("partitions", [1, 3])
async def test_lines_of_two_topics_in_one_file_come_to_what_they_come_to_apart(
    partitions: int, *, close_all: bool
) -> None:
    refused = (START_US + 50 * US_PER_HOUR, b'{"type":"run-failed","tenant_id":"acme"}'), (START_US, b"{}")
    late = (START_US + 60 * US_PER_HOUR, run_event(999, START_US))
    costs, runs = sorted([*of_costs(), refused[1]]), sorted([*of_runs(), refused[0], late])
    mixed = await ended(both(partitions), [line for _, line in sorted([*costs, *runs])], close_all=close_all)
    alone = [
        await ended(Replay(domain, partitions, NOW_MS), [line for _, line in lines], close_all=close_all)
        for domain, lines in ((CostDomain(Prices(), STANDARD), costs), (RunsDomain(), runs))
    ]
    for name in LISTS:
        assert getattr(mixed, name) == [line for one in alone for line in getattr(one, name)], name
        assert getattr(mixed, name) or (name == "facts"), name
    names = {*alone[0].counts, *alone[1].counts}
    assert mixed.counts == {name: sum(one.counts.get(name, 0) for one in alone) for name in names}
    assert mixed.facts_by_type == alone[0].facts_by_type
    assert mixed.adds_up
    dead = [json.loads(line) for line in mixed.dead]
    assert [line["topic"] for line in dead] == ["costs", "runs"]
    if partitions == 1:
        assert [line["offset"] for line in dead] == [costs.index(refused[1]), runs.index(refused[0])]


@pytest.mark.parametrize("partitions", [1, 3])
async def test_any_order_within_grace_gives_the_same_patterns_and_predictions(partitions: int) -> None:
    events = sorted([*of_costs(), *of_runs()])
    first = await ended(both(), [line for _, line in events])
    assert first.feedback
    assert first.predictions
    dice = random.Random(7)
    shuffled = sorted([*events, *events[::5]], key=lambda one: one[0] + dice.randrange(US_PER_HOUR))
    second = await ended(both(partitions), [line for _, line in shuffled])
    assert [getattr(second, name) for name in LISTS] == [getattr(first, name) for name in LISTS]


@pytest.mark.parametrize(
    "line, topic",
    [
        (b"{}", "costs"),
        (b'{"type":null,"note":"run-failed"}', "costs"),
        (b'{"type":"cost-record"}', "costs"),
        (b'{"type":"cost-record","request_id":"run-1"}', "costs"),
        (b'{"type":"walk-failed"}', "costs"),
        (b'{"type":["run-failed"]}', "costs"),
        (b'{"of":{"type":"run-failed"}}', "costs"),
        (b'{"type":"run-failed","type":"cost-record"}', "costs"),
        (b'"run-failed"', "costs"),
        (b'{"type":"run-failed"', "costs"),
        (b'{"type":"run-failed"}', "runs"),
        (b'{"type":"run-walked"}', "runs"),
        (b'{"type":"cost-record","type":"run-failed"}', "runs"),
        (b'{"t\\u0079pe":"\\u0072un-failed"}', "runs"),
    ],
)
async def test_a_line_goes_to_the_topic_of_its_type_and_is_refused_there(line: bytes, topic: str) -> None:
    found = await ended(both(), [b"\xff", line])
    dead = [json.loads(letter) for letter in found.dead]
    assert [(letter["topic"], letter["offset"]) for letter in dead] == [("costs", 0), (topic, int(topic == "costs"))]


async def test_what_a_plain_decoder_cannot_read_is_whose_event_it_is() -> None:
    nested = b"[" * 60 + b"]" * 60
    line = run_event(1, START_US)[:-1] + b',"deep":' + nested + b',"broken":"\\ud800"}'
    found = await ended(both(), [line])
    assert (found.counts["accepted"], found.dead) == (1, [])


def test_the_command_writes_feedback_and_predictions_and_sums_up_both_topics(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    calls = written(tmp_path / "calls.jsonl", [line for _, line in of_costs()])
    runs = written(tmp_path / "runs.jsonl", [line for _, line in of_runs()])
    to = [tmp_path / name for name in ("feedback", "predictions")]
    options = [part for path in to for part in (f"--{path.name}", str(path))]
    ran = run(capfd, "replay", calls, runs, "--in-memory", "--json", "--now", NOW, "--close-all", *options)
    assert ran.code == 0
    assert adds_up(ran)
    assert ran.summary["accepted"] == 240
    feedback, predictions = map(read, to)
    assert {line["pattern_type"] for line in feedback} == {"failure_pattern", "cost_spike"}
    assert {line["subject_id"] for line in predictions} == {"w0"}
    assert not [line for line in [*feedback, *predictions] if line["revision"] % 2 == 0], "all is final at the end"
