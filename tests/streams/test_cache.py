"""Which pages stay in memory, which go into a commit, and whose projections lag."""

import pytest

from engines.core.model import PageKey
from engines.cost.pages import HOUR, HourPage, hour_key, pack
from engines.cost.totals import of_record
from streams.cache import PageCache
from tests.engines.cost.spending import domain


def page(entities: int) -> HourPage:
    """Return a page that weighs *entities* and one."""
    body = HourPage()
    body.totals["user"] = {f"u{n}": of_record(1, 1, 1) for n in range(entities)}
    return body


def cache_with(budget: int, *hours: int, entities: int = 4) -> PageCache:
    """Return a cache of clean pages, projected, that came from the store in the order of *hours*."""
    cache = PageCache(domain(), budget)
    keys = [hour_key("t", hour) for hour in hours]
    cache.fill(keys, {key: pack(page(entities)) for key in keys})
    return cache


def here(cache: PageCache) -> list[int]:
    return [hour for hour in range(20) if cache.known(hour_key("t", hour))]


def commit(cache: PageCache, as_of: int) -> list[PageKey]:
    sealed = [key for key, _ in cache.seal(as_of)]
    cache.sealed_committed()
    return sealed


def test_absence_is_remembered_and_ignorance_is_an_error() -> None:
    cache = PageCache(domain(), 100)
    absent, unknown = hour_key("t", 1), hour_key("t", 2)
    cache.fill([absent], {})
    assert (cache.known(absent), cache.get(absent)) == (True, None)
    assert cache.unknown([absent, unknown]) == [unknown]
    with pytest.raises(KeyError):
        cache.get(unknown)


def test_what_is_here_is_not_replaced_by_what_was_read_meanwhile() -> None:
    cache, key, newer = PageCache(domain(), 100), hour_key("t", 1), page(2)
    cache.put(key, newer)
    cache.fill([key], {key: pack(page(1))})
    assert cache.get(key) is newer


def test_the_longest_unused_pages_are_dropped_until_the_budget_holds() -> None:
    cache = cache_with(15, 1, 2, 3, 4)
    cache.get(hour_key("t", 1))
    commit(cache, 10)
    assert here(cache) == [1, 3, 4]


def test_nothing_is_dropped_within_the_budget() -> None:
    cache = cache_with(20, 1, 2, 3, 4)
    commit(cache, 10)
    assert here(cache) == [1, 2, 3, 4]


def test_a_changed_page_stays_until_it_is_committed() -> None:
    cache = cache_with(0, 1, 2)
    cache.touch(hour_key("t", 1))
    cache.seal(10)
    assert here(cache) == [1, 2], "sealed is not committed"
    cache.touch(hour_key("t", 2))
    cache.sealed_committed()
    assert here(cache) == [2], "changed after the seal"
    assert commit(cache, 20) == [hour_key("t", 2)]
    assert here(cache) == []


def test_a_page_weighs_what_it_has_grown_to() -> None:
    cache = cache_with(11, 1, 2)
    body = cache.get(hour_key("t", 2))
    assert isinstance(body, HourPage)
    body.totals["user"]["one more"] = of_record(1, 1, 1)
    cache.touch(hour_key("t", 2))
    commit(cache, 10)
    assert here(cache) == [1, 2]
    body.totals["user"]["and one more"] = of_record(1, 1, 1)
    cache.touch(hour_key("t", 2))
    commit(cache, 20)
    assert here(cache) == [2]


def test_a_page_is_sealed_once_and_as_it_is_then() -> None:
    cache, key = PageCache(domain(), 100), hour_key("t", 1)
    cache.put(key, page(3))
    cache.touch(key)
    assert cache.seal(10) == [(key, pack(page(3)))]
    assert (cache.seal(11), list(cache.dirty)) == ([], [])


def test_projections_lag_from_the_first_seal_without_rows_until_they_are_written() -> None:
    cache, key = PageCache(domain(), 100), hour_key("t", 1)
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
    cache, key = PageCache(domain(), 100), hour_key("t", 1)
    cache.put(key, page(1))
    cache.project([key], 10)
    assert not cache.lags(key)
    cache.seal(10)
    assert cache.stale == {}
    cache.touch(key)
    cache.seal(20)
    assert cache.stale == {key: 20}, "written once is not written for ever"


def test_a_page_that_changes_after_its_rows_were_made_lags_again() -> None:
    cache, key = PageCache(domain(), 100), hour_key("t", 1)
    cache.put(key, page(1))
    cache.project([key], 10)
    cache.touch(key)
    cache.seal(10)
    assert cache.stale == {key: 10}


def test_it_tells_who_has_pages_where() -> None:
    cache = PageCache(domain(), 100)
    for tenant, hour in (("a", 3), ("b", 4), ("c", 9)):
        cache.put(hour_key(tenant, hour), page(1))
    cache.fill([hour_key("absent", 3)], {})
    assert cache.tenants(HOUR, range(3, 5)) == {"a", "b"}
    assert (cache.first_bucket(HOUR, range(4, 20)), cache.first_bucket(HOUR, range(5, 9))) == (4, None)
    assert cache.tenants("other", range(20)) == set()
    assert cache.project([hour_key("absent", 3)], 1) == []
