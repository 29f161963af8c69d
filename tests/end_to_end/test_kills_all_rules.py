"""Workers that are killed while every rule has something to say, days are corrected and settings change."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from random import Random

import pytest

from engines.core.time import US_PER_DAY, format_instant
from tests import oracle
from tests.end_to_end import broker, exact, records
from tests.end_to_end.broker import Sent
from tests.end_to_end.deployment import LEAVE_S, Deployment

_SEEDS = (3, 8, 10)
"""Together these drift, have every cause, usage without a price, nightly and very late records, silent days."""
_EVER = "--effective-from 2020-01-01T00:00:00Z"


@pytest.mark.parametrize("on_the_way", [False, True])
def test_kills_change_nothing_with_all_rules_on(deployment: Deployment, *, on_the_way: bool) -> None:
    random, stream = Random(on_the_way), records.rich(*_SEEDS)
    names, half = stream.tenants, len(stream.records) // 2
    deployment.outlay(*settings_at_the_start(names))
    with ExitStack() as held:
        workers = [held.enter_context(deployment.worker(chunk_records=random.choice([7, 50]))) for _ in range(2)]

        def kill_one() -> None:
            workers.pop(0).kill()
            workers.append(held.enter_context(deployment.worker(chunk_records=random.choice([7, 50]))))

        deployment.claimed()
        with broker.load(deployment.bootstrap, stream.records[:half], rate=half / 4):
            deployment.reached(random.randint(half // 4, half * 3 // 4))
            kill_one()
        if on_the_way:
            deployment.outlay(*settings_on_the_way(names, stream.records[:half]))
        with broker.load(deployment.bootstrap, stream.records[half:], rate=half / 4):
            for third in range(2):
                deployment.reached(half + half * third // 3 + random.randint(1, half // 3))
                kill_one()
        found = exact.exact(deployment, set_on_the_way=on_the_way)
        for worker in workers:
            assert worker.stop() < LEAVE_S
    said_all_there_is(found)


def settings_at_the_start(names: records.Names) -> list[str]:
    """Return the commands that set budgets, rules and tags since ever."""
    drifting, unpriced, steady = names[3, "acme"], names[8, "acme"], names[10, "acme"]
    return [
        f"budgets set --tenant {drifting} --type tenant --daily-usd 30 --monthly-usd 700 {_EVER}",
        f"budgets set --tenant {names[3, 'globex']} --type user --entity u1 --daily-usd 60 --warn 50 {_EVER}",
        f"budgets set --tenant {unpriced} --type feature --entity search --monthly-usd 200 {_EVER}",
        f"budgets set --tenant {steady} --type feature --entity unclassified --daily-usd 1 {_EVER}",
        f"rules set spike_pct 130 --tenant {unpriced} {_EVER}",
        f"rules set unpriced_requests_min 10 {_EVER}",
        f"rules set feature_tags registered --tenant {steady} {_EVER}",
        f"tags set search --tenant {steady} {_EVER}",
        f"tags set chat --tenant {drifting} {_EVER}",
        f"tags deactivate chat --tenant {drifting} {_EVER}",
    ]


def settings_on_the_way(names: records.Names, before: Sequence[Sent]) -> list[str]:
    """Return commands that change what open windows are judged by, when *before* is all that was sent."""
    last: dict[str, int] = {}
    for _, value, headers in before:
        record = oracle.decode(value, headers)
        if isinstance(record, oracle.Record):
            last[record.tenant_id] = max(last.get(record.tenant_id, 0), record.day)

    def since(tenant: str) -> str:
        return f"--tenant {tenant} --effective-from {format_instant(last[tenant] * US_PER_DAY)}"

    drifting, unpriced, dear = names[3, "acme"], names[8, "acme"], names[3, "globex"]
    return [
        f"budgets set --type tenant --daily-usd 1 --monthly-usd 100 {since(names[8, 'globex'])}",
        f"budgets set --type tenant --monthly-usd 5000 {since(drifting)}",
        f"budgets remove --type user --entity u1 {since(dear)}",
        f"rules set spike_pct 200 {since(unpriced)}",
        f"rules set profile reference {since(dear)}",
    ]


def said_all_there_is(found: exact.Left) -> None:
    """What was told covers the rules; else the rest proves little."""

    def told(name: str) -> set[object]:
        return {line[name] for line in found.revisions if line["status"] == "final"}

    assert told("anomaly_type") == {
        "ABSOLUTE_SPIKE",
        "SUSTAINED_DRIFT",
        "BUDGET_WARNING",
        "BUDGET_EXCEEDED",
        "UNPRICED_USAGE",
        "tenant_spike",
        "user_spike",
        "feature_spike",
        "model_spike",
    }
    assert told("derived_cause") >= {"RETRY_LOOP", "FEATURE_SURGE", "PROMPT_GROWTH", "TRAFFIC_GROWTH"}
    assert told("period") == {None, "daily", "monthly"}
    assert told("restated") == {False, True}
    assert any(line["status"] == "withdrawn" for line in found.revisions)
    assert any(line["rules"]["changed"] for line in found.revisions)
    assert found.counts["restated"] > 0
