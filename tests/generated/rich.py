"""Streams on which every cost rule has something to say: weeks of a few tenants, each with stories of its own.

A stream comes with setting rows and says before which of its records each becomes known. Invariant: such a row never
takes effect inside a window that is closed by then, and one for tags never in the past (CONTRACT §4).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from typing import Literal

from tests.generated.dice import Dice
from tests.generated.events import DAY_US, HOUR_US, MINUTE_US, SECOND_US, USD, Event
from tests.generated.rows import Row, rows_at_start, rows_on_the_way
from tests.oracle import LogRecord, Setting, placed

RECORDS_MAX = 1_000
# Within three months of these every kind of month ends.
_FIRST_DAYS = [date(2026, 1, 20), date(2025, 12, 3), date(2024, 1, 28), date(2026, 4, 10)]
_MEANS = [1_250, 2_500, 1_000, 500, 10_000, 100]  # US cents a day
_USERS = ["u1", "u2", None]
_FEATURES = ["search", "chat", "ops.batch", None]
_MODELS = ["no-such-model-a", "no-such-model-b"]
_CENT = 10**7


@dataclass(frozen=True)
class Rich:
    """A stream, unplaced, in the order of its append, and its setting rows in the order of theirs.

    `rows` are (row, index of the first record read with it known; None: known from the start).
    """

    log: list[LogRecord]
    rows: list[tuple[Setting, int | None]]

    def settings(self, partitions: int = 1) -> list[Setting]:
        """Return the rows as each of so many partitions learns of them; the log may be longer when it is read."""
        whole = placed(self.log, partitions)
        return [
            row if at is None else replace(row, known_before=_first_offsets(whole, at, partitions))
            for row, at in self.rows
        ]


def _first_offsets(log: Sequence[LogRecord], at: int, partitions: int) -> dict[int, int]:
    ends = dict.fromkeys(range(partitions), 0)
    for entry in log[:at]:
        if entry.partition is not None and entry.offset is not None:
            ends[entry.partition] = entry.offset + 1
    return ends


@dataclass
class _Plan:
    """What a tenant does on each day: its spend, how many records that is, and what marks them."""

    tenant_id: str
    first_day: int
    mean: int
    spend: list[int]  # nano-USD by day; -1: silent
    requests: list[int]
    lag_us: list[int]
    last_lag_us: list[int]  # of the day's last record, when it is not that of the others
    tokens: list[int]
    retries: list[int]
    surge: list[str | None]  # the feature that gets most of a day
    unpriced: list[bool]


def build_rich(dice: Dice, append: Literal["none", "live"] | None = None) -> Rich:
    """Return one stream with its settings."""
    first_day = (dice.one_of(_FIRST_DAYS) - date(1970, 1, 1)).days
    days = dice.whole(38, 75)
    tenants = ["acme", "globex", "tenant-ß"][: dice.whole(1, 3)]
    plans = [_plan(dice, tenant_id, first_day, days) for tenant_id in tenants]
    events = [event for plan in plans for event in _events(dice, plan)]
    for number, event in enumerate(events):
        event.id = f"e{number}"
    events = events[:: 1 + len(events) // (RECORDS_MAX * 9 // 10)]
    events += _again(dice, events)
    events.sort(key=lambda event: event.occurred_us + event.lag_us)
    arrivals = [event.occurred_us + event.lag_us for event in events]
    log = [replace(event.written(dice.whole(0, 7)), key=event.tenant_id.encode()) for event in events]
    if (append or dice.one_of(["none", "live"])) == "live":
        log = [replace(entry, append_us=at) for entry, at in zip(log, arrivals, strict=True)]
    rows: list[Row] = [(row, None) for row in rows_at_start(dice, tenants, first_day, days)]
    rows += rows_on_the_way(dice, tenants, arrivals, rows)
    return Rich(log, rows)


# ------------------------------------------------------------ what a tenant does


def _plan(dice: Dice, tenant_id: str, first_day: int, days: int) -> _Plan:
    mean = dice.one_of(_MEANS) * _CENT
    noise = dice.one_of([0, 0, 1, 10])
    spend = [mean + mean * dice.whole(-noise, noise) // 100 for _ in range(days)]
    plan = _Plan(
        tenant_id,
        first_day,
        mean,
        spend,
        requests=[dice.whole(1, 3)] * days,
        lag_us=[0] * days,
        last_lag_us=[0] * days,
        tokens=[1_000] * days,
        retries=[0] * days,
        surge=[None] * days,
        unpriced=[False] * days,
    )
    for _ in range(dice.whole(2, 6)):
        dice.one_of(_STORIES)(dice, plan)
    return plan


def _span(dice: Dice, plan: _Plan, longest: int) -> range:
    start = dice.whole(5, len(plan.spend) - 1)
    return range(start, min(len(plan.spend), start + dice.whole(1, longest)))


def _spike(dice: Dice, plan: _Plan) -> None:
    """A few dear days, at a threshold or beside it, and a reason for them."""
    ratio = dice.one_of([Fraction(140, 100), Fraction(2), Fraction(3), Fraction(4), Fraction(6)])
    why = dice.whole(0, 4)
    for day in _span(dice, plan, 4):
        plan.spend[day] = max(0, int(plan.mean * ratio) + dice.one_of([0, 0, 1, -1, 5 * USD]))
        match why:
            case 1:
                plan.requests[day] += dice.whole(2, 8)
                plan.retries[day] = dice.whole(1, plan.requests[day])
            case 2:
                plan.tokens[day] = dice.one_of([1_301, 1_300, 4_000])
            case 3:
                plan.surge[day] = dice.one_of(["search", "chat"])
                plan.requests[day] = max(3, plan.requests[day])
            case 4:
                plan.requests[day] *= 3


def _drift(dice: Dice, plan: _Plan) -> None:
    """A step that stays, or slow growth to the end."""
    start = dice.whole(9, max(9, len(plan.spend) - 12))
    grown = dice.one_of([125, 126, 130, 140, 180])
    slow = dice.whole(0, 1)
    for day in range(start, len(plan.spend)):
        pct = min(100 + 2 * (day - start), 300) if slow else grown
        plan.spend[day] = plan.spend[day] if plan.spend[day] < 0 else plan.mean * pct // 100


def _nightly(dice: Dice, plan: _Plan) -> None:
    """Everything of a day, or what of it is dear, comes the night after."""
    late = dice.one_of([26, 30, 33]) * HOUR_US
    for day in range(dice.whole(0, len(plan.spend) - 1), len(plan.spend)):
        plan.lag_us[day] = late
        if dice.whole(0, 9) == 0:
            plan.spend[day] = 4 * plan.mean


def _old(dice: Dice, plan: _Plan) -> None:
    """Single days that come days late, dear ones among them, up to the horizon and past it."""
    for _ in range(dice.whole(1, 4)):
        day = dice.whole(0, len(plan.spend) - 1)
        plan.lag_us[day] = dice.one_of([2, 3, 7, 8, 9, 20, 34, 35, 36, 40]) * DAY_US
        plan.spend[day] = plan.mean * dice.one_of([1, 2, 5])


def _outgrown(dice: Dice, plan: _Plan) -> None:
    """A spike whose baseline grows when it is told already, and a last record that has the day judged again."""
    for _ in range(dice.whole(1, 3)):
        day = dice.whole(min(8, len(plan.spend) - 1), len(plan.spend) - 1)
        plan.spend[day] = plan.mean * 3
        plan.requests[day] = dice.whole(2, 12)
        plan.last_lag_us[day] = dice.one_of([0, 26 * HOUR_US, 3 * DAY_US])
        plan.spend[day - 3] = plan.mean * dice.one_of([3, 8, 20])
        plan.lag_us[day - 3] = dice.one_of([3, 4]) * DAY_US + dice.one_of([0, 5 * HOUR_US])


def _silence(dice: Dice, plan: _Plan) -> None:
    for day in _span(dice, plan, dice.one_of([3, 10, 40])):
        plan.spend[day] = -1


def _weekdays(dice: Dice, plan: _Plan) -> None:
    """Nothing on two days a week, or less."""
    rest = dice.one_of([-1, 0, plan.mean // 2])
    for day in range(len(plan.spend)):
        if (plan.first_day + day) % 7 in (2, 3):
            plan.spend[day] = rest


def _zero(dice: Dice, plan: _Plan) -> None:
    for day in _span(dice, plan, 8):
        plan.spend[day] = 0


def _unpriced(dice: Dice, plan: _Plan) -> None:
    """A day or two on which a model has no price, and enough requests to say so."""
    for day in _span(dice, plan, 2):
        plan.unpriced[day] = True
        plan.requests[day] = dice.one_of([19, 20, 21, 24])


_STORIES: list[Callable[[Dice, _Plan], None]] = [
    _spike,
    _spike,
    _spike,
    _drift,
    _nightly,
    _old,
    _outgrown,
    _outgrown,
    _silence,
    _weekdays,
    _zero,
    _unpriced,
]


# ------------------------------------------------------------ its records


def _events(dice: Dice, plan: _Plan) -> list[Event]:
    events = []
    for place, spend in enumerate(plan.spend):
        if spend < 0:
            continue
        count = plan.requests[place]
        shares = _shares(spend, count, most=plan.surge[place] is not None)
        for number, share in enumerate(shares):
            surge = plan.surge[place] if number == 0 else None
            event = _event(dice, plan, place, share)
            event.feature_tag = surge or event.feature_tag
            if number and number == len(shares) - 1:
                event.lag_us = plan.last_lag_us[place] or event.lag_us
            event.more["is_retry"] = number < plan.retries[place]
            if plan.unpriced[place] and number * 2 < count + dice.one_of([-1, 0, 1]):
                event.cost_nanousd = None
            events.append(event)
    return events


def _shares(spend: int, count: int, *, most: bool) -> list[int]:
    first = spend * 7 // 10 if most and count > 1 else spend // count
    rest = count - 1
    others = [(spend - first) // rest] * rest if rest else []
    return [spend - sum(others), *others]


def _event(dice: Dice, plan: _Plan, place: int, cost: int) -> Event:
    clock_us = dice.one_of([12 * HOUR_US, 0, DAY_US - 1, dice.whole(0, 86_399) * SECOND_US])
    lag_us = plan.lag_us[place] or dice.one_of([0, 0, 1, 40 * MINUTE_US])
    if dice.whole(0, 39) == 0:
        lag_us = dice.one_of([26 * HOUR_US, 3 * DAY_US, 8 * DAY_US])
    return Event(
        plan.tenant_id,
        dice.one_of(_USERS),
        dice.one_of(_FEATURES),
        dice.one_of(_MODELS),
        occurred_us=(plan.first_day + place) * DAY_US + clock_us,
        cost_nanousd=cost,
        more={"input_tokens": plan.tokens[place], "output_tokens": 5},
        lag_us=lag_us,
    )


def _again(dice: Dice, events: Sequence[Event]) -> list[Event]:
    """Copies, of closed days too, up to the horizon and past it."""
    copies = []
    for _ in range(dice.whole(0, 25)):
        copy = replace(dice.one_of(events))
        copy.lag_us += dice.one_of([0, HOUR_US, DAY_US, 7 * DAY_US, 34 * DAY_US, 35 * DAY_US, 36 * DAY_US])
        if dice.whole(0, 5) == 0:
            copy.cost_nanousd = 7 * USD
        copies.append(copy)
    return copies
