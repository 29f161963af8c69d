"""A file through publish, a broker and two workers, one of them killed, ends as its replay in memory does."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from streams import app, fates
from streams.replay import Replay, Replayed
from tests import oracle
from tests.end_to_end import broker, exact, records
from tests.end_to_end.deployment import PARTITIONS, Deployment
from tests.end_to_end.exact import Left

Line = dict[str, Any]
_TOTALS = (
    *("tenant_id", "entity_type", "entity_id", "window", "start"),
    *("requests", "unpriced_requests", "retry_requests"),
    *("input_tokens", "cached_input_tokens", "output_tokens", "cost_nanousd"),
)


@pytest.mark.parametrize("name", records.whole_files())
def test_a_worker_killed_in_the_middle_of_a_file_changes_nothing(
    deployment: Deployment, tmp_path: Path, name: str
) -> None:
    lines = records.lines_of(name)
    halves = [tmp_path / f"half-{n}.jsonl.gz" for n in (1, 2)]
    for path, half in zip(halves, (lines[: len(lines) // 2], lines[len(lines) // 2 :]), strict=True):
        path.write_bytes(gzip.compress(b"\n".join(half), 1))
    with ExitStack() as held:
        with deployment.publishing(halves[0]):
            victim, _ = (held.enter_context(deployment.worker(chunk_records=200)) for _ in range(2))
        with deployment.publishing(halves[1], "--rate", len(lines) / 8):
            deployment.reached(len(lines) * 6 // 10)
            victim.kill()
            held.enter_context(deployment.worker())
        exact.settled(deployment)
    found, wanted = exact.left(deployment), replayed(lines)
    counts = (fates.EVENTS, *fates.FATES, fates.CONFLICTING)
    assert {name: found.counts.get(name, 0) for name in counts} == {name: wanted.counts.get(name, 0) for name in counts}
    same(found, wanted)


@pytest.mark.parametrize("name", records.files_of_one_tenant())
def test_a_file_of_one_tenant_keeps_its_order_through_a_foreign_partitioner(deployment: Deployment, name: str) -> None:
    sent = records.keyed(records.lines_of(name))
    with ExitStack() as held:
        with broker.load(deployment.bootstrap, sent, rate=len(sent) / 8, partitioner="consistent_random"):
            victim, _ = (held.enter_context(deployment.worker(chunk_records=200)) for _ in range(2))
            deployment.reached(len(sent) // 2)
            victim.kill()
            held.enter_context(deployment.worker())
        exact.settled(deployment)
    found, wanted = exact.left(deployment), replayed([value or b"" for _, value, _ in sent])
    home = oracle.home((sent[0][0] or b"").decode(), PARTITIONS)
    assert len({entry.partition for entry in found.log}) == 2, "this tenant is at home by accident"
    assert sum(entry.partition == home for entry in found.log) >= len(sent)
    assert found.counts["forwarded"] == len(sent)
    assert found.counts["accepted"] == wanted.counts["accepted"]
    same(found, wanted)


@pytest.mark.parametrize("name", records.files_to_mix())
def test_a_file_that_a_foreign_partitioner_mixes_has_the_totals_of_its_replay(
    deployment: Deployment, name: str
) -> None:
    lines = records.lines_of(name)
    with broker.load(deployment.bootstrap, records.keyed(lines), partitioner="consistent_random"):
        pass  # all of it is there before anybody reads: each tenant's records are forwarded many at once
    with ExitStack() as held:
        victim, _ = (held.enter_context(deployment.worker(chunk_records=200)) for _ in range(2))
        deployment.reached(len(lines) // 2)
        victim.kill()
        held.enter_context(deployment.worker())
        found = exact.exact(deployment)
    wanted = replayed(lines)
    counts = found.counts
    print(f"{spent(found)} nano-USD, {counts}, {len(found.newest_facts)} facts")  # noqa: T201
    assert counts["forwarded"] > 0
    assert counts.get("restated", 0) > 0 or name in records.own_files()
    assert (counts["accepted"], counts.get("late", 0)) == (wanted.counts["accepted"], 0)
    assert totals(found.snapshots) == totals(parsed(wanted.snapshots))
    assert of("unpriced.", counts) == of("unpriced.", wanted.counts)


def totals(snapshots: Sequence[Line]) -> list[Line]:
    """Return what of snapshots does not depend on when their records came."""
    return [{name: line[name] for name in _TOTALS} for line in snapshots]


def replayed(lines: Sequence[bytes]) -> Replayed:
    """Return the end of a replay of *lines* in memory."""

    async def replay() -> Replayed:
        playing = Replay(app.cost_domain("standard"), PARTITIONS, time.time_ns() // 1_000_000)
        await playing.start()
        await playing.feed(lines)
        return await playing.finish(close_all=False)

    return asyncio.run(replay())


def same(found: Left, wanted: Replayed) -> None:
    """Hold totals and facts against a replay: all that is final exactly; of the rest what stands has been told."""
    exact.same(found.snapshots, parsed(wanted.snapshots))
    unpriced = "unpriced."
    assert of(unpriced, found.counts) == of(unpriced, wanted.counts)
    for told, stands in ((found.newest_facts, wanted.facts), (found.anomalies, wanted.anomalies)):
        lines = parsed(stands)
        exact.same(finals(told), finals(lines))
        assert {line["anomaly_id"] for line in lines} <= {line["anomaly_id"] for line in told}
    print(f"{spent(found)} nano-USD")  # noqa: T201


def spent(found: Left) -> int:
    """Return all that was spent, in nano-USD."""
    days = (line for line in found.snapshots if line["entity_type"] == "tenant" and line["window"] == "day")
    return sum(line["cost_nanousd"] or 0 for line in days)


def of(prefix: str, counts: dict[str, int]) -> dict[str, int]:
    return {name: n for name, n in counts.items() if name.startswith(prefix)}


def parsed(lines: Sequence[bytes]) -> list[Line]:
    return [json.loads(line) for line in lines]


def finals(lines: Sequence[Line]) -> list[Line]:
    return [line for line in lines if line["status"] == "final"]
