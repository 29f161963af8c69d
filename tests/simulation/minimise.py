"""Cut a failing plan down: fewer faults, fewer workers, a shorter stream, as long as it still fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from tests.simulation.faults import Plan


def minimised(plan: Plan, fails: Callable[[Plan], bool]) -> Plan:
    """Return a plan at most as large as *plan* of which no smaller neighbour fails; *plan* itself when it holds."""
    while True:
        smaller = next((each for each in _smaller(plan) if fails(each)), None)
        if smaller is None:
            return plan
        plan = smaller


def _smaller(plan: Plan) -> Iterator[Plan]:
    n = len(plan.faults)
    for size in (n // 2, n // 4, 1):
        for at in range(0, n, size) if size else ():
            # What is cut out still takes its time, so that the rest strikes where it did.
            rest = list(plan.faults[:at]) + list(plan.faults[at + size :])
            if at < len(rest):
                skipped = sum(fault.after for fault in plan.faults[at : at + size])
                rest[at] = replace(rest[at], after=rest[at].after + skipped)
            yield replace(plan, faults=tuple(rest))
    yield from _plainer(plan)


def _plainer(plan: Plan) -> Iterator[Plan]:
    if plan.workers > 1:
        yield replace(plan, workers=plan.workers - 1)
    if plan.databases > 1:
        yield replace(plan, databases=1)
    if plan.partitions > 1:
        yield replace(plan, partitions=plan.partitions - 1)
    if plan.gaps:
        yield replace(plan, gaps=0.0)
    for name in ("crowd", "settings", "foreign"):
        if getattr(plan, name):
            yield _without(plan, name)


def _without(plan: Plan, name: str) -> Plan:
    changes: dict[str, Any] = {name: False}
    return replace(plan, **changes)
