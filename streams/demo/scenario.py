"""Five weeks of cost records, made of a seed, with incidents planted in them, and what must come of it.

One invariant: what is expected is counted here, while the records are made, from their own numbers and the rates in
``workloads``; nothing of the engines is asked. The ordinary days vary too little for any rule to fire (CONTRACT §6,
profile ``standard``); the test of this module replays many seeds to prove it.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

import msgspec

from engines.core.time import US_PER_DAY, US_PER_HOUR, US_PER_MINUTE, US_PER_SECOND, format_instant
from streams.demo.incidents import DAYS, FIRST_DAY, Budget, Incident, incidents
from streams.demo.workloads import TENANTS, Tenant, Workload

OPEN_HOURS: Final = 9
"""How far the stream goes into the day after, so that the last day closes by event time."""
_END_US: Final = (FIRST_DAY + DAYS) * US_PER_DAY
_WEEKEND: Final = (5, 6)
_RETRY_SHARE: Final = 0.02
_COPY_SHARE: Final = 0.012
_SLOW_SHARE: Final = 0.01
_DELAY_US_MAX: Final = 4 * US_PER_MINUTE
_SLOW_US_MAX: Final = 50 * US_PER_MINUTE
"""Within the grace of a day, so that it changes nothing (CONTRACT §2)."""
_COPY_US_MAX: Final = 10 * US_PER_MINUTE
_OFFLINE_DAYS: Final = (2, 5)
_TOO_OLD_DAYS: Final = 60
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


@dataclass(slots=True)
class Month:
    """The records in the order in which they reach the broker, and what must come of them.

    Attributes:
        restated: records that arrive when their day is closed, and correct it.
        late: records of days too long past to be counted.
    """

    incidents: tuple[Incident, ...]
    lines: list[bytes] = field(default_factory=list)
    totals: defaultdict[tuple[str, int], Totals] = field(default_factory=lambda: defaultdict(Totals))
    duplicates: int = 0
    dead: int = 0
    restated: int = 0
    late: int = 0

    @property
    def budgets(self) -> list[Budget]:
        """The budgets that are set before the first record."""
        return [incident.budget for incident in self.incidents if incident.budget is not None]


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
    days_late: int = 0


def month(seed: int) -> Month:
    """Return the weeks that *seed* makes."""
    rng = random.Random(seed)  # noqa: S311 -- to be repeated, not to be secret
    made = Month(incidents(rng))
    arrivals: list[tuple[int, bytes]] = []
    for number, call in enumerate(_calls(rng, made.incidents)):
        line = _line(f"{seed}-{number:06d}", call)
        _count(made.totals[call.tenant.name, call.at_us // US_PER_DAY], call)
        delay_us = rng.randrange(_SLOW_US_MAX if rng.random() < _SLOW_SHARE else _DELAY_US_MAX)
        arrived_us = call.at_us + delay_us + call.days_late * US_PER_DAY
        arrivals.append((arrived_us, line))
        made.restated += call.days_late > 0 and call.at_us < _END_US
        if rng.random() < _COPY_SHARE:
            made.duplicates += 1
            arrivals.append((arrived_us + rng.randrange(_COPY_US_MAX), line))
    middle_us = (FIRST_DAY + DAYS // 2) * US_PER_DAY
    arrivals.append((middle_us, _odd_line(f"{seed}-bad", middle_us, input_tokens=-12)))
    arrivals.append((middle_us, _odd_line(f"{seed}-old", middle_us - _TOO_OLD_DAYS * US_PER_DAY, input_tokens=12)))
    made.dead = made.late = 1
    made.lines = [line for _, line in sorted(arrivals)]
    return made


def _calls(rng: random.Random, planted: tuple[Incident, ...]) -> Iterator[_Call]:
    """Yield every distinct call of the weeks."""
    for tenant in TENANTS:
        owed: defaultdict[tuple[str, str | None], float] = defaultdict(float)
        retries: defaultdict[str | None, float] = defaultdict(float)
        for day in range(FIRST_DAY, FIRST_DAY + DAYS + 1):
            share = tenant.weekend if (day - FIRST_DAY) % 7 in _WEEKEND else 1.0
            share *= rng.uniform(1 - tenant.swing, 1 + tenant.swing)
            for workload in tenant.workloads:
                for user in workload.users:
                    # What a day's share leaves over is owed to the next, so that counts vary by one at most.
                    due = owed[workload.feature, user] + workload.calls * share
                    owed[workload.feature, user] = due % 1
                    here = [one for one in planted if one.touches(tenant.name, workload.feature, user, day)]
                    usual = partial(_call, rng, tenant, workload, user, day)
                    for call in (*_day(rng, usual, here, retries, int(due)), *_more(usual, here, day, int(due))):
                        if call.at_us < _END_US + OPEN_HOURS * US_PER_HOUR:
                            yield call
        yield _last(tenant)


def _day(
    rng: random.Random,
    usual: Callable[[], _Call],
    here: Sequence[Incident],
    retries: defaultdict[str | None, float],
    calls: int,
) -> Iterator[_Call]:
    """Yield the calls of one user and feature on one day, and the retries of every fiftieth of a user's."""
    longer = math.prod(incident.prompt for incident in here)
    for _ in range(calls):
        call = usual()
        call = replace(call, input_tokens=int(call.input_tokens * longer))
        late = rng.randint(*_OFFLINE_DAYS) if rng.random() < call.tenant.offline else 0
        yield replace(call, days_late=late)
        retries[call.user] += _RETRY_SHARE
        if retries[call.user] >= 1 and call.at_us % US_PER_DAY < US_PER_DAY - US_PER_MINUTE:
            retries[call.user] -= 1
            yield replace(call, at_us=call.at_us + rng.randrange(US_PER_MINUTE), is_retry=True)


def _more(usual: Callable[[], _Call], here: Sequence[Incident], day: int, calls: int) -> Iterator[_Call]:
    """Yield what incidents add to the *calls* of one user and feature on one day."""
    for incident in here:
        for _ in range(round(calls * (incident.times(day) - 1))):
            call = usual()
            user = None if incident.retries else call.user
            yield replace(call, user=user, is_retry=incident.retries, days_late=incident.days_late)


def _call(rng: random.Random, tenant: Tenant, workload: Workload, user: str | None, day: int) -> _Call:
    size = rng.uniform(1 - tenant.spread, 1 + tenant.spread)
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
    """Return the call by which *tenant* is seen to have gone on into the day after the weeks."""
    at_us = _END_US + (OPEN_HOURS - 1) * US_PER_HOUR
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


def _odd_line(identifier: str, at_us: int, input_tokens: int) -> bytes:
    tenant = TENANTS[0]
    return _encode(
        {
            "id": identifier,
            "tenant_id": tenant.name,
            "occurred_at": format_instant(at_us),
            "model": tenant.workloads[0].model.name,
            "input_tokens": input_tokens,
            "output_tokens": 5,
        }
    )
