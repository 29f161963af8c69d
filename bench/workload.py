"""The benchmark's workload: 1 000 tenants of 50 users, 20 features and 8 models, a day of events, some 300 bytes each.

Event times run through 24 hours in the order of the log with a few minutes of disorder, as services produce them.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Final

from engines.core.time import US_PER_DAY, US_PER_MINUTE, format_instant

TENANTS: Final = 1_000
USERS: Final = 50
FEATURES: Final = 20
MODELS: Final = ("gpt-4o", "gpt-4o-mini", "gpt-4.1", "o3-mini", "claude-opus-4.6", "claude-sonnet-4.6", "m-7", "m-8")
START_US: Final = 20_454 * US_PER_DAY  # a midnight


def events(records: int, seed: int = 1) -> Iterator[tuple[bytes, bytes]]:
    """Yield (tenant key, value) of *records* events; the same for the same seed."""
    random = Random(seed)
    pick, between = random.random, random.randrange
    step_us = US_PER_DAY / records
    for at in range(records):
        tenant = f"tenant-{int(pick() * TENANTS):04d}"
        occurred_us = START_US + int(at * step_us)
        if pick() < 0.1:
            occurred_us = max(START_US, occurred_us - int(pick() * 4 * US_PER_MINUTE))
        yield (
            tenant.encode(),
            (
                f'{{"id":"evt-{at:09d}-{between(1 << 32):08x}","tenant_id":"{tenant}",'
                f'"occurred_at":"{format_instant(occurred_us)}","user_id":"user-{int(pick() * USERS):03d}",'
                f'"feature_tag":"feature-{int(pick() * FEATURES):02d}","model":"{MODELS[int(pick() * 8)]}",'
                f'"request_id":"req-{between(1 << 48):012x}","input_tokens":{between(200, 9000)},'
                f'"output_tokens":{between(10, 1500)},"cost_cents":{between(1, 90_000) / 10_000},'
                f'"provider":"openai","workflow_id":"wf-{between(500)}"}}'
            ).encode(),
        )
