"""Situations the rules can be in: a day of events after a month of history, made so that one thing happens at a time.

A hundred tenants of ten users, five features and four models. On each of the 29 days before, every user spends the
same; on the measured day 0.8 of that, unless the situation says otherwise, so that lines are armed and none is crossed.
Who spikes or drifts does so from the first record of each user on: every record after it is judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

import msgspec

from engines.core.model import SettingRow
from engines.core.time import US_PER_DAY, US_PER_HOUR, US_PER_MINUTE, format_instant
from engines.cost.settings import BUDGET, EVERY_TENANT, FEATURE_TAGS, REGISTERED, RULE, TAG

TENANTS: Final = 100
USERS: Final = 10
FEATURES: Final = 5
HISTORY_DAYS: Final = 29
FIRST_DAY: Final = 20_454  # 1 January 2026: the measured day is of the same month and not its last
MEASURED_DAY: Final = FIRST_DAY + HISTORY_DAYS
UNUSUAL_ONE_IN: Final = 10
"""One tenant in so many spikes or drifts."""
RESTATED_SHARE: Final = 0.05
RESTATED_DAYS: Final = 14

_MODELS: Final = ("gpt-4o", "gpt-4o-mini", "o3-mini", "claude-sonnet-4.6")
_USER_CENTS: Final = 2_000
"""What a user spends on a day of the history."""
_USUAL: Final = 0.8
_SPIKE: Final = 5.0
"""What the first record of a spiking user costs, in days of theirs."""
_DRIFT_FIRST: Final = 1.3
_DRIFT_RISEN: Final = 1.35
_DRIFT_DAYS: Final = 9
"""For so many days before it, who drifts spends so much more."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What is measured: which history and settings a day meets, and what is unusual about the day."""

    name: str
    history: bool = True
    spiking: bool = False
    drifting: bool = False
    restating: bool = False
    budgets: bool = False
    tags: bool = False


BASE: Final = Situation("no history, no settings", history=False)
SITUATIONS: Final = (
    Situation("history: lines armed, none crossed"),
    Situation("10 % of tenants spike all day", spiking=True),
    Situation("10 % of tenants drift all day", drifting=True),
    Situation("budgets: tenant, 2 users, 2 features", budgets=True),
    Situation("feature tags registered", tags=True),
    Situation("5 % of records restate closed days", restating=True),
    Situation("all of it at once", spiking=True, drifting=True, restating=True, budgets=True, tags=True),
)


def history(situation: Situation) -> list[bytes]:
    """Return the values of the days before, and one that closes the last of them."""
    if not situation.history:
        return [_after(MEASURED_DAY)]
    random, values = Random(1), list[bytes]()
    for number in range(FIRST_DAY, MEASURED_DAY):
        risen = situation.drifting and number >= MEASURED_DAY - _DRIFT_DAYS
        for at in range(TENANTS * USERS):
            tenant, user = at // USERS, at % USERS
            cents = _USER_CENTS * (_DRIFT_RISEN if risen and _drifts(tenant) else 1)
            occurred_us = number * US_PER_DAY + (at + 1) * US_PER_MINUTE
            values.append(_value(random, f"before-{number}-{at}", occurred_us, tenant, user, cents))
    return [*values, _after(MEASURED_DAY)]


def measured(situation: Situation, records: int) -> list[bytes]:
    """Return the values of the measured day, *records* of them."""
    random, values, begun = Random(2), list[bytes](), set[tuple[int, int]]()
    usual = _USER_CENTS * _USUAL * TENANTS * USERS / records
    for at in range(records):
        occurred_us = MEASURED_DAY * US_PER_DAY + at * US_PER_DAY // records
        tenant, user = random.randrange(TENANTS), random.randrange(USERS)
        cents = usual * random.uniform(0.8, 1.2)
        if (tenant, user) not in begun:
            begun.add((tenant, user))
            cents = _first_cents(situation, tenant, cents)
        if random.random() < RESTATED_SHARE and situation.restating:
            occurred_us -= random.randrange(1, RESTATED_DAYS + 1) * US_PER_DAY
        values.append(_value(random, f"event-{at:07d}", occurred_us, tenant, user, cents))
    return values


def closing() -> list[bytes]:
    """Return the value that closes the measured day."""
    return [_after(MEASURED_DAY + 1)]


def settings(situation: Situation) -> list[SettingRow]:
    """Return the settings rows of *situation*; no budget is used up."""
    rows: list[tuple[str, str, dict[str, object]]] = []
    if situation.tags:
        rows.append((RULE, EVERY_TENANT, {"name": FEATURE_TAGS, "value": REGISTERED}))
    for tenant in range(TENANTS):
        who = _tenant(tenant)
        if situation.tags:
            rows += [(TAG, who, {"tag": _feature(tag), "is_active": tag > 0}) for tag in range(FEATURES)]
        if situation.budgets:
            rows.append((BUDGET, who, _budget("tenant", who, 100 * USERS)))
            rows += [(BUDGET, who, _budget("user", _user(at), 100)) for at in range(2)]
            rows += [(BUDGET, who, _budget("feature", _feature(at), 100 * USERS)) for at in range(2)]
    encode = msgspec.json.encode
    return [SettingRow(seq, kind, who, None, encode(body)) for seq, (kind, who, body) in enumerate(rows, 1)]


def _drifts(tenant: int) -> bool:
    return tenant % UNUSUAL_ONE_IN == 1


def _first_cents(situation: Situation, tenant: int, cents: float) -> float:
    if situation.spiking and tenant % UNUSUAL_ONE_IN == 0:
        return _USER_CENTS * _SPIKE
    return _USER_CENTS * _DRIFT_FIRST if situation.drifting and _drifts(tenant) else cents


def _budget(kind: str, entity_id: str, days: int) -> dict[str, object]:
    """Return a budget that *days* of a user's spend would use up, per day, and 30 times that per month."""
    limits: Sequence[tuple[str, int]] = (("daily_limit_cents", 1), ("monthly_limit_cents", 30))
    return {
        "budget_type": kind,
        "entity_id": entity_id,
        **{name: times * days * _USER_CENTS for name, times in limits},
    }


def _after(day: int) -> bytes:
    """Return the value of a record so far into *day* that the day before closes, and days older than that."""
    return _value(Random(day), f"after-{day}", day * US_PER_DAY + 2 * US_PER_HOUR, 2, 0, 1)


def _tenant(number: int) -> str:
    return f"tenant-{number:03d}"


def _user(number: int) -> str:
    return f"user-{number:03d}"


def _feature(number: int) -> str:
    return f"feature-{number:02d}"


def _value(random: Random, event_id: str, occurred_us: int, tenant: int, user: int, cents: float) -> bytes:
    return (
        f'{{"id":"{event_id}","tenant_id":"{_tenant(tenant)}","occurred_at":"{format_instant(occurred_us)}",'
        f'"user_id":"{_user(user)}","feature_tag":"{_feature(user % FEATURES)}","model":"{_MODELS[user % 4]}",'
        f'"request_id":"req-{random.randrange(1 << 48):012x}","input_tokens":{random.randrange(200, 9000)},'
        f'"output_tokens":{random.randrange(10, 1500)},"cost_cents":{cents:.4f},'
        f'"provider":"openai","workflow_id":"wf-{random.randrange(500)}"}}'
    ).encode()
