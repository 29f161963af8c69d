"""What is sealed is what was there: any page, any id, any amount; and a page from the future is refused."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.cost.pages import (
    DAY,
    ENTITY_TYPES,
    HOUR,
    JUDGED_TYPES,
    DayPage,
    HourPage,
    Published,
    day_key,
    each_total,
    hour_key,
    pack,
    unpack,
)
from engines.cost.rules import NEVER, REFERENCE, STANDARD, USD, Profile, spike_lines
from engines.cost.totals import line, of_record

MANY = settings(max_examples=150, deadline=None, derandomize=True)
IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
TOTALS = st.integers(0, 1 << 500)
MONEY = st.one_of(
    st.integers(0, 100),
    st.integers((1 << 63) - 2, (1 << 63) + 2),
    st.integers((1 << 64) - 1, 1 << 64),
    st.integers(0, 1 << 120),
)
SUMS = st.tuples(MONEY, st.integers(1, 13))
DAYS = st.integers(0, 3_000_000)


def totals_of(kinds: tuple[str, ...] = ENTITY_TYPES) -> st.SearchStrategy[dict[str, dict[str, int]]]:
    return st.fixed_dictionaries({kind: st.dictionaries(IDS, TOTALS, max_size=4) for kind in kinds})


def sums_of() -> st.SearchStrategy[dict[str, dict[str, tuple[int, int]]]]:
    return st.dictionaries(st.sampled_from(ENTITY_TYPES), st.dictionaries(IDS, SUMS, max_size=3), max_size=4)


@st.composite
def day_pages(draw: st.DrawFn) -> DayPage:
    totals = draw(totals_of())
    page = DayPage(
        totals,
        newest_us=draw(st.integers(0, 1 << 60)),
        records_before=draw(st.integers(0, 1 << 45)),
        baselines=draw(st.none() | sums_of()),
    )
    page.published = draw(
        st.dictionaries(
            st.tuples(IDS, IDS), st.builds(Published, IDS, IDS, DAYS, IDS, st.sampled_from(["final", "withdrawn"]))
        )
    )
    for kind in JUDGED_TYPES:
        here = list(totals[kind])
        page.spike_base[kind] = {name: draw(SUMS) for name in here if draw(st.booleans())}
        page.streaks[kind] = {name: draw(DAYS) for name in here if draw(st.booleans())}
    return page


@MANY
@given(totals_of())
def test_an_hour_is_unsealed_as_it_was(totals: dict[str, dict[str, int]]) -> None:
    assert unpack(HOUR, pack(HourPage(totals)), STANDARD) == HourPage(totals)


@MANY
@given(day_pages(), st.sampled_from([STANDARD, REFERENCE]))
def test_a_day_is_unsealed_as_it_was_with_its_lines_drawn_anew(page: DayPage, profile: Profile) -> None:
    sealed = pack(page)
    page.watch_all(profile)
    assert unpack(DAY, sealed, profile) == page
    assert pack(page) == sealed


@pytest.mark.parametrize("kind, body", [(HOUR, HourPage()), (DAY, DayPage())])
def test_a_page_of_a_newer_version_is_refused(kind: str, body: HourPage | DayPage) -> None:
    fields: list[Any] = msgspec.msgpack.decode(pack(body))
    fields[0] += 1
    with pytest.raises(ValueError, match="version 2; this worker reads version 1"):
        unpack(kind, msgspec.msgpack.encode(fields), STANDARD)


def test_an_entity_watches_its_breach_then_what_fires_alone_then_nothing() -> None:
    page = DayPage(spike_base={"user": {"u": (300 * USD, 3)}})
    lines = spike_lines(300 * USD, 3, STANDARD)
    page.watch_all(STANDARD)
    assert page.watch["user"] == {"u": line(lines.breach)}
    page.streaks["user"]["u"] = 7
    page.totals["user"]["u"] = of_record(lines.alone - 1, 0, 0)
    page.watch_next("user", "u", STANDARD)
    assert page.watch["user"] == {"u": line(lines.alone)}
    page.totals["user"]["u"] = of_record(lines.alone, 0, 0)
    page.watch_next("user", "u", STANDARD)
    assert page.watch["user"] == {}


def test_an_entity_without_history_has_no_lines() -> None:
    assert DayPage().lines("user", "u", STANDARD).breach == NEVER


def test_keys_are_in_hours_whatever_they_name() -> None:
    assert (day_key("t", 3).bucket, hour_key("t", 75).bucket) == (72, 75)
    assert (day_key("t", 3).kind, hour_key("t", 75).kind) == (DAY, HOUR)


def test_totals_come_in_the_order_of_their_types() -> None:
    totals = {"model": {"m": 4}, "feature": {"f": 3}, "user": {"u": 2}, "tenant": {"t": 1}}
    assert [total for _, _, total in each_total(totals)] == [1, 2, 3, 4]


def test_a_day_counts_the_records_of_its_tenant() -> None:
    page = DayPage()
    assert page.records("t") == 0
    page.totals["tenant"]["t"] = 3 * of_record(1, 1, 1)
    assert page.records("t") == 3
