"""The generated month: exactly its planted spikes fire, whatever the seed, and it knows its own totals."""

import json
from collections import Counter
from datetime import date
from functools import cache

import pytest

from drivers.kafka.murmur2 import partition_of
from drivers.prices import Prices
from drivers.topics import load
from engines.core.time import US_PER_DAY, US_PER_HOUR, parse_instant
from engines.cost.domain import TOPIC, CostDomain
from engines.cost.event import CostEvent
from engines.cost.prices import Unpriced
from engines.cost.rules import STANDARD
from streams.demo import scenario
from streams.demo.run import totals_of
from streams.demo.scenario import DAYS, FIRST_DAY, Month
from streams.demo.verdict import id_of
from streams.demo.workloads import MODELS, Model
from streams.replay import Replay, Replayed

SEEDS = (1, 2, 20_251)
NOW_MS = 1_800_000_000_000
KEPT_BYTES = 5 << 20


@cache
def month(seed: int) -> Month:
    return scenario.month(seed)


async def replayed(seed: int) -> Replayed:
    replay = Replay(CostDomain(Prices(), STANDARD), load().named(TOPIC).partitions, NOW_MS)
    await replay.start()
    await replay.feed(month(seed).lines)
    return await replay.finish(close_all=False)


@pytest.mark.parametrize("seed", SEEDS)
async def test_exactly_the_planted_spikes_fire_and_all_totals_are_as_counted(seed: int) -> None:
    made, ended = month(seed), await replayed(seed)
    facts = [json.loads(line) for line in ended.facts]
    found = {
        (fact["tenant_id"], fact["entity_type"], fact["entity_id"], fact["window_start"][:10]): fact for fact in facts
    }
    assert len(facts) == len(found) == len(made.planted) == 2
    for spike in made.planted:
        fact = found[id_of(spike)]
        assert (fact["status"], fact["severity"], fact["breach_count"]) == ("final", "HIGH", spike.days)
    assert totals_of(ended) == made.totals
    assert (ended.counts["duplicates"], ended.counts["dead"]) == (made.duplicates, made.dead)
    assert ended.adds_up
    assert ended.late == []
    unpriced = {name: n for name, n in ended.counts.items() if name.startswith("unpriced.")}
    assert unpriced.keys() == {"unpriced.unknown_model", "unpriced.unknown_provider"}
    assert sum(unpriced.values()) == sum(totals.unpriced for totals in made.totals.values())


def test_the_two_spikes_are_of_the_two_kinds_that_fire() -> None:
    alone, streak = month(1).planted
    assert (alone.entity_type, alone.days) == ("feature", 1)
    assert alone.factor > 3
    assert (streak.entity_type, streak.days) == ("user", 2)
    assert streak.factor < 2


def test_a_seed_makes_the_same_month_again_and_another_one_another() -> None:
    assert scenario.month(1) == month(1)
    assert scenario.month(2).lines != month(1).lines


@pytest.mark.parametrize("seed", SEEDS)
def test_the_month_has_what_it_is_meant_to_show(seed: int) -> None:
    records = [json.loads(line) for line in month(seed).lines]
    times = [parse_instant(record["occurred_at"]) for record in records]
    behind = max(newest - at for newest, at in zip(_newest(times), times, strict=True))
    assert 0 < behind < US_PER_HOUR // 4
    assert len({record["id"] for record in records}) == len(records) - month(seed).duplicates
    assert month(seed).duplicates > 100
    assert sum("is_retry" in record for record in records) > 100
    assert sum("cost_cents" in record for record in records) > 500
    days = {at // US_PER_DAY for at in times}
    assert days == set(range(FIRST_DAY, FIRST_DAY + DAYS + 1))
    assert 20_000 <= len(records) <= 40_000


@pytest.mark.parametrize("seed", SEEDS)
def test_every_partition_gets_past_the_grace_of_the_last_day(seed: int) -> None:
    due = (FIRST_DAY + DAYS) * US_PER_DAY + US_PER_HOUR
    last: Counter[str] = Counter()
    for record in map(json.loads, month(seed).lines):
        last[record["tenant_id"]] = max(last[record["tenant_id"]], parse_instant(record["occurred_at"]))
    assert min(last.values()) >= due + US_PER_HOUR


@pytest.mark.parametrize("seed", SEEDS)
def test_no_partition_outgrows_what_the_embedded_broker_keeps(seed: int) -> None:
    partitions = load().named(TOPIC).partitions
    size: Counter[int] = Counter()
    for line in month(seed).lines:
        size[partition_of(json.loads(line)["tenant_id"].encode(), partitions)] += len(line)
    assert max(size.values()) < KEPT_BYTES / 2  # uncompressed


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_rates_are_those_of_the_price_table(model: Model) -> None:
    at_us = FIRST_DAY * US_PER_DAY
    assert date(2025, 9, 1).weekday() == 0
    usages = ((40_000, 0, 0), (40_000, 0, 40_000), (40_000, 7_000, 0))  # input, output, cached
    calls = [
        CostEvent("i", "t", "", at_us, model.name, used, written, provider=model.provider, cached_input_tokens=cached)
        for used, written, cached in usages
    ]
    costs = [Prices().price_of(call) for call in calls]
    if model.rates is None:
        assert all(isinstance(cost, Unpriced) for cost in costs)
    else:
        full, cached, output = model.rates
        assert costs == [40_000 * full, 40_000 * cached, 40_000 * full + 7_000 * output]


def _newest(times: list[int]) -> list[int]:
    newest, seen = 0, []
    for at in times:
        newest = max(newest, at)
        seen.append(newest)
    return seen
