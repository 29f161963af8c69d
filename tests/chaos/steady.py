"""A stream that may go on for ever: days pass, tenants spend evenly, and now and then they do not.

Every rule has something to say: dear days, slow growth, retries, usage without a price; records come again, late,
and spoiled. Invariant: records come in the order of their days; one of them is at most `LATE_DAYS_MAX` days late.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from engines.core.time import US_PER_DAY, US_PER_HOUR, US_PER_SECOND, format_instant
from tests.end_to_end.broker import Sent

LATE_DAYS_MAX = 40
FIRST_DAY = 19_800
_EVER = "--effective-from 2020-01-01T00:00:00Z"
_AGAIN_MAX = 2_000
_DISORDER_US = US_PER_HOUR
_MODELS = ("gpt-4o", "claude-sonnet-4-20250514", "no-such-model")
_FEATURES = ("search", "chat", "ops.batch", None)
_POISON: tuple[dict[str, Any], ...] = ({"model": ""}, {"input_tokens": -1}, {"cost_cents": "5"}, {"user_id": 7})
"""Each has one fault: which of two is to blame nobody has promised."""


@dataclass
class Steady:
    """The records of some tenants, a day at a time.

    Attributes:
        random: draws everything.
        tenants: who spends.
        records: of one day, of all tenants.
        clean: no copies, none late, spoiled, or without a price.
        padding: bytes of a field that nobody knows, in each record.
        first_day: UTC days since the epoch.
    """

    random: Random
    tenants: Sequence[str]
    records: int
    clean: bool = False
    padding: int = 0
    first_day: int = FIRST_DAY
    _serial: int = 0
    _sent: deque[Sent] = field(default_factory=lambda: deque(maxlen=_AGAIN_MAX))

    def days(self) -> Iterator[list[Sent]]:
        """Yield the records of one day after the other, for ever."""
        day = self.first_day
        while True:
            yield self._day(day)
            day += 1

    def take(self, records: int) -> list[Sent]:
        """Return about as many *records*, of whole days."""
        found: list[Sent] = []
        for day in self.days():
            found += day
            if len(found) >= records:
                break
        return found

    def _day(self, day: int) -> list[Sent]:
        dear = {tenant for tenant in self.tenants if self.random.random() < 0.04}
        retrying = {tenant for tenant in self.tenants if self.random.random() < 0.02}
        step_us = US_PER_DAY // self.records
        sent: list[Sent] = []
        for number in range(self.records):
            if not self.clean and self._sent and self.random.random() < 0.015:
                sent.append(self.random.choice(self._sent))
                continue
            tenant = self.random.choice(self.tenants)
            at_us = day * US_PER_DAY + number * step_us - self.random.randrange(_DISORDER_US)
            if not self.clean and self.random.random() < 0.01:
                at_us -= self.random.randrange(1, LATE_DAYS_MAX) * US_PER_DAY
            body = self._body(tenant, at_us, dear=tenant in dear, again=tenant in retrying)
            if not self.clean and self.random.random() < 0.003:
                body |= self.random.choice(_POISON)
            sent.append((tenant.encode(), json.dumps(body).encode(), ()))
            self._sent.append(sent[-1])
        return sent

    def _body(self, tenant: str, at_us: int, *, dear: bool, again: bool) -> dict[str, Any]:
        random = self.random
        self._serial += 1
        model = random.choice(_MODELS)
        body: dict[str, Any] = {
            "id": f"e{self._serial}",
            "tenant_id": tenant,
            "occurred_at": format_instant(at_us // US_PER_SECOND * US_PER_SECOND),
            "model": model,
            "user_id": f"u{random.randrange(4)}",
            "feature_tag": random.choice(_FEATURES),
            "input_tokens": random.randrange(500, 1_500) * (3 if dear else 1),
            "output_tokens": 100,
            "is_retry": again and random.random() < 0.5,
        }
        if self.clean or model != _MODELS[-1] or random.random() < 0.5:
            body["cost_cents"] = random.randrange(400, 600) * (5 if dear else 1)
        if self.padding:
            body["note"] = random.randbytes(self.padding // 2).hex()
        return body


def rules(tenants: Sequence[str]) -> list[str]:
    """Return commands that set budgets, tags and rules of *tenants* since ever."""
    first, second, *others = tenants
    return [
        f"budgets set --tenant {first} --type tenant --daily-usd 60 --monthly-usd 1500 {_EVER}",
        f"budgets set --tenant {second} --type user --entity u1 --daily-usd 20 --warn 50 {_EVER}",
        f"budgets set --tenant {others[0]} --type feature --entity search --monthly-usd 300 {_EVER}",
        f"rules set spike_pct 130 --tenant {others[0]} {_EVER}",
        f"rules set unpriced_requests_min 3 {_EVER}",
        f"rules set feature_tags registered --tenant {first} {_EVER}",
        f"tags set search --tenant {first} {_EVER}",
    ]
