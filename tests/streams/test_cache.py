"""Which pages stay in memory, which go into a commit, and whose projections lag."""

from collections.abc import Iterable

import pytest

from engines.core.model import PageKey, TableRow
from streams.cache import PageCache, whole
from tests.streams.tally import DAY, PARTS, Day, Tally, day_key, part_of


class Shown(Tally):
    """A tally that shows a row for each amount."""

    def project(self, key: PageKey, body: object, as_of: int) -> Iterable[TableRow]:
        assert isinstance(body, Day)
        return [TableRow("amounts", (*key, name, as_of)) for name in body.amounts]


def page(entities: int) -> Day:
    """Return a page that weighs *entities* and one."""
    return Day({f"u{n}": 1 for n in range(entities)}, set(range(PARTS)))


def parts(key: PageKey, body: Day) -> dict[PageKey, bytes]:
    """Return how *body* is stored."""
    return {key._replace(page=part): sealed for part, sealed in Tally().pack(key, body)}


def cache_with(budget: int, *hours: int, entities: int = 4) -> PageCache:
    """Return a cache of clean pages, projected, that came from the store in the order of *hours*."""
    cache = PageCache(Shown(), budget)
    keys = [day_key("t", hour) for hour in hours]
    cache.fill(keys, {at: sealed for key in keys for at, sealed in parts(key, page(entities)).items()})
    return cache


def hours(first: int, end: int) -> range:
    return range(first * 24, end * 24)


def here(cache: PageCache) -> list[int]:
    return [hour for hour in range(20) if cache.known(day_key("t", hour))]


def commit(cache: PageCache, as_of: int) -> list[PageKey]:
    sealed = [whole(key) for key, _ in cache.seal(as_of)]
    cache.sealed_committed()
    return [*dict.fromkeys(sealed)]


def test_absence_is_remembered_and_ignorance_is_an_error() -> None:
    cache = PageCache(Shown(), 100)
    absent, unknown = day_key("t", 1), day_key("t", 2)
    cache.fill([absent], {})
    assert (cache.known(absent), cache.get(absent)) == (True, None)
    assert cache.unknown([absent, unknown]) == [unknown]
    with pytest.raises(KeyError):
        cache.get(unknown)


def test_what_is_here_is_not_replaced_by_what_was_read_meanwhile() -> None:
    cache, key, newer = PageCache(Shown(), 100), day_key("t", 1), page(2)
    cache.put(key, newer)
    cache.fill([key], parts(key, page(1)))
    assert cache.get(key) is newer


def test_the_longest_unused_pages_are_dropped_until_the_budget_holds() -> None:
    cache = cache_with(15, 1, 2, 3, 4)
    cache.get(day_key("t", 1))
    commit(cache, 10)
    assert here(cache) == [1, 3, 4]


def test_nothing_is_dropped_within_the_budget() -> None:
    cache = cache_with(20, 1, 2, 3, 4)
    commit(cache, 10)
    assert here(cache) == [1, 2, 3, 4]


def test_a_changed_page_stays_until_it_is_committed() -> None:
    cache = cache_with(0, 1, 2)
    cache.touch(day_key("t", 1))
    cache.seal(10)
    assert here(cache) == [1, 2], "sealed is not committed"
    body = cache.get(day_key("t", 2))
    assert isinstance(body, Day)
    body.changed.add(0)
    cache.touch(day_key("t", 2))
    cache.sealed_committed()
    assert here(cache) == [2], "changed after the seal"
    assert commit(cache, 20) == [day_key("t", 2)]
    assert here(cache) == []


def test_a_page_weighs_what_it_has_grown_to() -> None:
    cache = cache_with(11, 1, 2)
    body = cache.get(day_key("t", 2))
    assert isinstance(body, Day)
    body.amounts["one more"] = 1
    cache.touch(day_key("t", 2))
    commit(cache, 10)
    assert here(cache) == [1, 2]
    body.amounts["and one more"] = 1
    cache.touch(day_key("t", 2))
    commit(cache, 20)
    assert here(cache) == [2]


def test_a_page_is_sealed_once_and_as_it_is_then() -> None:
    cache, key = PageCache(Shown(), 100), day_key("t", 1)
    cache.put(key, page(3))
    cache.touch(key)
    assert dict(cache.seal(10)) == parts(key, page(3))
    assert (cache.seal(11), list(cache.dirty)) == ([], [])


def test_projections_lag_from_the_first_seal_without_rows_until_they_are_written() -> None:
    cache, key = PageCache(Shown(), 100), day_key("t", 1)
    cache.put(key, page(3))
    assert cache.lags(key)
    cache.seal(10)
    cache.touch(key)
    cache.seal(20)
    assert cache.stale == {key: 10}
    assert len(cache.project([key], 30)) == 3
    assert (cache.stale, cache.lags(key)) == ({}, False)
    cache.touch(key)
    assert cache.lags(key)


def test_rows_written_with_the_seal_leave_nothing_behind() -> None:
    cache, key = PageCache(Shown(), 100), day_key("t", 1)
    cache.put(key, page(1))
    cache.project([key], 10)
    assert not cache.lags(key)
    cache.seal(10)
    assert cache.stale == {}
    cache.touch(key)
    cache.seal(20)
    assert cache.stale == {key: 20}, "written once is not written for ever"


def test_a_page_that_changes_after_its_rows_were_made_lags_again() -> None:
    cache, key = PageCache(Shown(), 100), day_key("t", 1)
    cache.put(key, page(1))
    cache.project([key], 10)
    cache.touch(key)
    cache.seal(10)
    assert cache.stale == {key: 10}


def test_it_tells_who_has_pages_where() -> None:
    cache = PageCache(Shown(), 100)
    for tenant, hour in (("a", 3), ("b", 4), ("c", 9)):
        cache.put(day_key(tenant, hour), page(1))
    cache.fill([day_key("absent", 3)], {})
    assert cache.tenants(DAY, hours(3, 5)) == {"a", "b"}
    assert (cache.first_bucket(DAY, hours(4, 20)), cache.first_bucket(DAY, hours(5, 9))) == (4 * 24, None)
    assert cache.tenants("other", range(20)) == set()
    assert cache.project([day_key("absent", 3)], 1) == []


def test_a_page_that_was_dropped_is_not_told_of_here_and_one_that_came_back_is() -> None:
    cache = cache_with(10, 1, 2, 3)
    key = day_key("t", 1)
    assert cache.first_bucket(DAY, hours(0, 9)) == key.bucket, "what the store gave is here"
    commit(cache, 10)
    assert here(cache) == [2, 3]
    assert (cache.tenants(DAY, hours(1, 2)), cache.first_bucket(DAY, hours(0, 9))) == (set(), 2 * 24)
    cache.fill([key], parts(key, page(1)))
    assert (cache.tenants(DAY, hours(1, 2)), cache.first_bucket(DAY, hours(0, 9))) == ({"t"}, 24)


def test_a_page_is_read_from_all_its_parts_and_only_those_that_changed_are_written() -> None:
    cache, key = cache_with(100, 1, entities=9), day_key("t", 1)
    body = cache.get(key)
    assert isinstance(body, Day)
    assert len(body.amounts) == 9
    body.amounts["u4"] = 5
    body.changed.add(part_of("u4"))
    cache.touch(key)
    [(at, _)] = cache.seal(10)
    assert at == key._replace(page=part_of("u4"))
    cache.touch(key)
    assert cache.seal(11) == [], "nothing of it changed"


def test_a_page_lags_as_a_whole_whichever_of_its_parts_was_written_last() -> None:
    cache, key = PageCache(Shown(), 100), day_key("t", 1)
    cache.mark_stale([key._replace(page=2)], 10)
    cache.mark_stale([key, key._replace(page=1)], 20)
    assert cache.stale == {key: 10}
