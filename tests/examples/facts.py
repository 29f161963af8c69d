"""Facts for tests of the bridge, as Outlay publishes them."""

from __future__ import annotations

import json
from typing import Any

from incidents import Fact


def line(**changes: Any) -> dict[str, Any]:
    """Return a fact as in ``docs/contract.md``, with *changes*."""
    usual = {
        "anomaly_id": "ca_1",
        "anomaly_type": "ABSOLUTE_SPIKE",
        "breach_count": 1,
        "budget": None,
        "cause_evidence": None,
        "confidence": 1.0,
        "current_nanousd": 50_718_050_000,
        "current_value_cents": 5071,
        "derived_cause": "RETRY_LOOP",
        "deviation_pct": 280.4,
        "entity_id": "acme",
        "entity_type": "tenant",
        "episode_id": "ep_1",
        "expected_nanousd": 13_332_600_000,
        "expected_value_cents": 1333,
        "message": "ABSOLUTE_SPIKE: tenant acme spent 280.4% above its daily baseline, 1 day",
        "metadata": {},
        "observed_at": "2025-09-10T00:00:00Z",
        "period": None,
        "restated": False,
        "revision": 157,
        "rules": {"changed": {}, "profile": "standard", "version": 1},
        "severity": "HIGH",
        "status": "final",
        "streak_start": "2025-09-09T00:00:00Z",
        "tenant_episode_id": None,
        "tenant_id": "acme",
        "threshold_pct": 200,
        "unpriced_requests": 1,
        "window_end": "2025-09-10T00:00:00Z",
        "window_start": "2025-09-09T00:00:00Z",
    }
    assert set(changes) <= set(usual)
    return usual | changes


def value(**changes: Any) -> bytes:
    """Return the bytes of that fact."""
    return json.dumps(line(**changes)).encode()


def fact(**changes: Any) -> Fact:
    """Return that fact as the bridge reads it."""
    return Fact.read(value(**changes))
