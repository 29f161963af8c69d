"""Which days a judgement reads: the edges of every window."""

from typing import Any

import pytest

from engines.core.money import NANOUSD_PER_USD as USD
from engines.cost.book import DRIFT_BASELINE, DRIFT_WINDOW, REVISION_WINDOW, SNAPSHOT_WINDOW, SPIKE_WINDOW
from engines.cost.pages import base_key, day_key
from engines.cost.rules import STANDARD
from engines.cost.totals import apart
from tests.engines.cost.spending import TENANT, Spending, rule, spent

DAY = 20_530
WHO: dict[str, Any] = {"user_id": "u"}


def test_windows_are_those_of_the_contract() -> None:
    assert (list(SPIKE_WINDOW), list(SNAPSHOT_WINDOW)) == ([*range(2, 15)], [*range(1, 8)])
    assert (list(DRIFT_WINDOW), list(DRIFT_BASELINE)) == ([*range(7)], [*range(8, 29)])
    assert list(REVISION_WINDOW) == [*range(30)]


def with_a_record(back: int, usd: float | None = 1) -> Spending:
    spending = Spending()
    spending.fold(spent(DAY - back, usd, **WHO))
    if back:
        spending.close(DAY - 1)
    return spending


def test_a_new_day_has_its_baseline_of_exactly_its_days() -> None:
    read = []
    for back in range(1, 17):
        spending = with_a_record(back)
        spending.fold(spent(DAY, 1))
        if spending.base(DAY).sums:
            read.append(back)
    assert read == list(range(2, 15))


def test_days_without_a_priced_record_do_not_count_as_active() -> None:
    unpriced, free = with_a_record(2, None), with_a_record(2, 0)
    for spending in (unpriced, free):
        spending.fold(spent(DAY, 1))
    assert unpriced.base(DAY).sums == {}
    total, days = free.base(DAY).sums["user"]["u"]
    assert (days, apart(total).requests, apart(total).cost_nanousd) == (1, 1, 0)


def test_sums_add_up_over_days_and_entities_and_leave_models_out() -> None:
    spending = Spending()
    spending.fold(spent(DAY - 3, 5, user_id="v"), spent(DAY - 2, 3, user_id="u"), spent(DAY - 2, 4))
    spending.close(DAY - 1)
    spending.fold(spent(DAY, 1))
    sums = spending.base(DAY).sums
    spend = {
        kind: {name: (apart(total).cost_nanousd, days) for name, (total, days) in of.items()}
        for kind, of in sums.items()
    }
    assert spend == {"tenant": {TENANT: (12 * USD, 2)}, "user": {"u": (3 * USD, 1), "v": (5 * USD, 1)}}


def test_a_snapshot_is_held_against_exactly_the_seven_days_before() -> None:
    read = []
    for back in range(1, 10):
        spending = with_a_record(back)
        spending.fold(spent(DAY, 1))
        spending.close(DAY)
        baselines = spending.day(DAY).baselines or {}
        if baselines["tenant"]:
            read.append(back)
    assert read == list(range(1, 8))


def test_a_revision_counts_the_tenants_records_of_thirty_days_and_its_rows() -> None:
    spending = Spending(STANDARD, rule("spike_pct", 141), rule("spike_pct", 150, TENANT, since=DAY + 1))
    for back in (30, 29, 14, 3, 2, 1):
        spending.fold(spent(DAY - back, 100))
    told = spending.fold(spent(DAY, 300), spent(DAY, None, hour=13))
    assert [(line["revision"], line["derived_cause"]) for line in told] == [
        (2 * (6 + 1), "UNKNOWN"),
        (2 * (7 + 1), "TRAFFIC_GROWTH"),
    ]
    [(line, _)] = spending.standing()
    assert line["revision"] == 2 * (7 + 1)


@pytest.mark.parametrize("back, counts", [(0, True), (6, True), (7, False), (8, False)])
def test_a_week_of_drift_is_seven_days_and_the_day_before_it_is_in_neither(back: int, counts: bool) -> None:
    spending = Spending()
    spending.fold(*(spent(DAY - before, 100) for before in range(28, -1, -1)))
    spending.fold(spent(DAY - back, 1_000))
    spending.close(DAY)
    drifting = spending.ledger().drift
    assert (DAY in drifting) == counts


def test_a_page_weighs_as_many_entities_as_it_holds() -> None:
    spending = Spending()
    spending.fold(spent(DAY, 1))
    assert spending.domain.weight(spending.page(day_key(TENANT, DAY))) == 2
    assert spending.domain.weight(spending.page(base_key(TENANT, DAY))) == 0
    assert spending.domain.weight(spending.ledger()) == 1
