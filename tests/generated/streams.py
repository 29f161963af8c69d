"""Log streams made of what breaks programs: exact thresholds, ties, gaps, copies, disorder, bad records.

One builder; what is drawn comes from `Dice`, so that a seed and hypothesis make the same kinds of streams.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from typing import Literal

from tests.generated.dice import Dice
from tests.generated.events import DAY_US, HOUR_US, MINUTE_US, SECOND_US, USD, Event, Raw, json_text
from tests.generated.spoiled import spoiled
from tests.oracle import LogRecord

# A record appended at most this much after its event is never late: the watermark lags 5 min, the grace is 1 h.
DISORDER_MAX_US = 65 * MINUTE_US

_FIRST_DAYS = [date(2026, 2, 20), date(2025, 12, 18), date(2024, 2, 16), date(2026, 4, 1)]
# $12.50 is where 1.40 x meets an excess of $5 and 3.00 x one of $25; $25 is where 2.00 x does.
_MEANS = [12_500_000_000, 25 * USD, 1, 7, 10**7, 1_666_666_667, 5 * USD, 100 * USD]
_RATIOS = [Fraction(140, 100), Fraction(2), Fraction(3), Fraction(1), Fraction(5)]
_EXCESSES = [5 * USD, 25 * USD]
_NUDGES = [0, 0, -1, 1]
_CLOCKS_US = [0, 1, 23 * HOUR_US, DAY_US - 1, 12 * HOUR_US, HOUR_US - 1, HOUR_US]
_MODELS = ["no-such-model-a", "no-such-model-b", "no-such-model-ü"]
_TENANTS = ["acme", "globex", "tenant-ß", *(f"tenant-{n}" for n in range(30))]
_USERS = ["u1", "u2", None]
_FEATURES = ["search", "chat", None]

Append = Literal["none", "live", "history", "any"]


@dataclass(frozen=True)
class Shape:
    """What a stream may hold.

    Attributes:
        file: no headers, keys, append times or null values: each value is a line of a file.
        append: no append times; ones that follow the events; ones of a history loaded later; any of these.
    """

    records_max: int = 120
    tenants: int = 3
    days_max: int = 40
    partitions: int = 1
    conflicts: bool = True
    late: bool = True
    bad: bool = True
    foreign: bool = True
    file: bool = False
    append: Append = "any"

    def within_grace(self) -> "Shape":
        """Return the shape without what makes an outcome depend on the order of the records."""
        return replace(self, conflicts=False, late=False, append="none")


def build(dice: Dice, shape: Shape) -> list[LogRecord]:
    """Return one stream in the order in which it is appended; partitions are left to the placement."""
    events = _events(dice, shape)
    _name(events, dice)
    events += _copies(events, dice, shape)
    for event in events:
        event.lag_us = event.lag_us or dice.one_of([0, 0, 1, SECOND_US, 30 * MINUTE_US, DISORDER_MAX_US])
    if shape.late:
        events += _late(events, dice, shape)
    events.sort(key=lambda event: event.occurred_us + event.lag_us)
    log = [_sent(event, dice, shape) for event in events]
    arrivals = [event.occurred_us + event.lag_us for event in events]
    log = _appended(log, arrivals, dice, shape)
    return _with_bad(log, dice, shape) if shape.bad else log


# ------------------------------------------------------------ what happened


def _events(dice: Dice, shape: Shape) -> list[Event]:
    first_day = (dice.one_of(_FIRST_DAYS) - date(1970, 1, 1)).days
    days = dice.whole(2, shape.days_max)
    tenants = _TENANTS[: shape.tenants]
    events: list[Event] = []
    budget = shape.records_max * 7 // 10
    for _ in range(dice.whole(1 + shape.records_max // 40, shape.records_max // 6)):
        story = dice.one_of([_spike_story, _spike_story, _spike_story, _midnight_story, _noise_story, _tie_story])
        events += story(dice, dice.one_of(tenants), first_day, days)
    return events[:budget]


def _spike_story(dice: Dice, tenant_id: str, first_day: int, days: int) -> list[Event]:
    """A few baseline days, then days whose totals lie on a threshold, or one nano-USD beside it."""
    who = (tenant_id, dice.one_of(_USERS), dice.one_of(_FEATURES), dice.one_of(_MODELS))
    mean = dice.one_of(_MEANS)
    spiked = first_day + dice.whole(min(5, days), days)
    free = dice.whole(0, 2)  # yesterday is no part of a baseline; more days off make a gap
    costs = [mean, *([mean - 1, mean + 1] if dice.whole(0, 1) else [mean] * dice.whole(0, 3))]
    if dice.whole(0, 5) == 0:
        costs = [0 if dice.whole(0, 1) else cost for cost in costs]
    events = [_at(dice, who, spiked - 2 - free - back, cost) for back, cost in enumerate(costs)]
    if dice.whole(0, 5) == 0:
        events.append(_at(dice, who, spiked - 2 - free - len(costs), 1))  # a mean that is no whole number
        costs.append(1)
    base = Fraction(sum(costs), len(costs))
    for day in range(spiked - dice.whole(0, 1), spiked + dice.whole(1, 3)):
        total = _target(dice, base)
        part = dice.whole(0, 1) * (total // 3)
        events += [_at(dice, who, day, cost) for cost in ([total] if part == 0 else [part, total - part])]
        if dice.whole(0, 7) == 0:
            events.append(_at(dice, who, day, dice.one_of([None, 0])))
    return events


def _midnight_story(dice: Dice, tenant_id: str, first_day: int, days: int) -> list[Event]:
    """A day that fires at once, and then, as both are open, yesterday's last records make it a streak."""
    who = (tenant_id, dice.one_of(_USERS), dice.one_of(_FEATURES), dice.one_of(_MODELS))
    mean = dice.one_of([12_500_000_000, 25 * USD, 100 * USD])
    today = first_day + dice.whole(min(6, days), days)
    events = [_at(dice, who, today - 2 - back, mean) for back in range(dice.whole(3, 5))]
    soon = [today * DAY_US + dice.whole(0, 20) * MINUTE_US for _ in range(2)]
    last = [today * DAY_US - dice.whole(1, 20) * MINUTE_US for _ in range(2)]
    early = [_at(dice, who, today, cost) for cost in (3 * mean + dice.one_of(_NUDGES), dice.one_of([0, 1, 5 * USD]))]
    yesterday = [_at(dice, who, today - 1, cost) for cost in (mean, _target(dice, Fraction(mean)) - mean)]
    for event, occurred_us in zip([*early, *yesterday], [*soon, *last], strict=True):
        event.occurred_us = occurred_us
        event.cost_nanousd = max(0, event.cost_nanousd or 0)
        event.lag_us = 1 if event in early else 40 * MINUTE_US
    return [*events, *early, *yesterday]


def _target(dice: Dice, base: Fraction) -> int:
    exact = base * dice.one_of(_RATIOS) if dice.whole(0, 1) else base + dice.one_of(_EXCESSES)
    return max(0, -(-exact.numerator // exact.denominator) + dice.one_of(_NUDGES))


def _noise_story(dice: Dice, tenant_id: str, first_day: int, days: int) -> list[Event]:
    """Some records anywhere, unpriced and zero ones among them."""
    return [
        _at(
            dice,
            (tenant_id, dice.one_of(_USERS), dice.one_of(_FEATURES), dice.one_of(_MODELS)),
            first_day + dice.whole(0, days),
            dice.one_of([None, 0, 1, 10**7, dice.whole(0, 40 * USD)]),
        )
        for _ in range(dice.whole(1, 12))
    ]


def _tie_story(dice: Dice, tenant_id: str, first_day: int, days: int) -> list[Event]:
    """Several records of one instant, of several entities."""
    one = _at(dice, (tenant_id, "u1", "search", _MODELS[0]), first_day + dice.whole(0, days), 0)
    return [
        replace(one, user_id=dice.one_of(_USERS), cost_nanousd=dice.one_of([5 * USD, 0, None]), more={})
        for _ in range(dice.whole(2, 4))
    ]


def _at(dice: Dice, who: tuple[str, str | None, str | None, str], day: int, cost: int | None) -> Event:
    clock_us = dice.one_of(_CLOCKS_US) if dice.whole(0, 1) else dice.whole(0, 86_399) * SECOND_US
    event = Event(*who, occurred_us=day * DAY_US + clock_us, cost_nanousd=cost)
    tokens = dice.one_of([0, 1, 1_000, 10**12])
    event.more = {"input_tokens": tokens, "output_tokens": dice.one_of([5, 0, 10**12])}
    match dice.whole(0, 9):
        case 9:
            event.more["is_retry"] = True
        case 8:
            event.more |= {"cached_input_tokens": tokens, "provider": dice.one_of(["openai", "no-such-provider"])}
        case 7:
            event.more |= {"is_retry": False, "request_id": "r", "workflow_id": None, "skill_id": "s" * 256}
    return event


def _name(events: list[Event], dice: Dice) -> None:
    """Give ids: unique ones, or ones that begin anew for each tenant and day."""
    anew = dice.whole(0, 1)
    counts: dict[object, int] = {}
    for event in events:
        scope = (event.tenant_id, event.occurred_us // DAY_US) if anew else None
        counts[scope] = counts.get(scope, 0) + 1
        event.id = f"e{counts[scope]}"
        event.more.setdefault("input_tokens", 0)
        event.more.setdefault("output_tokens", 0)


# ------------------------------------------------------------ how it arrives


def _copies(events: Sequence[Event], dice: Dice, shape: Shape) -> list[Event]:
    copies = []
    for _ in range(dice.whole(0, shape.records_max // 10)):
        copy = replace(dice.one_of(events), lag_us=0)
        match dice.whole(0, 3):
            case 3 if shape.conflicts:
                copy.cost_nanousd = dice.one_of([None, 7 * USD])
            case 2 if shape.conflicts:
                copy.user_id, copy.feature_tag = "u9", None
            case 1:  # the id again on the next day: another record
                copy.occurred_us += DAY_US
                copy.id += "+1d"
        copies.append(copy)
    return copies


def _late(events: Sequence[Event], dice: Dice, shape: Shape) -> list[Event]:
    late = []
    for _ in range(dice.whole(0, shape.records_max // 15)):
        copy = replace(dice.one_of(events))
        copy.id += dice.one_of(["", "-late"])
        copy.lag_us = dice.one_of([DAY_US, 2 * DAY_US, 36 * DAY_US, DISORDER_MAX_US + 1, 70 * MINUTE_US])
        if dice.whole(0, 2) == 0:  # before everything: on either side of the horizon
            back = dice.one_of([35, 36, 37, 60]) * DAY_US
            copy.occurred_us -= back
            copy.lag_us += back
        late.append(copy)
    return late


def _sent(event: Event, dice: Dice, shape: Shape) -> LogRecord:
    record = event.written(dice.whole(0, 7))
    if shape.file:
        return record
    if dice.whole(0, 9) == 0:
        body = json.loads(record.value or b"{}", parse_float=Raw, parse_int=Raw)
        body.pop("later_field", None)
        moved = {"id": "ce_id", "occurred_at": "ce_time"}
        headers = tuple((header, str(body.pop(name)).encode()) for name, header in moved.items())
        record = replace(record, value=json_text(body), headers=(*headers, ("ce_type", b"cost-record")))
    if dice.whole(0, 19) == 0 and shape.conflicts:
        record = replace(record, headers=(*record.headers, ("ce_source", b"gateway-2")))
    key = event.tenant_id.encode()
    if shape.foreign and dice.whole(0, 9) == 0:
        key = dice.one_of([b"elsewhere", b"another", b""])
    return replace(record, key=key)


def _appended(log: list[LogRecord], arrivals: Sequence[int], dice: Dice, shape: Shape) -> list[LogRecord]:
    append = "none" if shape.file else shape.append
    if append == "any":
        append = dice.one_of(["none", "live", "history"])
    if append == "none" or not log:
        return log
    if append == "live":
        return [replace(entry, append_us=at) for entry, at in zip(log, arrivals, strict=True)]
    clock_us = max(arrivals) + dice.one_of([0, DAY_US])
    result = []
    for entry in log:
        clock_us += dice.one_of([0, 1_000, SECOND_US, MINUTE_US])
        if dice.whole(0, 39) == 0:
            clock_us += dice.one_of([MINUTE_US + 1, HOUR_US, 30 * HOUR_US])
        result.append(replace(entry, append_us=clock_us))
    return result


def _with_bad(log: list[LogRecord], dice: Dice, shape: Shape) -> list[LogRecord]:
    result = list(log)
    if not log:
        return result
    places = sorted(dice.whole(0, len(log) - 1) for _ in range(dice.whole(0, shape.records_max // 12)))
    for at in reversed(places):
        result.insert(at, spoiled(log[at], dice, file=shape.file))
    return result
