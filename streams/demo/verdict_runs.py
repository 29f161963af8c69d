"""Whether of the runs was told what had to be: by the topics, by the database, and by a replay in memory."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Final

from engines.core.model import Context
from engines.core.ports import Pages
from engines.core.time import US_PER_HOUR, format_day, parse_instant
from engines.runs.domain import GRACE_US, TOPIC, RunsDomain
from streams import fates
from streams.demo import faults, notices
from streams.demo.board import Board
from streams.demo.faults import Fault
from streams.demo.run_events import RunEvents
from streams.demo.verdict import Check, Ended
from streams.replay import Replayed

Id = tuple[str, str, str, str]
Line = Mapping[str, object]
Lines = Mapping[str, Line]
_SHOWN: Final = 3
_STANDS: Final = ("status", "active_since")
_SUPERSEDED: Final = frozenset({"superseded"})


def judge_runs(made: RunEvents, ended: Ended) -> list[Check]:
    """Return what had to be told of the generated runs, and whether it was."""
    board = ended.board
    due = {id_of(notice) for fault in made.faults for notice in fault.due}
    others = [f"{_named(one)} ({one.status})" for one in board.notices_in_order() if _id(one) not in due]
    return [
        *(_planted(fault, board) for fault in made.faults),
        Check("nothing else is told of runs", not others, "; ".join(others) or "no other id on either topic"),
        _ends(made, ended),
    ]


class AsServed(RunsDomain):
    """The domain of runs, standing where a worker does: it settles whole hours only, a replay every moment."""

    def standing(
        self, pages: Pages, tenant_id: str, context: Context, watermark_us: int
    ) -> list[tuple[dict[str, object], dict[str, object] | None]]:
        """Return what stands as of the last hour that *watermark_us* closes."""
        return super().standing(pages, tenant_id, context, watermark_us - (watermark_us - GRACE_US) % US_PER_HOUR)


def judge_against_replay(replayed: Replayed, ended: Ended) -> list[Check]:
    """Return whether the topics, and the database after the worker has left, tell what the events do in memory.

    What is told for good must be the same, member by member. Of what is not, the newest line may be of an earlier
    moment, for it is told anew when its status changes: there status and beginning are compared. A superseded
    prediction is made final in the table alone. What is withdrawn is as if it had never been.

    Args:
        replayed: by ``AsServed``.
        ended: how the demo ended.
    """
    hours = [row.closed_through for row in ended.positions if row.topic == TOPIC and row.closed_through is not None]
    settled_us = (min(hours, default=-1) + 1) * US_PER_HOUR
    expected = _standing(json.loads(line) for line in (*replayed.feedback, *replayed.predictions))
    told = _standing(json.loads(line) for line in ended.board.lines.values())
    held = _standing(ended.stored_notices.values())
    return [
        _same("what is told of runs is what a replay in memory tells", told, expected, settled_us, _SUPERSEDED),
        _same("the tables hold it, too, after the worker has left", held, expected, settled_us),
    ]


def id_of(notice: faults.Notice) -> Id:
    """Return kind, tenant, worker and day of what must be told."""
    return (notice.kind, notice.tenant_id, notice.worker_id, format_day(notice.day)[:10])


def _id(notice: notices.Notice) -> Id:
    return (notice.kind, notice.tenant_id, notice.worker_id, notice.since[:10])


def _named(notice: notices.Notice) -> str:
    return f"{notice.kind} of {notice.worker_id}, {notice.since[:10]}"


def _planted(fault: Fault, board: Board) -> Check:
    wanted = {id_of(notice): notice.statuses for notice in fault.due}
    found = [notice for notice in board.notices_in_order() if _id(notice) in wanted]
    holds = len(found) == len(wanted) == len({_id(notice) for notice in found})
    holds = holds and all(wanted[_id(one)] == tuple(board.statuses[one.identifier]) for one in found)
    told = [f"{_named(one)}: {notices.says(one)}; {', '.join(board.statuses[one.identifier])}" for one in found[-1:]]
    more = f"{len(found)} ids, the last: " if len(found) > 1 else ""
    absent = wanted.keys() - set(map(_id, found))
    missing = [f"{kind} of {worker} on {day} is missing" for kind, _, worker, day in absent]
    return Check(f"found: {fault.story}", holds, "; ".join([*(more + one for one in told), *sorted(missing)]))


def _ends(made: RunEvents, ended: Ended) -> Check:
    wanted = {
        fates.ACCEPTED: made.accepted, fates.DUPLICATES: made.duplicates, fates.DEAD: made.dead, fates.LATE: made.late
    }  # fmt: skip
    found = {name: ended.count(name, TOPIC) for name in wanted}
    letters = sum(letter.topic == TOPIC for letter in ended.board.dead)
    told = " + ".join(f"{n:,} {name}" for name, n in found.items())
    sent = "" if found == wanted else f", but {' + '.join(f'{n:,}' for n in wanted.values())} were sent"
    return Check("of events of runs the odd ones are set apart", found == wanted and letters == made.dead, told + sent)


def _same(what: str, told: Lines, expected: Lines, settled_us: int, untold: frozenset[str] = frozenset()) -> Check:
    """Return whether *told* is what is *expected*; statuses *untold* become final without a word."""
    final = {
        name for name, line in expected.items() if _is_final(line, settled_us) and line["status"] not in untold
    }  # fmt: skip
    final |= {name for name, line in told.items() if _is_final(line, settled_us)}
    differing = sorted(
        name
        for name in {*told, *expected}
        if _shown(told.get(name), whole=name in final) != _shown(expected.get(name), whole=name in final)
    )
    detail = f"{len(expected)} ids, {len(final)} of them final"
    return Check(what, not differing, f"{len(differing)} ids differ: {differing[:_SHOWN]}" if differing else detail)


def _shown(line: Line | None, *, whole: bool) -> Line | None:
    """Return what is compared of *line*."""
    return line if whole or line is None else {name: line.get(name) for name in _STANDS}


def _is_final(line: Line, settled_us: int) -> bool:
    """Return whether nothing about *line* can change: that a pattern is over may be told before that is settled."""
    over = line.get("cleared_at")
    return int(str(line["revision"])) % 2 == 1 and (over is None or parse_instant(str(over)) <= settled_us)


def _standing(lines: Iterable[Line]) -> dict[str, Line]:
    """Return by id what is not withdrawn."""
    return {_name(line): line for line in lines if line["status"] != "withdrawn"}


def _name(line: Line) -> str:
    return str(line.get("feedback_id") or line["prediction_id"])
