"""The generated runs: exactly what is planted is told of them, whatever the seed, through every status that is due."""

import json
from collections import Counter
from functools import cache

import pytest

from drivers.kafka.murmur2 import partition_of
from drivers.topics import load
from engines.core.time import US_PER_DAY, US_PER_HOUR, parse_instant
from engines.patterns.signature import compute_error_signature
from engines.patterns.signature_v2 import compute_signature_v2
from engines.runs.domain import TOPIC, RunsDomain
from streams.demo import run_events
from streams.demo.faults import OPEN_DAY
from streams.demo.incidents import DAYS, FIRST_DAY
from streams.demo.run_events import RunEvents
from streams.demo.verdict_runs import id_of
from streams.demo.workers import WORKERS
from streams.replay import Replay, Replayed

SEEDS = (1, 2, 20_251)
NOW_MS = 1_800_000_000_000
KEPT_BYTES = 5 << 20


@cache
def made(seed: int) -> RunEvents:
    return run_events.run_events(seed)


async def replayed(seed: int) -> Replayed:
    replay = Replay(RunsDomain(), load().named(TOPIC).partitions, NOW_MS)
    await replay.start()
    await replay.feed(made(seed).lines)
    return await replay.finish(close_all=False)


@pytest.mark.parametrize("seed", SEEDS)
async def test_exactly_what_is_planted_is_told(seed: int) -> None:
    ended = await replayed(seed)
    feedback, predictions = map(json.loads, ended.feedback), map(json.loads, ended.predictions)
    found = [
        ((one["pattern_type"], one["tenant_id"], one["worker_id"], one["active_since"][:10]), one["status"])
        for one in feedback
    ] + [
        ((one["prediction_type"], one["tenant_id"], one["subject_id"], one["as_of"][:10]), one["status"])
        for one in predictions
    ]
    due = [notice for fault in made(seed).faults for notice in fault.due]
    assert sorted(found) == sorted((id_of(notice), notice.statuses[-1]) for notice in due)
    assert len(dict(found)) == len(due)
    counted = {name: ended.counts.get(name, 0) for name in ("accepted", "duplicates", "conflicting", "dead", "late")}
    assert counted == {
        "accepted": made(seed).accepted,
        "duplicates": made(seed).duplicates,
        "conflicting": 0,
        "dead": made(seed).dead,
        "late": made(seed).late,
    }
    told = sum(ended.counts[f"sent.{topic}"] for topic in ("pattern-feedback", "predictions"))
    assert told == sum(len(notice.statuses) for notice in due)


def test_every_kind_is_planted() -> None:
    due = [notice for fault in made(1).faults for notice in fault.due]
    kinds = {"failure_pattern", "cost_spike", "failure_likelihood", "cost_overrun"}
    assert {notice.kind for notice in due} == kinds
    assert {status for notice in due for status in notice.statuses} == {
        "active", "cleared", "provisional", "final", "superseded"
    }  # fmt: skip
    assert [notice for notice in due if notice.statuses.count("active") > 1]


def test_a_seed_makes_the_same_events_again_and_another_one_others() -> None:
    assert run_events.run_events(1) == made(1)
    assert run_events.run_events(2).lines != made(1).lines


@pytest.mark.parametrize("seed", SEEDS)
def test_an_error_that_recurs_varies_in_its_words(seed: int) -> None:
    events = [json.loads(line) for line in made(seed).lines]
    for fault in made(seed).faults:
        errors = {one["error"] for one in events if one["worker_id"] == fault.worker_id and "error" in one}
        if fault.error:
            assert len(errors) > 5
            assert len({compute_signature_v2(error) for error in errors}) == 1
            assert len({compute_error_signature(error) for error in errors}) > 5


@pytest.mark.parametrize("seed", SEEDS)
def test_the_events_have_what_they_are_meant_to_show(seed: int) -> None:
    events = [json.loads(line) for line in made(seed).lines]
    times = [parse_instant(one["occurred_at"]) for one in events]
    newest, behind = 0, []
    for at in times:
        newest = max(newest, at)
        behind.append(newest - at)
    assert sum(US_PER_HOUR // 4 < late < US_PER_HOUR for late in behind) > 10
    assert len([late for late in behind if late >= US_PER_HOUR]) == made(seed).late == 1
    assert made(seed).duplicates > 40
    assert {at // US_PER_DAY for at in times} == set(range(FIRST_DAY, FIRST_DAY + DAYS + 1))
    types = Counter(one["type"] for one in events)
    assert types.keys() == {"run-started", "run-completed", "run-failed", "run-crashed", "run-aborted"}
    healthy = Counter(one["worker_id"] for one in events if one["type"] == "run-failed")
    assert all(healthy[worker.name] > 0 for worker in WORKERS if worker.error is not None)
    assert 5_000 <= len(events) <= 8_000
    assert len(events) == made(seed).accepted + made(seed).duplicates + made(seed).dead + made(seed).late


@pytest.mark.parametrize("seed", SEEDS)
def test_every_tenant_ends_at_one_moment_before_which_nothing_happens_for_an_hour(seed: int) -> None:
    times: dict[str, list[int]] = {}
    for one in map(json.loads, made(seed).lines):
        times.setdefault(one["tenant_id"], []).append(parse_instant(one["occurred_at"]))
    ends = {max(of) for of in times.values()}
    assert len(ends) == 1
    (end,) = ends
    assert end > OPEN_DAY * US_PER_DAY
    assert max(sorted(set(of))[-2] for of in times.values()) < end - US_PER_HOUR


@pytest.mark.parametrize("seed", SEEDS)
def test_no_partition_outgrows_what_the_embedded_broker_keeps(seed: int) -> None:
    partitions = load().named(TOPIC).partitions
    size: Counter[int] = Counter()
    for line in made(seed).lines:
        size[partition_of(json.loads(line)["tenant_id"].encode(), partitions)] += len(line)
    assert max(size.values()) < KEPT_BYTES / 2  # uncompressed
