"""What was stored and told of runs on the way, held against what the oracle says of the end.

What is told while records come out of order is the worker's own; but whatever it was, it ends in what the oracle says,
and what the oracle does not know is taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from tests.oracle.runs.lines import comparable
from tests.oracle.runs.tenant import Acknowledgement, Line

Evaluate = Callable[[Sequence[Acknowledgement]], Mapping[str, Line]]
"""Returns the lines that stand by id, in a world in which so many acknowledgements are known."""
Named = tuple[str, int]


def id_of(line: Line) -> str:
    """Return the id of a line of either kind."""
    return str(line.get("feedback_id") or line["prediction_id"])


def named(line: Line) -> Named:
    """Return the id and the revision of a line."""
    return id_of(line), int(line["revision"])


def once(lines: Iterable[Line]) -> tuple[dict[Named, Line], list[str]]:
    """Return each revision once, and what is wrong with them: two contents of one."""
    found: dict[Named, Line] = {}
    twice = [line for line in lines if found.setdefault(named(line), line) != line]
    return found, [f"two contents of one revision: {line} and {found[named(line)]}" for line in twice]


def order(told: Iterable[Line]) -> Iterator[str]:
    """Yield what was told, of one tenant after the other, with a revision that is no higher than the one before.

    Dear runs of one name share an id; each of them has its own order, and revisions tell them apart.
    """
    newest: dict[tuple[str, str], int] = {}
    for line in told:
        of = (id_of(line), line["as_of"] if line.get("pattern_type") == "cost_spike" else "")
        if newest.get(of, -1) >= line["revision"]:
            yield f"not higher than {newest[of]}, which was told before: {line}"
        newest[of] = line["revision"]


def stored(rows: Mapping[Named, Line], told: Mapping[Named, Line]) -> Iterator[str]:
    """Yield where the tables and the topics differ; only that a prediction is settled is stored and not told."""
    yield from (f"told and not stored: {line}" for at, line in told.items() if rows.get(at) != line)
    for at, line in rows.items():
        settled = "prediction_id" in line and line["status"] in ("superseded", "withdrawn") and line["revision"] % 2
        if at not in told and not settled:
            yield f"stored and not told: {line}"


def last(
    newest: Mapping[str, Line],
    acknowledgements: Sequence[Acknowledgement],
    evaluate: Evaluate,
    *,
    all_known: bool = True,
) -> Iterator[str]:
    """Yield what differs of the lines that stand, when everything is settled.

    Args:
        newest: by id the highest revision that is stored.
        acknowledgements: all rows.
        evaluate: with everything settled.
        all_known: they were known before anything else was; else a line may have been final before some of them were.
    """
    wanted = evaluate([])
    for name in wanted.keys() - newest.keys():
        yield f"only in the oracle: {wanted[name]}"
    for name, line in newest.items():
        if name not in wanted:
            if line["status"] != "withdrawn":
                yield f"only here: {line}"
            continue
        mine = [said for said in acknowledgements if said.feedback_id == name]
        count = (line["revision"] - wanted[name]["revision"]) // 2
        if all_known and count != len(mine):
            yield f"{count} of {len(mine)} acknowledgements are counted in {line}"
        should = evaluate(mine[:count])[name] if count > 0 else wanted[name]
        if comparable(line) != comparable(should):
            yield f"here   {line}\noracle {should}"


def newest_told(told: Iterable[Line], wanted: Mapping[str, Line]) -> Iterator[str]:
    """Yield where what was told last of an id has another status than the one that stands, or was not taken back."""
    newest = highest(told)
    for name in wanted.keys() | newest.keys():
        here, there = newest.get(name, {}).get("status"), wanted.get(name, {}).get("status")
        if here != there and "withdrawn" not in (here, there):
            yield f"told last {here}, what stands is {there}: {newest.get(name) or wanted.get(name)}"
        elif here != there and None not in (here, there):
            yield f"told last {here}, what stands is {there}: {newest[name]}"


def highest(lines: Iterable[Line]) -> dict[str, Line]:
    """Return the highest revision of each id."""
    return {id_of(line): line for line in sorted(lines, key=lambda line: int(line["revision"]))}
