"""Setting rows for generated streams: budgets near what is spent, numbers of the rules, tags."""

from collections.abc import Sequence

from tests.generated.dice import Dice
from tests.generated.events import DAY_US, HOUR_US
from tests.oracle import Setting

Row = tuple[Setting, int | None]

# Values that make a rule sharper, duller, or change nothing.
_NUMBERS: dict[str, list[int]] = {
    "spike_pct": [120, 200, 140],
    "consecutive_days": [1, 3],
    "baseline_days_min": [1, 5],
    "few_days_pct": [200, 400],
    "few_days_excess_cents": [0, 5_000],
    "excess_min_cents": [0, 100, 1_000],
    "alone_pct": [0, 150, 500],
    "alone_excess_pct": [160],
    "alone_excess_cents": [0, 1_000],
    "drift_pct": [110, 150],
    "drift_days_required": [1, 2],
    "drift_days_min": [0, 1, 7],
    "severity_medium_pct": [30],
    "severity_high_pct": [20, 60],
    "budget_high_pct": [95, 50],
    "day_low_pct": [50, 100],
    "day_medium_pct": [120],
    "day_high_pct": [150],
    "day_critical_pct": [300],
    "unpriced_pct": [0, 20],
    "unpriced_requests_min": [2],
    "cause_retry_ratio_pct": [110],
    "cause_retry_share_pct": [50],
    "cause_feature_share_pct": [40],
    "cause_feature_points": [0, 40],
    "cause_growth_pct": [101],
}
_LIMITS = [None, 0, 1, 1_000, 1_250, 2_500, 3_125, 10_000, 31_250, 77_500]
_WARNINGS = [80, 80, 50, 90, 100, 1]
_SCOPES = [("tenant", None), ("tenant", None), ("user", "u1"), ("feature", "search"), ("feature", "unclassified")]
_TAGS = ["search", "chat", "ops.batch", "other"]


def rows_at_start(dice: Dice, tenants: Sequence[str], first_day: int, days: int) -> list[Setting]:
    """Return rows of the start; they may be in force since ever, or from any day of the stream."""

    def since() -> int | None:
        day = first_day + dice.whole(0, days)
        return dice.one_of([None, None, day * DAY_US, day * DAY_US + 12 * HOUR_US, (day + 1) * DAY_US - 1])

    rows = [_row(dice, tenants, since()) for _ in range(dice.whole(0, 8))]
    return rows + [_budget(dice, dice.one_of(tenants), None) for _ in range(dice.whole(0, 3))]


def rows_on_the_way(dice: Dice, tenants: Sequence[str], arrivals: Sequence[int], before: Sequence[Row]) -> list[Row]:
    """Return rows that become known before a record, in the order in which they do.

    Args:
        arrivals: when each record of the log arrives; no watermark is ahead of it, so no day that ends later is closed.
    """
    rows: list[Row] = []
    for place in sorted(dice.whole(1, len(arrivals)) for _ in range(dice.whole(0, 12))):
        now_us = arrivals[min(place, len(arrivals) - 1)]
        today_us = now_us // DAY_US * DAY_US
        future = [now_us, now_us + 1, today_us + DAY_US - 1, today_us + DAY_US, today_us + 3 * DAY_US]
        row = _row(dice, tenants, dice.one_of(future))
        if (earlier := [*before, *rows]) and dice.whole(0, 1):
            row = _undone(dice, dice.one_of(earlier)[0], now_us)
        in_the_past = row.kind != "tag" and row.body.get("name") != "feature_tags" and dice.whole(0, 2) == 0
        if in_the_past:
            row = Setting(row.kind, row.tenant_id, today_us, row.body)
        rows.append((row, place))
    return rows


def _undone(dice: Dice, row: Setting, now_us: int) -> Setting:
    """Return a row that takes back, or reverses, what an earlier one of the same budget or tag did."""
    body = {**row.body}
    if row.kind != "rule":
        body["is_active"] = not body["is_active"]
    if row.kind == "budget" and dice.whole(0, 1):
        body |= {"is_active": True, "daily_limit_cents": 500_000, "monthly_limit_cents": dice.one_of([1, 5_000_000])}
    return Setting(row.kind, row.tenant_id, now_us, body)


def _row(dice: Dice, tenants: Sequence[str], since_us: int | None) -> Setting:
    match dice.whole(0, 6):
        case 0 | 1 | 2:
            return _budget(dice, dice.one_of(tenants), since_us)
        case 3 | 4:
            name = dice.one_of(list(_NUMBERS))
            return _rule(dice, tenants, since_us, name, dice.one_of(_NUMBERS[name]))
        case 5:
            tag = dice.one_of(_TAGS)
            body = {"tag": tag, "display_name": tag.title(), "is_active": bool(dice.whole(0, 1))}
            return Setting("tag", dice.one_of(tenants), since_us, body)
    if dice.whole(0, 1):
        return _rule(dice, tenants, since_us, "feature_tags", dice.one_of(["open", "registered"]))
    return _rule(dice, tenants, since_us, "profile", dice.one_of(["standard", "reference"]))


def _rule(dice: Dice, tenants: Sequence[str], since_us: int | None, name: str, value: int | str) -> Setting:
    return Setting("rule", dice.one_of(["*", *tenants]), since_us, {"name": name, "value": value})


def _budget(dice: Dice, tenant_id: str, since_us: int | None) -> Setting:
    budget_type, entity_id = dice.one_of(_SCOPES)
    body = {
        "budget_type": budget_type,
        "entity_id": tenant_id if entity_id is None else entity_id,
        "daily_limit_cents": dice.one_of(_LIMITS),
        "monthly_limit_cents": dice.one_of(_LIMITS),
        "warn_threshold_pct": dice.one_of(_WARNINGS),
        "hard_limit_enabled": bool(dice.whole(0, 1)),
        "is_active": dice.whole(0, 5) > 0,
    }
    return Setting("budget", tenant_id, since_us, body)
