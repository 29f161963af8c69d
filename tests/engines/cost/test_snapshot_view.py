"""Snapshots are read off rows: sums as they are, quotients cut, and a judgement repeated, not made."""

from typing import Any

from engines.core.money import NANOUSD_PER_USD as USD
from engines.core.time import US_PER_DAY, US_PER_HOUR
from engines.cost.lines import SnapshotValues
from engines.cost.snapshot_view import BELOW, CORRECTED, GATED, Told, daily, hourly
from engines.cost.snapshots import CostSnapshot, EntityType, SnapshotStatus, SnapshotType

DAY = 20_000
LOW_PCT = 200


def row(kind: str, name: str, cost: int | None, *, back: int = 0, baseline: int | None = None, **other: Any) -> Any:
    """A row of ``snapshots`` of the tenant acme, *back* days before DAY."""
    values: dict[str, Any] = {
        "start": (DAY - back) * US_PER_DAY,
        "requests": 4,
        "unpriced": 0,
        "retries": 1,
        "input": 90,
        "cached": 5,
        "output": 11,
        "restated": False,
        **other,
    }
    names = ("requests", "unpriced", "retries", "input", "cached", "output")
    counts = (values[one] for one in names)
    return ("acme", "day", values["start"], kind, name, *counts, cost, baseline, values["restated"], 7)


def snapshot(*rows: SnapshotValues, told: tuple[Told, ...] = (), closed: int | None = DAY) -> CostSnapshot:
    found = daily(DAY, rows, told, closed, LOW_PCT)
    assert found is not None
    return found


TENANT = row("tenant", "acme", 30 * USD, baseline=10 * USD)
SPIKE = Told("user", "ana", "ca_1", "high", 30 * USD, 5 * USD, 500.0, 400, "user_spike: …")


def test_a_day_without_a_record_of_the_tenant_is_none() -> None:
    assert daily(DAY, [row("tenant", "acme", USD, back=1)], (), DAY, LOW_PCT) is None


def test_a_day_is_complete_once_it_is_closed_and_its_version_says_so() -> None:
    before, after = snapshot(TENANT, closed=DAY - 1), snapshot(TENANT)
    assert (before.status, before.version) == (SnapshotStatus.PROVISIONAL, 8)
    assert (after.status, after.version) == (SnapshotStatus.COMPLETE, 9)
    assert snapshot(TENANT, closed=None).status is SnapshotStatus.PROVISIONAL
    assert (after.snapshot_type, after.records_processed) == (SnapshotType.DAILY, 4)
    assert (after.period_start_us, after.period_end_us) == (DAY * US_PER_DAY, (DAY + 1) * US_PER_DAY)


def test_averages_are_of_priced_requests_and_cut_and_nothing_priced_is_no_cost() -> None:
    one = row("user", "ana", 10 * USD + 29_999_999, unpriced=1, baseline=3 * USD)
    ana, bob = snapshot(TENANT, one, row("user", "bob", None, unpriced=4)).only({"user"}).aggregates
    assert ana.avg_cost_per_request_nanousd == (10 * USD + 29_999_999) // 3
    assert (ana.total_cost_cents, ana.avg_tokens_per_request, ana.deviation_from_7d_pct) == (1002, 25, 234.33)
    assert (bob.total_cost_cents, bob.avg_cost_per_request_nanousd, bob.deviation_from_7d_pct) == (None, None, None)


def test_the_dearest_entity_of_each_kind_comes_first_and_what_has_no_cost_last() -> None:
    users = [row("user", "c", None), row("user", "b", USD), row("user", "a", USD), row("user", "d", 2 * USD)]
    found = snapshot(row("model", "m", USD), *users, TENANT).aggregates
    assert [one.entity_id for one in found] == ["acme", "d", "a", "b", "c", "m"]
    assert [one.entity_type for one in found][::5] == [EntityType.TENANT, EntityType.MODEL]


def test_a_baseline_is_of_active_days_before_as_they_stand() -> None:
    before = [
        row("user", "ana", 2 * USD, back=1, requests=1),
        row("user", "ana", None, back=2, requests=9),
        row("user", "ana", 3 * USD + 1, back=7, requests=2),
        row("user", "gone", USD, back=3),
    ]
    ana, gone = snapshot(TENANT, *before).baselines
    assert (ana.avg_daily_cost_nanousd, ana.min_daily_cost_nanousd, ana.max_daily_cost_nanousd) == (
        (5 * USD + 1) // 2,
        2 * USD,
        3 * USD + 1,
    )
    assert (ana.samples_count, ana.window_days, ana.avg_daily_requests, ana.avg_daily_cost_cents) == (2, 7, 1.5, 250)
    assert (gone.entity_id, gone.samples_count) == ("gone", 1)


def test_an_open_day_is_not_evaluated() -> None:
    assert snapshot(TENANT, told=(SPIKE,), closed=DAY - 1).evaluations == ()


def test_what_was_told_is_repeated_as_it_was_told() -> None:
    found = snapshot(TENANT, row("user", "ana", 31 * USD, baseline=4 * USD, restated=True), told=(SPIKE,))
    said = found.evaluation_of(found.aggregates[1])
    assert said is not None
    assert (said.triggered, said.severity_computed, said.anomaly_id, said.threshold_pct) == (True, "high", "ca_1", 400)
    assert (said.current_value_cents, said.baseline_value_cents, said.deviation_pct) == (3000, 500, 500.0)
    assert said.evaluation_reason == SPIKE.message


def test_what_was_not_told_says_why() -> None:
    rows = [
        row("user", "at", 30 * USD, baseline=10 * USD),
        row("user", "below", 30 * USD - 1, baseline=10 * USD),
        row("user", "corrected", 40 * USD, baseline=10 * USD, restated=True),
        row("user", "new", 5 * USD),
        row("user", "unpriced", None, baseline=10 * USD),
    ]
    found = snapshot(row("tenant", "acme", 12 * USD), *rows).evaluations
    reasons = {one.entity_id: (one.evaluation_reason, one.deviation_pct) for one in found}
    assert reasons == {"at": (GATED, 200.0), "below": (BELOW, 199.99), "corrected": (CORRECTED, 300.0)}
    assert {(one.triggered, one.severity_computed, one.threshold_pct) for one in found} == {(False, None, LOW_PCT)}


def test_hours_are_told_apart_and_have_neither_baseline_nor_evaluation() -> None:
    starts = [DAY * US_PER_DAY + hour * US_PER_HOUR for hour in (9, 3)]
    rows = [row("tenant", "acme", USD, start=start) for start in starts] + [row("user", "ana", USD, start=starts[0])]
    three, nine = hourly(rows, DAY)
    assert (three.period_start_us, three.period_end_us) == (starts[1], starts[1] + US_PER_HOUR)
    assert [len(three.aggregates), len(nine.aggregates)] == [1, 2]
    assert (nine.snapshot_type, nine.status) == (SnapshotType.HOURLY, SnapshotStatus.COMPLETE)
    assert (nine.baselines, nine.evaluations) == ((), ())


def test_as_json_it_has_every_member_and_entities_that_are_not_asked_for_are_left_out() -> None:
    ana = row("user", "ana", 30 * USD, baseline=5 * USD)
    whole = snapshot(TENANT, ana, row("user", "ana", USD, back=1), told=(SPIKE,))
    assert whole.baseline_of(whole.aggregates[0]) is None
    line: dict[str, Any] = whole.only(["user"]).line()
    assert (line["period_start"], line["snapshot_type"], line["status"]) == (
        "2024-10-04T00:00:00Z",
        "daily",
        "complete",
    )
    (aggregate,), (baseline,), (evaluation,) = line["aggregates"], line["baselines"], line["evaluations"]
    assert {one["entity_type"] for one in (aggregate, baseline, evaluation)} == {"user"}
    assert (aggregate["total_cost_nanousd"], aggregate["total_cost_cents"]) == (30 * USD, 3000)
    assert (baseline["avg_daily_cost_cents"], evaluation["current_value_cents"]) == (100, 3000)
