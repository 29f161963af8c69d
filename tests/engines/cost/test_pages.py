"""Where pages are, and what they say of themselves."""

from engines.cost.pages import (
    BASE,
    DAY,
    HOUR,
    LEDGER,
    MONTH,
    DayPage,
    base_key,
    day_key,
    each_total,
    hour_key,
    ledger_key,
    month_key,
    tenant_requests,
)
from engines.cost.totals import of_record


def test_buckets_are_in_hours_whatever_they_name() -> None:
    keys = (hour_key("t", 75), day_key("t", 3), base_key("t", 3), month_key("t", 1), ledger_key("t"))
    assert [(key.kind, key.bucket, key.page) for key in keys] == [
        (HOUR, 75, 0),
        (DAY, 72, 0),
        (BASE, 72, 0),
        (MONTH, 31 * 24, 0),
        (LEDGER, 0, 0),
    ]


def test_totals_come_in_the_order_of_their_types() -> None:
    totals = {"model": {"m": 4}, "feature": {"f": 3}, "user": {"u": 2}, "tenant": {"t": 1}}
    assert [total for _, _, total in each_total(totals)] == [1, 2, 3, 4]


def test_a_day_counts_the_records_of_its_tenant() -> None:
    page = DayPage()
    assert tenant_requests(page, "t") == 0
    page.totals["tenant"]["t"] = 3 * of_record(1, 1, 1)
    assert (tenant_requests(page, "t"), page.entities) == (3, 1)
