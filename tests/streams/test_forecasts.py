"""Month-end spend through the whole shell: one content for any order and partitions, exact through deaths."""

import asyncio
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from drivers.memory.store import MemoryStore
from engines.core.model import TopicPartition
from engines.core.tables import SPEND_FORECASTS
from engines.core.time import US_PER_DAY, US_PER_HOUR
from engines.cost.domain import TOPIC, CostDomain
from engines.cost.fold import FoldLimits
from engines.cost.month_ends import PREDICTIONS_TOPIC
from engines.cost.pages import SERIES
from engines.cost.rules import STANDARD
from streams.limits import ShellLimits
from tests import oracle
from tests.streams.commands import run
from tests.streams.failing import Rig, die
from tests.streams.replaying import NOW, START_US, event, month, written
from tests.streams.running import PRICES

TENANTS = tuple(f"tenant-{n}" for n in range(3))
BUDGETS = [
    {"tenant_id": tenant, "budget_type": kind, "entity_id": name, "monthly_limit_cents": cents}
    for tenant in TENANTS
    for kind, name, cents in (("tenant", tenant, 150_000), ("user", "u1", 20_000), ("feature", "f0", 200_000))
]


def told(
    capfd: pytest.CaptureFixture[str], folder: Path, lines: Sequence[bytes], *options: str, name: str = "predictions"
) -> bytes:
    """Return what a replay of *lines* with budgets predicts."""
    folder.mkdir()
    budgets = written(folder / "budgets", [json.dumps(one).encode() for one in BUDGETS])
    to = ("--budgets", str(budgets), f"--{name}", str(folder / name))
    ran = run(capfd, "replay", written(folder / "in", lines), "--in-memory", "--json", "--now", NOW, *to, *options)
    assert ran.code == 0
    return (folder / name).read_bytes()


def test_any_order_within_grace_and_any_partitions_tell_the_same(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    events = month()
    first = told(capfd, tmp_path / "sorted", [value for _, value in events], "--calibrated", "--close-all")
    lines = [json.loads(line) for line in first.splitlines()]
    subjects = [(line["tenant_id"], line["subject_type"], line["subject_id"]) for line in lines]
    assert set(subjects) == {(one["tenant_id"], one["budget_type"], one["entity_id"]) for one in BUDGETS}
    assert len(lines) == 9 * (20 - 2), "of 20 days all but the first two"
    place = [(line["tenant_id"], line["as_of"], *subject[1:]) for line, subject in zip(lines, subjects, strict=True)]
    assert place == sorted(place)
    dice = random.Random(1)
    mixed = sorted(events + events[::7], key=lambda one: one[0] + dice.randrange(US_PER_HOUR))
    options = ("--calibrated", "--close-all", "--partitions")
    for partitions in ("1", "5"):
        again = told(capfd, tmp_path / partitions, [value for _, value in mixed], *options, partitions)
        assert again == first


def test_nothing_is_told_unless_asked_for_and_no_anomaly_is_another(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = [value for _, value in month()]
    assert told(capfd, tmp_path / "off", lines, "--close-all") == b""
    on, off = (
        told(capfd, tmp_path / f"anomalies{len(more)}", lines, "--close-all", *more, name="anomalies")
        for more in (["--calibrated"], [])
    )
    assert on == off != b""


def stored(store: MemoryStore) -> tuple[dict[Any, Any], dict[Any, bytes]]:
    """Return rows of forecasts, and pages of series."""
    pages = store.pages[TopicPartition(TOPIC, 0)]
    return dict(store.rows(SPEND_FORECASTS.name)), {key: page.body for key, page in pages.items() if key.kind == SERIES}


async def left(stream: Sequence[oracle.LogRecord], deaths: random.Random | None) -> tuple[Any, Any, list[bytes], int]:
    """Return what is left of a run: rows, series, distinct messages, and how many owners died at *deaths*."""
    store = MemoryStore()
    store.append_settings(("budget", str(one["tenant_id"]), None, json.dumps(one).encode()) for one in BUDGETS)
    limits = ShellLimits(close_slice_tenants=1, commit_every_s=0, backoff_s=0.001)
    rig = Rig(stream, domain=CostDomain(PRICES, STANDARD, FoldLimits(forecasts=True)), store=store, limits=limits)
    died = 0
    while True:
        owner = await rig.owner()
        driving = asyncio.ensure_future(rig.drive(owner, 20))
        turns = 1 << 30 if deaths is None else deaths.randrange(4, 30)
        while turns and not driving.done():
            turns -= 1
            await asyncio.sleep(0)
        if driving.done():
            await driving
            break
        driving.cancel()
        await asyncio.gather(driving, return_exceptions=True)
        await die(owner)
        died += 1
    assert owner.claim is not None
    await owner.claim.outbox.drained()
    await owner.release()
    records = [
        record
        for partition in range(rig.log.partitions(PREDICTIONS_TOPIC))
        for record in rig.log.log(TopicPartition(PREDICTIONS_TOPIC, partition)).records
    ]
    return *stored(store), sorted({record.value or b"" for record in records}), died


@pytest.mark.parametrize("seed", range(3))
async def test_it_is_exact_through_deaths_in_the_middle_of_closes(seed: int) -> None:
    dice = random.Random(seed)
    late = [
        event(9_000 + n, START_US + dice.randrange(8) * US_PER_DAY, tenant_id=TENANTS[n % 3], user_id="u1")
        for n in range(6)
    ]
    values = [value for _, value in month()][:1_500:3]
    stream = [oracle.LogRecord(value) for value in (*values[:450], *late, *values[450:])]
    once = await left(stream, None)
    again = await left(stream, dice)
    assert again[:3] == once[:3]
    assert len(once[2]) == len(once[0]) > 50
    assert again[3] > 3
