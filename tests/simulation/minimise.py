"""Cut a failing plan down: a shorter stream, fewer faults, fewer workers, as long as it still fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

from tests.simulation.faults import Plan
from tests.simulation.feeds import feed_of

TRIES = 250
_PLAIN: dict[str, Any] = {
    "databases": 1,
    "gaps": 0.0,
    "crowd": False,
    "settings": False,
    "foreign": False,
    "killers": 0,
    "poison": 0,
    "refused": 0,
    "entities_max": 20_000,
    "publish_snapshots": False,
}


def minimised(plan: Plan, fails: Callable[[Plan], bool], tries: int = TRIES) -> Plan:
    """Return a plan at most as large as *plan* that fails, after at most *tries* runs; *plan* itself when it holds.

    When they suffice, no smaller neighbour of what is returned fails.
    """
    while tries > 0:
        for each in islice(_smaller(plan), tries):
            tries -= 1
            if fails(each):
                plan = each
                break
        else:
            return plan
    return plan


def _smaller(plan: Plan) -> Iterator[Plan]:
    yield from _shorter(plan)
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


def _shorter(plan: Plan) -> Iterator[Plan]:
    """Yield plans without the end or the beginning of the stream: half of it, a quarter, a record."""
    first, last = plan.cut or (0, len(feed_of(plan).log) - 1)
    n = last - first + 1
    for size in dict.fromkeys((n // 2, n // 4, 1)):
        if 0 < size < n:
            yield replace(plan, cut=(first, last - size))
            yield replace(plan, cut=(first + size, last))


def _plainer(plan: Plan) -> Iterator[Plan]:
    for name in ("workers", "partitions"):
        if getattr(plan, name) > 1:
            yield _with(plan, name, getattr(plan, name) - 1)
    for name, plain in _PLAIN.items():
        if getattr(plan, name) != plain:
            yield _with(plan, name, plain)


def _with(plan: Plan, name: str, value: object) -> Plan:
    changes: dict[str, Any] = {name: value}
    return replace(plan, **changes)
