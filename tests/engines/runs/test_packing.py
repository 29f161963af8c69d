"""What is sealed of runs is what was there: any text, any amount, in as many parts as there are hours and workers."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.core.errors import Halt
from engines.core.time import HOURS_PER_DAY, US_PER_DAY
from engines.runs.packing import pack, unpack
from engines.runs.pages import (
    PARTS,
    Body,
    DayPage,
    DuePage,
    Ledger,
    SumsPage,
    ToldPattern,
    ToldPrediction,
    ToldSpike,
    day_key,
    due_key,
    ledger_key,
    part_of,
    sums_key,
)
from engines.runs.series import Failure, Run, order

MANY = settings(max_examples=60, deadline=None, derandomize=True)
DAY = 20_000
IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
WORKERS = st.sampled_from(["w", "zoë", "w3", "another"])
COUNTS = st.integers(0, 1 << 62)
FAILURES = st.builds(Failure, IDS, IDS, IDS, IDS)
RUNS = st.builds(
    Run,
    st.integers(DAY * US_PER_DAY, (DAY + 1) * US_PER_DAY - 1),
    IDS,
    IDS,
    IDS,
    st.integers(1, 3),
    WORKERS,
    st.none() | st.integers(0, 10**15),
    st.none() | FAILURES,
    st.none() | IDS,
)
PATTERNS = st.builds(
    ToldPattern,
    st.lists(COUNTS, min_size=1, max_size=3),
    *[COUNTS] * 4,
    *[st.booleans()] * 3,
    COUNTS,
)
STATUSES = st.none() | st.sampled_from(["active", "superseded", "withdrawn", "expired"])


def ledger_of(told: list[ToldSpike], **members: Any) -> Ledger:
    """Return a ledger with these spikes, in which whatever pattern may still change is known to."""
    unsettled = {name for name, pattern in members["patterns"].items() if not pattern.final}
    return Ledger(spikes={order(one.run): one for one in told}, unsettled=unsettled, **members)


LEDGERS = st.builds(
    ledger_of,
    st.lists(st.builds(ToldSpike, RUNS, st.booleans(), COUNTS), max_size=3),
    before=COUNTS,
    days=st.dictionaries(st.integers(0, 1 << 30), COUNTS, max_size=4),
    due=st.sets(st.integers(0, 1 << 30), max_size=4),
    predictions=st.dictionaries(
        st.tuples(IDS, IDS, st.integers(0, 1 << 30)), st.builds(ToldPrediction, STATUSES, COUNTS), max_size=3
    ),
    patterns=st.dictionaries(IDS, PATTERNS, max_size=5),
)


def plain(body: Body) -> Any:
    """Return all that a page holds, as what compares."""
    if isinstance(body, DayPage):
        names = ("ended", "failed", "costs", "failures")
        return [body.all.runs, *({key: one.runs for key, one in getattr(body, name).items()} for name in names)]
    return body


@MANY
@given(st.lists(RUNS, min_size=1, max_size=12))
def test_a_day_comes_back_whole(runs: list[Run]) -> None:
    page = DayPage()
    for run in runs:
        page.add(run)
    parts = dict(pack(page))
    assert set(parts) == {run.occurred_us // (US_PER_DAY // HOURS_PER_DAY) % HOURS_PER_DAY for run in runs}
    assert plain(unpack(day_key("t", DAY), parts)) == plain(page)
    assert pack(page) == []


@MANY
@given(st.lists(RUNS, min_size=1, max_size=12), st.integers(0, 1 << 200))
def test_sums_come_back_whole_however_much_money(runs: list[Run], more: int) -> None:
    page = SumsPage()
    for run in runs:
        page.add(run)
    page.workers[runs[0].worker_id].cost_nanousd += more
    assert unpack(sums_key("t", DAY), dict(pack(page))) == page
    assert pack(page) == []


@MANY
@given(LEDGERS)
def test_a_ledger_comes_back_whole(ledger: Ledger) -> None:
    ledger.changed = {0, *(1 + part_of(name) for name in ledger.patterns)}
    assert unpack(ledger_key("t"), dict(pack(ledger))) == ledger
    assert pack(ledger) == []


@MANY
@given(st.lists(RUNS, min_size=2, max_size=12))
def test_what_changed_alone_is_sealed_again(runs: list[Run]) -> None:
    """Parts of different times are one page: the newest of each."""
    day, sums, ledger = DayPage(), SumsPage(), Ledger()
    parts: dict[type, dict[int, bytes]] = {DayPage: {}, SumsPage: {}, Ledger: {}}
    for run in runs:
        day.add(run)
        sums.add(run)
        ledger.patterns[run.run_id] = ToldPattern([run.occurred_us], 1, 2, 3)
        ledger.unsettled.add(run.run_id)
        ledger.days[run.occurred_us % 9] = 1
        ledger.changed |= {0, 1 + part_of(run.run_id)}
        for page in (day, sums, ledger):
            assert len(pack_into(parts[type(page)], page)) == (2 if page is ledger else 1)
    assert plain(unpack(day_key("t", DAY), parts[DayPage])) == plain(day)
    assert unpack(sums_key("t", DAY), parts[SumsPage]) == sums
    assert unpack(ledger_key("t"), parts[Ledger]) == ledger


def pack_into(parts: dict[int, bytes], page: Body) -> dict[int, bytes]:
    sealed = dict(pack(page))
    parts |= sealed
    return sealed


def test_that_something_is_due_comes_back() -> None:
    assert unpack(due_key("t", 7), dict(pack(DuePage()))) == DuePage()


def test_names_are_spread_over_all_parts() -> None:
    assert {part_of(f"worker {number}") for number in range(200)} == set(range(PARTS))


@pytest.mark.parametrize("key", [day_key("t", DAY), sums_key("t", DAY), ledger_key("t"), due_key("t", 7)])
def test_a_layout_of_another_version_halts(key: Any) -> None:
    newer = msgspec.msgpack.encode([2] if key.kind == "runs.due" else [2, {}])
    with pytest.raises(Halt, match="layout 2"):
        unpack(key, {0: newer})


def test_what_is_no_page_is_not_sealed() -> None:
    with pytest.raises(TypeError):
        pack(object())
