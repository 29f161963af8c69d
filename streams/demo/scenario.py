"""One month of cost records, made of a seed, with two spikes planted in it, and what must come of it.

One invariant: what is expected is counted here, while the records are made, from their own numbers and the rates in
``workloads``; nothing of the engines is asked. The ordinary days vary too little for any rule to fire (CONTRACT §6,
profile ``standard``); the test of this module replays many seeds to prove it.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

import msgspec

from engines.core.time import US_PER_DAY, US_PER_HOUR, US_PER_MINUTE, US_PER_SECOND, format_instant
from streams.demo.workloads import TENANTS, Tenant, Workload

FIRST_DAY: Final = (date(2025, 9, 1) - date(1970, 1, 1)).days
"""A Monday; days are counted as everywhere, from the epoch."""
DAYS: Final = 30
OPEN_HOURS: Final = 9
"""How far the stream goes into the day after, so that the last day closes by event time."""
_WEEKEND: Final = (5, 6)
_WEEKEND_SHARE: Final = 0.75
_RETRY_SHARE: Final = 0.02
_COPY_SHARE: Final = 0.012
_DELAY_US_MAX: Final = 4 * US_PER_MINUTE
_COPY_US_MAX: Final = 10 * US_PER_MINUTE
_SIZE_SPREAD: Final = 0.3
_NANOUSD_PER_HUNDREDTH_CENT: Final = 100_000

_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Totals:
    """What a tenant's distinct records of a day sum to; money in nano-USD."""

    requests: int = 0
    unpriced: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    cost_nanousd: int = 0


@dataclass(frozen=True, slots=True)
class Planted:
    """A spike: one entity spends *factor* times as much as it would, on *days* days from *first_day* on.

    The fact about it is due for ``day``, the last of them.
    """

    tenant_id: str
    entity_type: str
    entity_id: str
    first_day: int
    days: int
    factor: float
    story: str

    @property
    def day(self) -> int:
        """The day whose fact must come."""
        return self.first_day + self.days - 1


@dataclass(slots=True)
class Month:
    """The records in the order in which they reach the broker, and what must come of them."""

    planted: tuple[Planted, ...]
    lines: list[bytes] = field(default_factory=list)
    totals: defaultdict[tuple[str, int], Totals] = field(default_factory=lambda: defaultdict(Totals))
    duplicates: int = 0
    dead: int = 0


@dataclass(frozen=True, slots=True)
class _Call:
    """A record about to be written; ``cost_hundredths`` is its price in 1/100 cent when the producer tells it."""

    tenant: Tenant
    workload: Workload
    user: str | None
    at_us: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    cost_hundredths: int | None
    is_retry: bool = False


def month(seed: int) -> Month:
    """Return the month that *seed* makes."""
    rng = random.Random(seed)  # noqa: S311 -- to be repeated, not to be secret
    made = Month(_planted(rng))
    arrivals: list[tuple[int, bytes]] = []
    for number, call in enumerate(_calls(rng, made.planted)):
        identifier = f"{seed}-{number:06d}"
        line = _line(identifier, call)
        _count(made.totals[call.tenant.name, call.at_us // US_PER_DAY], call)
        arrived_us = call.at_us + rng.randrange(_DELAY_US_MAX)
        arrivals.append((arrived_us, line))
        if rng.random() < _COPY_SHARE:
            made.duplicates += 1
            arrivals.append((arrived_us + rng.randrange(_COPY_US_MAX), line))
    arrivals.append(((FIRST_DAY + DAYS // 2) * US_PER_DAY, _bad_line(seed)))
    made.dead = 1
    made.lines = [line for _, line in sorted(arrivals)]
    return made


def _planted(rng: random.Random) -> tuple[Planted, ...]:
    """Choose the days: working days, late enough for baselines to stand."""
    render = FIRST_DAY + 14 + rng.randrange(5)
    streak = FIRST_DAY + 21 + rng.randrange(4)
    return (
        Planted("globex-studio", "feature", "storyboard-render", render, 1, 3.7, "a render job retries all day"),
        Planted("initech-dev", "user", "milton", streak, 2, 1.75, "one user runs far more reviews, two days in a row"),
    )


def _calls(rng: random.Random, planted: tuple[Planted, ...]) -> Iterator[_Call]:
    """Yield every distinct call of the month."""
    for tenant in TENANTS:
        owed: dict[tuple[str, str | None], float] = defaultdict(float)
        for day in range(FIRST_DAY, FIRST_DAY + DAYS + 1):
            share = (_WEEKEND_SHARE if (day - FIRST_DAY) % 7 in _WEEKEND else 1.0) * rng.uniform(
                1 - tenant.swing, 1 + tenant.swing
            )
            for workload in tenant.workloads:
                for user in workload.users:
                    # What a day's share leaves over is owed to the next, so that counts vary by one at most.
                    due = owed[workload.feature, user] + workload.calls * share
                    owed[workload.feature, user] = due % 1
                    more = _more(rng, planted, tenant, workload, user, day, int(due))
                    for call in (*_day(rng, tenant, workload, user, day, int(due)), *more):
                        if call.at_us < (FIRST_DAY + DAYS) * US_PER_DAY + OPEN_HOURS * US_PER_HOUR:
                            yield call
        yield _last(tenant)


def _day(
    rng: random.Random, tenant: Tenant, workload: Workload, user: str | None, day: int, calls: int
) -> Iterator[_Call]:
    """Yield the calls of one user and feature on one day, and the retries of some."""
    for _ in range(calls):
        call = _call(rng, tenant, workload, user, day)
        yield call
        if rng.random() < _RETRY_SHARE and call.at_us % US_PER_DAY < US_PER_DAY - US_PER_MINUTE:
            yield replace(call, at_us=call.at_us + rng.randrange(US_PER_MINUTE), is_retry=True)


def _more(
    rng: random.Random,
    planted: tuple[Planted, ...],
    tenant: Tenant,
    workload: Workload,
    user: str | None,
    day: int,
    calls: int,
) -> Iterator[_Call]:
    """Yield what a planted spike adds to the *calls* of one user and feature on one day."""
    for spike in planted:
        mine = workload.feature if spike.entity_type == "feature" else user
        if spike.tenant_id == tenant.name and spike.entity_id == mine and spike.first_day <= day <= spike.day:
            for _ in range(round(calls * (spike.factor - 1))):
                if spike.entity_type == "user":
                    yield _call(rng, tenant, workload, user, day)
                else:  # a job repeats the call, on nobody's behalf
                    yield replace(_call(rng, tenant, workload, None, day), is_retry=True)


def _call(rng: random.Random, tenant: Tenant, workload: Workload, user: str | None, day: int) -> _Call:
    size = rng.uniform(1 - _SIZE_SPREAD, 1 + _SIZE_SPREAD)
    hour = min(max(rng.gauss(tenant.noon, 4.0), 0.0), 23.999)
    input_tokens = int(workload.input_tokens * size)
    return _Call(
        tenant,
        workload,
        user,
        day * US_PER_DAY + int(hour * 3600) * US_PER_SECOND + rng.randrange(US_PER_SECOND),
        input_tokens,
        input_tokens * workload.cached_pct // 100,
        int(workload.output_tokens * size),
        None if workload.cost_cents is None else int(workload.cost_cents * 100 * size),
    )


def _last(tenant: Tenant) -> _Call:
    """Return the call by which *tenant* is seen to have gone on into the day after the month."""
    at_us = (FIRST_DAY + DAYS) * US_PER_DAY + (OPEN_HOURS - 1) * US_PER_HOUR
    workload = tenant.workloads[0]
    cost_hundredths = None if workload.cost_cents is None else workload.cost_cents * 100
    return _Call(tenant, workload, workload.users[0], at_us, workload.input_tokens, 0, 100, cost_hundredths)


def _line(identifier: str, call: _Call) -> bytes:
    workload = call.workload
    cents = None if call.cost_hundredths is None else call.cost_hundredths / 100
    members = {
        "id": identifier,
        "tenant_id": call.tenant.name,
        "occurred_at": format_instant(call.at_us),
        "user_id": call.user,
        "feature_tag": workload.feature,
        "provider": workload.model.provider,
        "model": workload.model.name,
        "input_tokens": call.input_tokens,
        "cached_input_tokens": call.cached_tokens or None,
        "output_tokens": call.output_tokens,
        "is_retry": call.is_retry or None,
        "cost_cents": cents,
    }
    return _encode({name: member for name, member in members.items() if member is not None})


def _count(totals: Totals, call: _Call) -> None:
    totals.requests += 1
    totals.input_tokens += call.input_tokens
    totals.cached_input_tokens += call.cached_tokens
    totals.output_tokens += call.output_tokens
    rates = call.workload.model.rates
    if call.cost_hundredths is not None:
        totals.cost_nanousd += call.cost_hundredths * _NANOUSD_PER_HUNDREDTH_CENT
    elif rates is None:
        totals.unpriced += 1
    else:
        paid = (call.input_tokens - call.cached_tokens, call.cached_tokens, call.output_tokens)
        totals.cost_nanousd += sum(tokens * rate for tokens, rate in zip(paid, rates, strict=True))


def _bad_line(seed: int) -> bytes:
    at = format_instant((FIRST_DAY + DAYS // 2) * US_PER_DAY)
    tenant = TENANTS[0]
    return _encode(
        {
            "id": f"{seed}-bad",
            "tenant_id": tenant.name,
            "occurred_at": at,
            "model": tenant.workloads[0].model.name,
            "input_tokens": -12,
            "output_tokens": 5,
        }
    )
