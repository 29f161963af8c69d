"""The benchmark's workload: 1 000 tenants of 50 users, 20 features and 8 models, a day of events, some 300 bytes each.

Event times run through 24 hours in the order of the log with a few minutes of disorder, as services produce them.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Final

import msgspec

from engines.core.time import US_PER_DAY, US_PER_MINUTE, format_instant

TENANTS: Final = 1_000
USERS: Final = 50
FEATURES: Final = 20
MODELS: Final = ("gpt-4o", "gpt-4o-mini", "gpt-4.1", "o3-mini", "claude-opus-4.6", "claude-sonnet-4.6", "m-7", "m-8")
START_US: Final = 20_454 * US_PER_DAY  # a midnight

_encode = msgspec.json.Encoder().encode


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


RUN_TENANTS: Final = 50
WORKERS: Final = 20
RUN_DAYS: Final = 10
"""Days that the events of runs are spread over: patterns clear, predictions expire, hours close."""
_FAILED: Final = 0.1
_COSTS: Final = 0.6
_COST_SCATTER: Final = 0.3
_ERRORS: Final = (
    "HTTPError: 504 Gateway Timeout after {n} ms for url https://api.example.com/v1/jobs/{id}",
    "RateLimitError: Error code: 429 - Rate limit reached for organization org-{id}: limit {n}, please retry in {m}s",
    "KeyError: 'choices'",
    "ValidationError: 2 validation errors for Plan {id}: steps.{m}.tool field required",
    (
        'Traceback (most recent call last):\n  File "/srv/app/agent.py", line {m}, in step\n    reply = call(prompt)\n'
        '  File "/srv/app/client.py", line {n}, in call\n    raise TimeoutError(f"no reply in {m} s")\n'
        "TimeoutError: no reply in {m} s (request req_{id})"
    ),
    "connection to server at 10.0.{m}.{m}, port {n} failed: Connection refused",
    "context length exceeded: {n} tokens > 128000 for model=m-{m}",
    "json.decoder.JSONDecodeError: Expecting ',' delimiter: line {m} column {m} (char {n})",
)


def run_events(records: int, seed: int = 1) -> Iterator[tuple[bytes, bytes]]:
    """Yield (tenant key, value) of *records* ends of runs; the same for the same seed.

    Of fifty tenants' twenty workers each, over ten days in the order of the log with a few minutes of disorder: a tenth
    fail, with one of eight errors in words that vary, a hundredth crash, six of ten say what they cost, which is within
    a third of their worker's usual cost for two of three.
    """
    random = Random(seed)
    pick, between = random.random, random.randrange
    step_us = RUN_DAYS * US_PER_DAY / records
    for at in range(records):
        tenant, worker = int(pick() * RUN_TENANTS), int(pick() * WORKERS)
        occurred_us = START_US + int(at * step_us)
        if pick() < 0.1:
            occurred_us = max(START_US, occurred_us - int(pick() * 4 * US_PER_MINUTE))
        drawn = pick()
        event: dict[str, object] = {
            "type": "run-failed" if drawn < _FAILED else "run-crashed" if drawn < _FAILED + 0.01 else "run-completed",
            "run_id": f"run-{at:09d}-{between(1 << 32):08x}",
            "tenant_id": f"tenant-{tenant:02d}",
            "worker_id": f"worker-{worker:02d}",
            "occurred_at": format_instant(occurred_us),
            "model": MODELS[worker % len(MODELS)],
            "request_id": f"req-{between(1 << 48):012x}",
            "input_tokens": between(200, 90_000),
            "output_tokens": between(10, 15_000),
        }
        if drawn < _FAILED:
            numbers = {"n": between(1_000, 60_000), "m": between(1, 250), "id": f"{between(1 << 40):010x}"}
            event["error"] = _ERRORS[int(pick() * len(_ERRORS))].format_map(numbers)
        if pick() < _COSTS:
            event["cost_cents"] = round((1 + worker) * random.lognormvariate(0, _COST_SCATTER), 3)
        yield f"tenant-{tenant:02d}".encode(), _encode(event)
