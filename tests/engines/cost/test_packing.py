"""What is sealed is what was there: any page, any id, any amount, in as many parts as its users need."""

from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engines.core.errors import Halt
from engines.core.model import NEW_READERS
from engines.cost.packing import READERS, VERSION, WRITERS, WRITTEN_SINCE, pack, unpack, version_for
from engines.cost.pages import (
    BASE,
    DAY,
    ENTITY_TYPES,
    HOUR,
    JUDGED_TYPES,
    LEDGER,
    MONTH,
    SERIES,
    BasePage,
    Body,
    DayPage,
    HourPage,
    Ledger,
    MonthPage,
    Published,
    SeriesPage,
    no_totals,
)
from engines.cost.parts import USERS_PER_PART, mark, mark_all, part_of
from engines.cost.totals import of_record

MANY = settings(max_examples=100, deadline=None, derandomize=True)
SOME = settings(max_examples=40, deadline=None, derandomize=True)
IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
TOTALS = st.integers(0, 1 << 500)
MONEY = st.one_of(
    st.integers(0, 100),
    st.integers((1 << 63) - 2, (1 << 63) + 2),
    st.integers((1 << 64) - 1, 1 << 64),
    st.integers(0, 1 << 120),
)
DAYS = st.integers(0, 3_000_000)
STATES = st.builds(Published, IDS, IDS, DAYS, IDS, st.sampled_from(["final", "withdrawn"]), st.booleans(), DAYS)
TOLD = st.dictionaries(st.tuples(IDS, st.sampled_from(ENTITY_TYPES), IDS, st.none() | IDS), STATES, max_size=4)
T = TypeVar("T")


def by_kind(values: st.SearchStrategy[T], kinds: tuple[str, ...] = ENTITY_TYPES) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(dict.fromkeys(kinds, values))


def totals_of(size: int = 4) -> st.SearchStrategy[dict[str, dict[str, int]]]:
    return by_kind(st.dictionaries(IDS, TOTALS, max_size=size))


@st.composite
def hour_pages(draw: st.DrawFn) -> HourPage:
    totals = draw(totals_of())
    return HourPage(totals, {kind: {name for name in totals[kind] if draw(st.booleans())} for kind in ENTITY_TYPES})


@st.composite
def day_pages(draw: st.DrawFn) -> DayPage:
    hour = draw(hour_pages())
    page = DayPage(hour.totals, hour.restated, newest_us=draw(st.integers(0, 1 << 60)), published=draw(TOLD))
    page.streaks = {kind: {name: draw(DAYS) for name in page.totals[kind]} for kind in JUDGED_TYPES}
    if draw(st.booleans()):
        page.baselines = {
            kind: {name: (draw(MONEY), draw(st.integers(1, 7))) for name in page.totals[kind]} for kind in ENTITY_TYPES
        }
    return page


def base_pages() -> st.SearchStrategy[BasePage]:
    sums = st.dictionaries(IDS, st.tuples(TOTALS, st.integers(1, 13)), max_size=4)
    return st.builds(BasePage, st.dictionaries(st.sampled_from(JUDGED_TYPES), sums))


def month_pages() -> st.SearchStrategy[MonthPage]:
    return st.builds(MonthPage, totals_of(), st.integers(0, 1 << 60), TOLD)


def ledgers() -> st.SearchStrategy[Ledger]:
    of_days = (st.dictionaries(DAYS, values, max_size=5) for values in (TOTALS, DAYS, STATES))
    days, drift, published = of_days
    return st.builds(Ledger, days, drift, st.sets(DAYS, max_size=4), st.sets(DAYS, max_size=4), published)


def series_pages() -> st.SearchStrategy[SeriesPage]:
    scopes = st.tuples(st.sampled_from(JUDGED_TYPES), IDS)
    return st.builds(SeriesPage, DAYS, st.dictionaries(scopes, st.lists(MONEY, max_size=5), max_size=4))


ANY_PAGE = st.one_of(
    st.tuples(st.just(HOUR), hour_pages()),
    st.tuples(st.just(DAY), day_pages()),
    st.tuples(st.just(BASE), base_pages()),
    st.tuples(st.just(MONTH), month_pages()),
    st.tuples(st.just(LEDGER), ledgers()),
    st.tuples(st.just(SERIES), series_pages()),
)


@MANY
@given(ANY_PAGE)
def test_any_page_is_unsealed_as_it_was(page: tuple[str, Body]) -> None:
    kind, body = page
    parts = pack(body)
    assert [number for number, _ in parts] == [0]
    assert unpack(kind, dict(parts)) == body


@pytest.mark.parametrize("kind, body", [
    (HOUR, HourPage()), (DAY, DayPage()), (BASE, BasePage({})), (MONTH, MonthPage()), (LEDGER, Ledger()),
    (SERIES, SeriesPage()),
])  # fmt: skip
@pytest.mark.parametrize("version", [min(READERS) - 1, VERSION + 1])
def test_a_page_of_a_version_that_is_not_known_stops_the_worker(kind: str, body: Body, version: int) -> None:
    [(_, sealed)] = pack(body)
    with pytest.raises(Halt, match=f"version {version}, this Outlay reads {VERSION}"):
        unpack(kind, {0: _of_version(sealed, version)})


def test_each_part_of_a_page_is_read_by_its_own_version() -> None:
    page = HourPage(no_totals() | {"user": {f"u{n}": 1 for n in range(200)}})
    stored = dict(pack(page))
    assert unpack(HOUR, stored) == page
    with pytest.raises(Halt):
        unpack(HOUR, stored | {2: _of_version(stored[2], VERSION + 1)})


def test_every_version_that_is_written_is_read_and_new_readers_get_the_newest() -> None:
    assert set(WRITERS) == set(READERS) >= {version for _, version in WRITTEN_SINCE}
    assert version_for(NEW_READERS) == VERSION
    page = HourPage(no_totals() | {"user": {f"u{n}": 1 << 130 for n in range(200)}})
    for since, version in WRITTEN_SINCE:
        assert version_for(since) == version
        page.leaves = 0
        stored = dict(pack(page, version))
        assert {sealed[1] for sealed in stored.values()} == {version}
        assert unpack(HOUR, stored) == page


def _of_version(sealed: bytes, version: int) -> bytes:
    fields: list[Any] = msgspec.msgpack.decode(sealed, strict=False)
    return msgspec.msgpack.encode([version, *fields[1:]])


def test_what_is_no_page_is_refused() -> None:
    with pytest.raises(TypeError, match="no cost page"):
        pack("?")


@SOME
@given(st.lists(st.integers(0, 120), min_size=1, max_size=6), st.data())
@example([USERS_PER_PART, 1], None)
@example([USERS_PER_PART + 1], None)
@example([120, 120, 1], None)
def test_parts_written_as_users_come_and_change_make_the_page(growth: list[int], data: st.DataObject | None) -> None:
    hour, day, users = HourPage(), DayPage(), 0
    stored: dict[str, dict[int, bytes]] = {HOUR: {}, DAY: {}}
    for more in growth:
        fresh = [f"u{n}" for n in range(users, users + more)]
        old = [] if data is None or not users else data.draw(st.lists(st.integers(0, users - 1), max_size=5))
        users += more
        for name in [*fresh, *(f"u{n}" for n in old)]:
            _record_of(hour, name)
            _record_of(day, name)
            _judged(day, name)
        day.newest_us += 1
        for kind, page in ((HOUR, hour), (DAY, day)):
            stored[kind].update(pack(page))
            assert unpack(kind, stored[kind]) == page
    assert hour.leaves == day.leaves == (0 if users <= USERS_PER_PART else -(-users // USERS_PER_PART))


def _record_of(page: HourPage, name: str) -> None:
    for kind, entity in (("tenant", "t"), ("user", name), ("model", "m")):
        page.totals[kind][entity] = page.totals[kind].get(entity, 0) + of_record(7, 1, 1) + 5
        page.restated[kind].add(entity)
        mark(page, kind, entity)


def _judged(page: DayPage, name: str) -> None:
    page.streaks["user"][name] = page.streaks["user"].get(name, 0) + 1
    page.published["SPIKE", "user", name, None] = Published(
        "SPIKE", "HIGH", 3, "UNKNOWN", "final", high=True, revision=9
    )
    page.baselines = page.baselines or {}
    page.baselines.setdefault("user", {})[name] = (1 << 70, 2)


def test_only_the_parts_that_changed_are_written() -> None:
    page = HourPage(no_totals() | {"user": {f"u{n}": 1 for n in range(1_000)}})
    assert [number for number, _ in pack(page)] == list(range(17))
    assert [number for number, _ in pack(page)] == [0]
    page.totals["user"]["u5"] = 2
    mark(page, "user", "u5")
    mark(page, "model", "u6")
    assert [number for number, _ in pack(page)] == [0, part_of("u5", page.leaves)]
    mark_all(page)
    assert len(pack(page)) == 17


def test_a_user_told_of_and_nothing_else_has_a_part() -> None:
    page = DayPage(no_totals() | {"user": {f"u{n}": 1 for n in range(100)}})
    stored = dict(pack(page))
    page.published["BUDGET", "user", "nobody", "daily"] = Published("WARNING", "HIGH", 3, "", "final", True, 9)
    mark(page, "user", "nobody")
    stored.update(pack(page))
    assert unpack(DAY, stored) == page


@MANY
@given(IDS, st.integers(1, 300))
def test_one_more_leaf_takes_users_from_one_leaf_only(user_id: str, leaves: int) -> None:
    before, after = part_of(user_id, leaves), part_of(user_id, leaves + 1)
    assert 1 <= before <= leaves
    split = leaves + 1 - (1 << (leaves.bit_length() - 1))
    assert after == before or (before == split and after == leaves + 1)


@pytest.mark.parametrize("leaves", [1, 2, 3, 7, 16, 100])
def test_users_are_spread_over_all_leaves(leaves: int) -> None:
    assert {part_of(f"user-{n}", leaves) for n in range(40 * leaves)} == set(range(1, leaves + 1))


def test_where_there_are_no_leaves_all_are_in_the_first_part() -> None:
    assert part_of("anyone", 0) == 0


def test_a_leaf_that_was_split_keeps_nothing_of_who_left_it() -> None:
    page = DayPage(no_totals() | {"user": {f"u{n}": 1 for n in range(65)}})
    page.streaks["user"] = dict.fromkeys(page.totals["user"], 3)
    stored = dict(pack(page))
    for name in [name for n in range(200) if part_of(name := f"v{n}", 2) == 2][:64]:
        page.totals["user"][name] = 1
        mark(page, "user", name)
    stored.update(pack(page))
    for name in [name for name in page.streaks["user"] if part_of(name, page.leaves) == page.leaves]:
        del page.streaks["user"][name]
        mark(page, "user", name)
    stored.update(pack(page))
    assert unpack(DAY, stored) == page
