"""What holds of any history, whatever the rules, the order of arrival and the settings that come on the way."""

from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from engines.core.time import HOURS_PER_DAY, US_PER_HOUR
from engines.cost.book import SPIKE_WINDOW
from engines.cost.event import CostEvent
from engines.cost.pages import DAY, ENTITY_TYPES, HOUR, JUDGED_TYPES, Totals, no_totals
from engines.cost.rules import PROFILES, Profile
from engines.cost.totals import RETRY_ONE, UNPRICED_ONE, Total, is_active, of_record
from tests.engines.cost.histories import FIRST, Close, Learn, Spend, Step, day_of, events_of, histories, take, together
from tests.engines.cost.spending import TENANT, Line, Spending

MANY = settings(max_examples=30, deadline=None, derandomize=True)
ANY_PROFILE = st.sampled_from(list(PROFILES.values()))


@MANY
@given(histories(), ANY_PROFILE, st.booleans())
def test_judging_everything_after_every_step_finds_nothing_more(
    steps: list[Step], profile: Profile, forgets: bool
) -> None:
    spending = Spending(profile, forgets=forgets)
    for step in steps:
        take(spending, step)
        assert spending.judge_again() == []


@MANY
@given(histories(), ANY_PROFILE)
def test_what_is_told_depends_neither_on_chunks_nor_on_what_is_in_memory(steps: list[Step], profile: Profile) -> None:
    whole, single = Spending(profile, forgets=False), Spending(profile)
    for step in together(steps):
        take(whole, step)
    for step in steps:
        take(single, step)
    assert whole.lines == single.lines
    assert whole.standing() == single.standing()
    assert whole.counts == single.counts


@MANY
@given(histories(), ANY_PROFILE)
def test_each_id_is_told_in_growing_revisions_of_one_content(steps: list[Step], profile: Profile) -> None:
    spending = Spending(profile)
    for step in steps:
        take(spending, step)
    told: dict[str, list[Line]] = defaultdict(list)
    for line in spending.lines:
        told[line["anomaly_id"]].append(line)
    for revisions in told.values():
        numbers = [line["revision"] for line in revisions]
        assert numbers == sorted(set(numbers))


@MANY
@given(histories(), ANY_PROFILE)
def test_once_high_every_later_revision_is_a_fact(steps: list[Step], profile: Profile) -> None:
    spending = Spending(profile)
    for step in steps:
        take(spending, step)
    facts = {(fact["anomaly_id"], fact["revision"]) for fact in spending.facts}
    high: set[str] = set()
    for line in spending.lines:
        if line["severity"] == "HIGH":
            high.add(line["anomaly_id"])
        assert ((line["anomaly_id"], line["revision"]) in facts) == (line["anomaly_id"] in high)


@MANY
@given(histories(rows=False), ANY_PROFILE)
def test_days_that_are_not_due_have_nothing_to_close(steps: list[Step], profile: Profile) -> None:
    due, every = Spending(profile), Spending(profile)
    for step in [*steps, Close(max(map(day_of, events_of(steps)), default=FIRST) + 40)]:
        take(due, step)
        if isinstance(step, Close):
            every.close(step.through, every_day=True)
        else:
            take(every, step)
    assert due.lines == every.lines


@MANY
@given(histories(rows=False))
def test_totals_and_baselines_are_those_of_a_sum_over_all_records(steps: list[Step]) -> None:
    spending = Spending()
    for step in steps:
        take(spending, step)
    by_day, by_hour = _summed(steps, HOURS_PER_DAY), _summed(steps, 1)
    assert {key.bucket // HOURS_PER_DAY for key in spending.pages.keys(DAY)} == by_day.keys()
    assert {key.bucket for key in spending.pages.keys(HOUR)} == by_hour.keys()
    assert {day: spending.day(day).totals for day in by_day} == by_day
    assert {hour: spending.hour(hour).totals for hour in by_hour} == by_hour
    if not by_day:
        return
    ledger = spending.ledger()
    closed = -1 if spending.closed is None else spending.closed
    assert ledger.open == {day for day in by_day if day > closed}
    assert ledger.days == {day: totals["tenant"][TENANT] for day, totals in by_day.items() if day <= closed}
    for day in ledger.open:
        assert spending.base(day).sums == _baseline(by_day, day)


@MANY
@given(histories(rows=False))
def test_what_was_corrected_after_its_close_is_marked(steps: list[Step]) -> None:
    spending, closed = Spending(), -1
    corrected: dict[int, dict[str, set[str]]] = defaultdict(lambda: {kind: set() for kind in ENTITY_TYPES})
    for step in steps:
        take(spending, step)
        if isinstance(step, Close):
            closed = step.through
        elif isinstance(step, Spend):
            for event in step.events:
                if day_of(event) <= closed:
                    for kind, name in _names(event):
                        corrected[day_of(event)][kind].add(name)
    for key in spending.pages.keys(DAY):
        day = key.bucket // HOURS_PER_DAY
        assert spending.day(day).restated == corrected[day]


@MANY
@given(histories(), ANY_PROFILE)
def test_a_month_whose_budget_becomes_known_late_is_as_if_it_always_had_been(
    steps: list[Step], profile: Profile
) -> None:
    rows = [step.row for step in steps if isinstance(step, Learn) and step.row[0] == "budget"]
    records = [step for step in steps if isinstance(step, Spend)]
    early, late = Spending(profile, *rows), Spending(profile)
    for step in records:
        take(early, step)
        take(late, step)
    if rows and early.tenants():
        late.learn(*rows)
    early_lines, late_lines = ([line for line, _ in each.standing()] for each in (early, late))
    assert [line for line in early_lines if line["period"]] == [line for line in late_lines if line["period"]]


def _summed(steps: list[Step], hours: int) -> dict[int, Totals]:
    summed: dict[int, Totals] = {}
    for event in events_of(steps):
        totals = summed.setdefault(event.occurred_at // US_PER_HOUR // hours, no_totals())
        for kind, name in _names(event):
            totals[kind][name] = totals[kind].get(name, 0) + _total(event)
    return summed


def _names(event: CostEvent) -> list[tuple[str, str]]:
    names = (event.tenant_id, event.user_id, event.feature_tag, event.model)
    return [(kind, name) for kind, name in zip(ENTITY_TYPES, names, strict=True) if name is not None]


def _total(event: CostEvent) -> Total:
    rare = event.is_retry * RETRY_ONE + (event.cost_nanousd is None) * UNPRICED_ONE + event.cached_input_tokens
    return of_record(event.cost_nanousd or 0, event.input_tokens, event.output_tokens) + rare


def _baseline(by_day: dict[int, Totals], day: int) -> dict[str, dict[str, tuple[Total, int]]]:
    sums: dict[str, dict[str, tuple[Total, int]]] = {}
    for back in SPIKE_WINDOW:
        for kind in JUDGED_TYPES:
            for name, total in by_day.get(day - back, no_totals())[kind].items():
                if is_active(total):
                    money, days = sums.setdefault(kind, {}).get(name, (0, 0))
                    sums[kind][name] = (money + total, days + 1)
    return sums
