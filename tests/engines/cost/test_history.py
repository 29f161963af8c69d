"""Which days a new day reads: the edges of every window."""

import pytest

from engines.cost.history import (
    REVISION_WINDOW,
    SNAPSHOT_WINDOW,
    SPIKE_WINDOW,
    day_page,
    only_judged,
    open_day,
    opening_keys,
    sums,
)
from engines.cost.pages import day_key
from engines.cost.rules import USD
from tests.engines.cost.spending import TENANT, MemoryPages, arrived, domain, spent

DAY = 20_530


def pages_with(back: int, usd: float | None = 1) -> MemoryPages:
    """Return pages of one record *back* days before ``DAY``."""
    pages = MemoryPages()
    domain().fold(pages, arrived(spent(DAY - back, usd, user_id="u")))
    return pages


@pytest.mark.parametrize("window, backs", [
    (SPIKE_WINDOW, range(2, 15)), (SNAPSHOT_WINDOW, range(1, 8)), (REVISION_WINDOW, range(2, 30)),
])  # fmt: skip
def test_a_window_reads_exactly_its_days(window: range, backs: range) -> None:
    read = [back for back in range(32) if sums(pages_with(back), TENANT, DAY, window)]
    assert read == list(backs)


def test_a_new_day_has_its_spike_baseline_and_the_records_of_its_revision() -> None:
    found = {back: open_day(pages_with(back), TENANT, DAY) for back in range(1, 32)}
    assert [back for back, page in found.items() if page.spike_base] == list(range(2, 15))
    assert [back for back, page in found.items() if page.records_before] == list(range(2, 30))
    assert found[2].spike_base == {"tenant": {TENANT: (USD, 1)}, "user": {"u": (USD, 1)}}


def test_days_without_a_priced_record_do_not_count_as_active() -> None:
    page = open_day(pages_with(2, None), TENANT, DAY)
    assert (page.spike_base, page.records_before) == ({}, 1)
    assert open_day(pages_with(2, 0), TENANT, DAY).spike_base["tenant"] == {TENANT: (0, 1)}


def test_sums_add_up_over_days_and_entities() -> None:
    pages = MemoryPages()
    events = [spent(DAY - 2, 3, user_id="u"), spent(DAY - 2, 4), spent(DAY - 3, 5, user_id="v")]
    domain().fold(pages, arrived(*events))
    assert sums(pages, TENANT, DAY, SPIKE_WINDOW) == {
        "tenant": {TENANT: (12 * USD, 2)},
        "user": {"u": (3 * USD, 1), "v": (5 * USD, 1)},
        "model": {"m": (12 * USD, 2)},
    }


def test_models_are_not_judged() -> None:
    assert only_judged({"model": {"m": (1, 1)}, "feature": {"f": (1, 1)}}) == {"feature": {"f": (1, 1)}}


def test_opening_a_day_needs_the_pages_of_the_longest_window() -> None:
    assert opening_keys(TENANT, DAY) == [day_key(TENANT, DAY - back) for back in range(2, 30)]


def test_a_page_of_something_else_is_no_day() -> None:
    assert day_page(MemoryPages({day_key(TENANT, DAY): "?"}), TENANT, DAY) is None
