"""Counts what a deployment lost, counted twice or told otherwise than the oracle; the judge is `end_to_end.exact`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from streams import fates
from tests import oracle
from tests.end_to_end import exact

Line = dict[str, Any]


class Measured(NamedTuple):
    """Records taken in, and what of them is wrong."""

    events: int
    lost: int
    double: int
    differing: int

    def __add__(self, other: object) -> Measured:
        """Return the sum, place by place."""
        assert isinstance(other, Measured)
        return Measured(*(mine + its for mine, its in zip(self, other, strict=True)))


NOTHING = Measured(0, 0, 0, 0)


def counted(found: exact.Left, *, set_on_the_way: bool = False) -> Measured:
    """Return what is wrong with what was *found*.

    Args:
        found: of a deployment that is settled.
        set_on_the_way: see `exact.exact`.

    Raises:
        AssertionError: nothing to count is wrong, and yet it is not what the oracle says.
    """
    wanted = exact.wanted(found)
    ours, its = _records(found.snapshots), _records(wanted.outcome.snapshots)
    for fate in (*fates.FATES, fates.RESTATED):
        if fate != "accepted":  # those are in the snapshots
            ours[fate], its[fate] = found.counts.get(fate, 0), int(wanted.outcome.summary[fate])
    lost = sum(max(0, n - ours.get(name, 0)) for name, n in its.items())
    double = sum(max(0, n - its.get(name, 0)) for name, n in ours.items())
    told = [one.line for one in wanted.told]
    differing = _differing(found.snapshots, wanted.outcome.snapshots, _place)
    if not set_on_the_way:
        differing += _differing(found.revisions, told, _named)
    differing += _differing(_final(found.anomalies), _final(wanted.outcome.anomalies), _named)
    result = Measured(found.counts.get(fates.EVENTS, 0), lost, double, differing)
    if not (lost or double or differing):
        exact.hold(found, wanted, set_on_the_way=set_on_the_way)
    return result


def _records(snapshots: Iterable[Line]) -> dict[object, int]:
    """Return how many records each tenant's day counts."""
    days = [line for line in snapshots if (line["window"], line["entity_type"]) == ("day", "tenant")]
    return {(line["tenant_id"], line["start"]): line["requests"] for line in days}


def _differing(found: Iterable[Line], wanted: Iterable[Line], name: Any) -> int:
    """Return how many names have lines that are not the same on both sides."""
    ours, its = ({name(line): _plain(line) for line in lines} for lines in (found, wanted))
    return sum(ours.get(each) != its.get(each) for each in ours.keys() | its.keys())


def _plain(line: Line) -> Line:
    line = oracle.comparable(line)
    deviation = line.get("deviation_pct")
    return line if deviation is None else {**line, "deviation_pct": float(deviation)}


def _final(lines: Iterable[Line]) -> Iterator[Line]:
    return (line for line in lines if line["status"] == "final")


def _named(line: Line) -> tuple[str, int]:
    return line["anomaly_id"], line["revision"]


def _place(line: Line) -> tuple[str, ...]:
    return tuple(str(line[each]) for each in ("tenant_id", "start", "entity_type", "entity_id", "window"))
