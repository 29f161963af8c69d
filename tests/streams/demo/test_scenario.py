"""The generated weeks: exactly their planted incidents are facts, whatever the seed, and they know their own totals."""

import json
from collections import Counter
from datetime import date
from functools import cache

import pytest

from drivers.kafka.murmur2 import partition_of
from drivers.prices import Prices
from drivers.topics import load
from engines.core.model import SettingRow
from engines.core.time import US_PER_DAY, US_PER_HOUR, format_day, parse_instant
from engines.cost.domain import TOPIC, CostDomain
from engines.cost.event import CostEvent
from engines.cost.prices import Unpriced
from engines.cost.rules import STANDARD
from engines.cost.setting_lines import BudgetLine
from streams.demo import scenario
from streams.demo.incidents import DAYS, FIRST_DAY
from streams.demo.run import totals_of
from streams.demo.scenario import Month
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
    made = month(seed)
    lines = [
        BudgetLine(
            tenant_id=budget.tenant_id,
            budget_type="tenant",
            monthly_limit_cents=100 * budget.monthly_usd,
            effective_from=format_day(FIRST_DAY),
        )
        for budget in made.budgets
    ]
    rows = [SettingRow(seq, *line.setting()) for seq, line in enumerate(lines, 1)]
    partitions = load().named(TOPIC).partitions
    replay = Replay(CostDomain(Prices(), STANDARD), partitions, NOW_MS, settings=rows)
    await replay.start()
    await replay.feed(made.lines)
    return await replay.finish(close_all=False)


@pytest.mark.parametrize("seed", SEEDS)
async def test_exactly_the_planted_incidents_are_facts_and_all_totals_are_as_counted(seed: int) -> None:
    made, ended = month(seed), await replayed(seed)
    found = {
        (fact["anomaly_type"], fact["tenant_id"], fact["entity_type"], fact["entity_id"], fact["window_start"][:10]): (
            (fact["status"], fact["severity"], fact["derived_cause"], fact["breach_count"], fact["restated"])
        )
        for fact in map(json.loads, ended.facts)
    }
    due = [due for incident in made.incidents for due in incident.due]
    assert found == {id_of(one): ("final", "HIGH", one.cause, one.breach_count, one.restated) for one in due}
    assert len(ended.facts) == len(found) == len(due)
    assert totals_of(ended) == made.totals
    counted = {name: ended.counts.get(name, 0) for name in ("duplicates", "conflicting", "dead", "late", "restated")}
    assert counted == {
        "duplicates": made.duplicates,
        "conflicting": 0,
        "dead": made.dead,
        "late": made.late,
        "restated": made.restated,
    }
    assert ended.adds_up
    unpriced = {name: n for name, n in ended.counts.items() if name.startswith("unpriced.")}
    assert unpriced.keys() == {"unpriced.unknown_model", "unpriced.unknown_provider"}
    assert sum(unpriced.values()) == sum(totals.unpriced for totals in made.totals.values())


def test_every_kind_of_fact_and_every_cause_is_planted() -> None:
    due = [due for incident in month(1).incidents for due in incident.due]
    assert {one.anomaly_type for one in due} == {"ABSOLUTE_SPIKE", "SUSTAINED_DRIFT", "BUDGET_EXCEEDED"}
    assert {one.cause for one in due} == {
        "RETRY_LOOP",
        "FEATURE_SURGE",
        "PROMPT_GROWTH",
        "TRAFFIC_GROWTH",
        "UNKNOWN",
    }
    assert {one.entity_type for one in due} == {"tenant", "feature", "user"}
    assert [one for one in due if one.restated]
    assert len({id_of(one) for one in due}) == len(due)


def test_a_seed_makes_the_same_weeks_again_and_another_one_others() -> None:
    assert scenario.month(1) == month(1)
    assert scenario.month(2).lines != month(1).lines


@pytest.mark.parametrize("seed", SEEDS)
def test_the_weeks_have_what_they_are_meant_to_show(seed: int) -> None:
    made = month(seed)
    records = [json.loads(line) for line in made.lines]
    times = [parse_instant(record["occurred_at"]) for record in records]
    behind = [newest - at for newest, at in zip(_newest(times), times, strict=True)]
    assert sum(US_PER_HOUR // 4 < late < US_PER_HOUR for late in behind) > 20  # slow ones, of days that are open
    assert not [late for late in behind if US_PER_HOUR <= late <= US_PER_DAY]
    assert made.restated > 80
    assert len({record["id"] for record in records}) == len(records) - made.duplicates
    assert made.duplicates > 100
    assert sum("is_retry" in record for record in records) > 100
    assert sum("cost_cents" in record for record in records) > 500
    days = {at // US_PER_DAY for at in times}
    assert set(range(FIRST_DAY, FIRST_DAY + DAYS + 1)) < days
    assert len(days) == DAYS + 1 + made.late
    assert 20_000 <= len(records) <= 40_000
    assert (
        len(made.lines) == sum(one.requests for one in made.totals.values()) + made.duplicates + made.dead + made.late
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_days_have_their_rhythm(seed: int) -> None:
    totals = month(seed).totals
    weeks = [range(FIRST_DAY + 7 * week, FIRST_DAY + 7 * week + 7) for week in range(DAYS // 7)]
    for tenant in ("acme-support", "northwind-legal"):
        for week in weeks:
            work, rest = week[:5], week[5:]
            usual = sum(totals[tenant, day].cost_nanousd for day in work) / 5
            assert sum(totals[tenant, day].cost_nanousd for day in rest) / 2 < 0.9 * usual


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
