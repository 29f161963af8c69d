"""Streams of tenants that nobody should be paged for: steady spend, days within 20 % of it, as people and jobs make it.

Invariant: each entity's day total lies within 20 % of its own mean, once all of the day's records have come.
"""

from dataclasses import dataclass, replace
from datetime import date

from tests.generated.dice import Dice
from tests.generated.events import DAY_US, HOUR_US, MINUTE_US, SECOND_US, Event
from tests.oracle import LogRecord

_FIRST_DAY = (date(2026, 1, 20) - date(1970, 1, 1)).days
_CENT = 10**7
_MEANS = [1_000, 100, 20_000, 300_000, 5]  # US cents a day and person
_NOISE_PCT = 20


@dataclass(frozen=True)
class _Person:
    """Who spends, always on the same feature and model, so that the totals of these are as steady."""

    user_id: str | None
    feature_tag: str | None
    model: str
    mean: int
    requests: int


def build_quiet(dice: Dice) -> list[LogRecord]:
    """Return one quiet stream, unplaced, in the order of its append, without append times."""
    days = dice.whole(20, 60)
    events: list[Event] = []
    for tenant_id in ["acme", "globex", "tenant-ß"][: dice.whole(1, 3)]:
        events += _tenant(dice, tenant_id, days)
    for number, event in enumerate(events):
        event.id = f"e{number}"
    events += [replace(event) for event in events if dice.whole(0, 49) == 0]
    events.sort(key=lambda event: event.occurred_us + event.lag_us)
    return [replace(event.written(dice.whole(0, 7)), key=event.tenant_id.encode()) for event in events]


def _tenant(dice: Dice, tenant_id: str, days: int) -> list[Event]:
    people = [
        _Person(f"u{number}", f"f{number % 2}", f"m{number % 2}", dice.one_of(_MEANS) * _CENT, dice.whole(1, 3))
        for number in range(dice.whole(1, 3))
    ]
    rhythm = dice.one_of([0, 0, 10, 15])  # percent more in the week and less at its end
    nightly = dice.whole(0, 3) == 0
    events = []
    for place in range(days):
        weekend = (_FIRST_DAY + place) % 7 in (2, 3)
        for person in people:
            rest = _NOISE_PCT - rhythm
            pct = 100 + (-rhythm if weekend else rhythm) + dice.whole(-rest, rest)
            lag_us = 28 * HOUR_US if nightly else dice.one_of([0, 1, 30 * MINUTE_US])
            events += _day(dice, tenant_id, person, _FIRST_DAY + place, person.mean * pct // 100, lag_us)
    return events


def _day(dice: Dice, tenant_id: str, person: _Person, day: int, spend: int, lag_us: int) -> list[Event]:
    share = spend // person.requests
    costs = [spend - share * (person.requests - 1), *[share] * (person.requests - 1)]
    return [
        Event(
            tenant_id,
            person.user_id,
            person.feature_tag,
            person.model,
            occurred_us=day * DAY_US + dice.whole(0, 86_399) * SECOND_US,
            cost_nanousd=cost,
            more={"input_tokens": 1_000, "output_tokens": 100},
            lag_us=lag_us,
        )
        for cost in costs
    ]
