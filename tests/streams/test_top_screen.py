"""What ``outlay top`` makes of answers: several databases as one, and a screen of any height."""

import io
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from rich.console import Console

from drivers.postgres.overview import Anomaly, BudgetUsage, Overview, Question, Reach, Spend, merged
from engines.core.errors import Transient
from streams.cli.top import Sight, as_object, freshness, watch
from streams.cli.top_screen import Screen, rendered

DAY = 20_468  # 2026-01-15
DAY_US = 86_400_000_000
USD = 10**9


def spend(tenant_id: str, cost: int | None, kind: str = "tenant") -> Spend:
    return Spend(tenant_id, kind, "e", cost, 1, Decimal("41.5"), 1, 0, "complete")


def finding(anomaly_id: str, day: date, severity: str = "HIGH", deviation_pct: float = 1.0) -> Anomaly:
    return Anomaly(
        anomaly_id, "t", "ABSOLUTE_SPIKE", severity, "user", "u", day, None, 1, 1, deviation_pct, "UNKNOWN", "final",
        "m", day,
    )  # fmt: skip


def usage(tenant_id: str, pct: int) -> BudgetUsage:
    return BudgetUsage(tenant_id, "user", "ana", "daily", 1, 2, Decimal(pct), 80, "warning")


def part(**lists: Any) -> Overview:
    empty: dict[str, Any] = {"spend": (), "anomalies": (), "budgets": (), "reach": ()}
    return Overview(1, 2, 3, 4, **empty | lists)


def test_databases_merge_in_the_order_in_which_each_of_them_answers() -> None:
    old, new = date(2026, 1, 1), date(2026, 1, 2)
    one = part(
        spend=(spend("b", 5), spend("d", None), spend("b", 1, "user")),
        anomalies=(finding("1", new, "low"), finding("2", old, "critical")),
        budgets=(usage("b", 90),),
        reach=(Reach(1, 5, None, 0),),
    )
    other = part(
        spend=(spend("a", 5), spend("c", 0)),
        anomalies=(finding("3", new, "HIGH"), finding("4", new, "HIGH", 2.0), finding("5", old, "odd")),
        budgets=(usage("a", 90), usage("c", 5)),
        reach=(Reach(0, None, None, 0),),
    )
    both = merged([one, other], Question(("user", "tenant"), limit=4))
    assert [(each.entity_type, each.tenant_id) for each in both.spend] == [
        ("user", "b"), ("tenant", "a"), ("tenant", "b"), ("tenant", "c"), ("tenant", "d")
    ]  # fmt: skip
    assert [each.anomaly_id for each in both.anomalies] == ["4", "3", "1", "2"]
    assert [each.tenant_id for each in both.budgets] == ["a", "b", "c"]
    assert [each.partition for each in both.reach] == [0, 1]
    assert (both.tenants, both.requests, both.unpriced_requests, both.cost_nanousd) == (2, 4, 6, 8)


def test_freshness_is_that_of_the_furthest_partition_and_names_the_slowest() -> None:
    reach = (Reach(0, 7_200_000_000, 7_000_000, 4), Reach(1, 0, None, 1), Reach(2, None, None, 0))
    assert freshness(reach, 7_260_000) == {
        "watermark": "1970-01-01T02:00:00Z",
        "watermark_slowest": "1970-01-01T00:00:00Z",
        "behind_s": 60,
        "last_append_s": 260,
        "unshown": 5,
    }
    assert freshness((Reach(2, None, None, 0),), 0)["watermark"] is None


def sight(rows: int, *, reach: tuple[Reach, ...] = (Reach(0, 0, 0, 2), Reach(1, 1_000_000, None, 0))) -> Sight:
    lists = {
        "spend": tuple(spend(f"t{row}", row) for row in range(rows)),
        "anomalies": tuple(finding(str(row), date(2026, 1, 1)) for row in range(rows)),
        "budgets": tuple(usage(f"t{row}", row) for row in range(rows)),
    }
    return Sight(date(2026, 1, 1), 200_000_000, part(**lists, reach=reach))


def on_screen(*sights: Sight | str, height: int = 40) -> str:
    console = Console(file=io.StringIO(), force_terminal=True, width=170, height=height, color_system=None)
    with Screen(console) as screen:
        for one in sights:
            screen.away(one) if isinstance(one, str) else screen.show(one)
    shown = console.file
    assert isinstance(shown, io.StringIO)
    return shown.getvalue()


def test_a_screen_shows_as_many_lines_of_each_kind_as_fit() -> None:
    console = Console(file=io.StringIO(), width=170)
    lines = console.render_lines(rendered(sight(50), height=40))
    assert 30 <= len(lines) <= 40
    text = on_screen(sight(50))
    assert "t5 " in text
    assert "t30 " not in text
    assert "2 d behind the clock; slowest partition 1970-01-01T00:00:00Z" in text
    assert "up to 2 records not shown yet" in text


def test_a_low_screen_leaves_out_spend_by_the_last_kinds_and_not_what_is_wrong() -> None:
    whole = sight(50)
    assert whole.overview is not None
    kinds = ("tenant", "feature", "user", "model")
    spent = tuple(spend("t", 1, kind) for kind in kinds for _ in range(5))
    wide = replace(whole, overview=replace(whole.overview, spend=spent))
    low = on_screen(wide, height=24)
    assert "no room for feature, user, model: --by feature" in low
    assert "spend by tenant" in low
    assert "budgets" in low
    high = on_screen(wide, height=50)
    assert "no room" not in high
    assert "spend by model" in high


def test_what_is_old_is_told_in_days_and_what_is_new_in_seconds() -> None:
    shown = {
        seconds: on_screen(replace(sight(1, reach=(Reach(0, 0, None, 0),)), now_ms=seconds * 1000))
        for seconds in (119, 120, 7_200, 172_800)
    }
    for seconds, words in {119: "119 s", 120: "2 min", 7_200: "2 h", 172_800: "2 d"}.items():
        assert f"event time 1970-01-01T00:00:00Z, {words} behind the clock" in shown[seconds]
        assert "slowest" not in shown[seconds]
        assert "last record" not in shown[seconds]
        assert "not shown" not in shown[seconds]


def test_while_a_database_is_away_the_last_sight_stays_under_the_reason() -> None:
    text = on_screen(sight(1), "connection refused")
    assert text.rindex("connection refused; trying again") < text.rindex("spend by tenant")
    assert "trying again" in on_screen("connection refused")


async def test_looking_goes_on_through_an_outage() -> None:
    answers: list[Sight | Transient] = [sight(1), Transient("the database\nis away"), sight(2)]
    told: list[object] = []

    async def see() -> Sight:
        answer = answers.pop(0)
        if isinstance(answer, Transient):
            raise answer
        return answer

    async def pause() -> None:
        if not answers:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await watch(see, told.append, told.append, pause)
    assert [one if isinstance(one, str) else "seen" for one in told] == ["seen", "the database is away", "seen"]


def test_an_object_without_data_has_the_same_members() -> None:
    assert as_object(Sight(None, 0, None)).keys() == as_object(sight(1)).keys()


@pytest.mark.parametrize("width", [80, 100, 170])
def test_where_a_screen_is_narrow_names_are_cut_and_numbers_are_not(width: int) -> None:
    dear = replace(
        finding("1", date(2026, 1, 1)), tenant_id="a-tenant-of-a-long-name", current_nanousd=12_345_670_000_000
    )
    told = Sight(date(2026, 1, 1), 0, part(anomalies=(replace(dear, expected_nanousd=987 * USD),)))
    console = Console(file=io.StringIO(), width=width)
    lines = ["".join(each.text for each in line) for line in console.render_lines(rendered(told, height=40))]
    [row] = [line for line in lines if line.startswith("2026") and " UTC " not in line]
    assert "$12,345.67" in row
    assert "$987.00" in row
    assert ("a-tenant-of-a-long-name" in row) is (width == 170)


def drawn(told: Sight, width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(rendered(told, height=40))
    shown = console.file
    assert isinstance(shown, io.StringIO)
    return shown.getvalue()


def test_on_eighty_columns_what_can_be_done_without_goes_before_names_are_cut_short() -> None:
    named = replace(finding("1", date(2026, 1, 1)), tenant_id="northwind-traders", entity_id="document-summaries")
    budget = replace(usage("northwind-traders", 50), entity_id="document-summaries")
    bought = replace(spend("northwind-traders", 12 * USD, "feature"), entity_id="document-summaries")
    told = Sight(date(2026, 1, 1), 0, part(spend=(bought,), anomalies=(named,), budgets=(budget,)))
    heads = ("deviation", "cause", "status", "unpriced")
    wide, narrow, least = drawn(told, 170), drawn(told, 80), drawn(told, 60)
    assert all(head in wide for head in heads)
    assert wide.count("northwind-traders") == 3
    assert "█" in wide
    assert narrow.count("northwind-tr") == 3, "twelve letters of every name"
    assert "document-summa" in narrow
    assert [head in narrow for head in heads] == [True, False, False, True], "the deviation of spend stays"
    assert "█" not in narrow
    assert "unpriced" not in least
    assert max(map(len, narrow.splitlines())) <= 80
