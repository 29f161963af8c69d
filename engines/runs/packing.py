"""Runs pages as bytes: a day's runs in parts by hour, sums in parts by worker, what was told in parts by signature.

The layout has a version, the first member of each part; see ``engines.cost.packing`` for how one changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from engines.core.errors import Halt
from engines.core.model import PageKey
from engines.core.time import HOURS_PER_DAY, US_PER_HOUR
from engines.runs.pages import (
    DAY,
    DUE,
    LEDGER,
    SUMS,
    Body,
    DayPage,
    DuePage,
    Ledger,
    Sums,
    SumsPage,
    ToldPattern,
    ToldPrediction,
    ToldSpike,
    part_of,
)
from engines.runs.series import Run, order

VERSION: Final = 1


class _Hour(msgspec.Struct, array_like=True):
    version: int
    runs: list[Run]


class _Worker(msgspec.Struct, array_like=True):
    """Sums of a worker; money as text, for msgpack's integers end at 64 bits."""

    ended: int
    failed: int
    cost_runs: int
    cost_nanousd: str
    newest_failed: list[Run]
    newest_costs: list[Run]


class _Sums(msgspec.Struct, array_like=True):
    version: int
    workers: dict[str, _Worker]


class _Book(msgspec.Struct, array_like=True):
    """Part 0 of a ledger."""

    version: int
    before: int
    days: dict[int, int]
    due: list[int]
    spikes: list[tuple[Run, bool, int]]
    predictions: list[tuple[str, str, int, str | None, int]]


class _Patterns(msgspec.Struct, array_like=True):
    version: int
    told: dict[str, tuple[list[int], int, int, int, int, bool, bool, bool, int]]


class _Due(msgspec.Struct, array_like=True):
    version: int


_encode = msgspec.msgpack.Encoder().encode


def pack(body: object) -> Sequence[tuple[int, bytes]]:
    """Return the parts of *body* that changed, and count them as written."""
    if isinstance(body, DayPage):
        parts: list[tuple[int, Any]] = [(hour, _hour(body, hour)) for hour in _taken(body.changed)]
    elif isinstance(body, SumsPage):
        changed = _taken(body.changed)
        of_part: dict[int, dict[str, _Worker]] = {part: {} for part in changed}
        for worker_id, sums in body.workers.items():
            if (part := part_of(worker_id)) in of_part:
                of_part[part][worker_id] = _worker(sums)
        parts = [(part, _Sums(VERSION, workers)) for part, workers in of_part.items()]
    elif isinstance(body, Ledger):
        parts = _ledger(body)
    elif isinstance(body, DuePage):
        parts = [(0, _Due(VERSION))]
    else:
        raise TypeError(f"no runs page: {body!r}")
    return [(number, _encode(part)) for number, part in parts]


def unpack(key: PageKey, parts: Mapping[int, bytes]) -> Body:
    """Return the body of the page *key* sealed in *parts*. Raises Halt of a version this code does not know."""
    return _READ[key.kind]([_read(key.kind, number, sealed) for number, sealed in sorted(parts.items())])


def _read(kind: str, number: int, sealed: bytes) -> Any:  # noqa: ANN401 - what each kind is made of is its reader's
    layout = _Patterns if kind == LEDGER and number else _LAYOUTS[kind]
    version = msgspec.msgpack.decode(sealed, type=tuple[int, ...] if kind == DUE else list[Any])[0]
    if version != VERSION:
        raise Halt(f"a {kind} page has the layout {version}, this worker reads {VERSION}: run a newer one")
    return msgspec.msgpack.decode(sealed, type=layout)


def _taken(changed: set[int]) -> list[int]:
    parts = sorted(changed)
    changed.clear()
    return parts


def _hour(body: DayPage, hour: int) -> _Hour:
    runs = body.all.runs
    day_us = runs[0].occurred_us // (HOURS_PER_DAY * US_PER_HOUR) * HOURS_PER_DAY * US_PER_HOUR
    first_us = day_us + hour * US_PER_HOUR
    return _Hour(VERSION, body.all.between(first_us, first_us + US_PER_HOUR - 1))


def _worker(sums: Sums) -> _Worker:
    counts = (sums.ended, sums.failed, sums.cost_runs)
    return _Worker(*counts, str(sums.cost_nanousd), sums.newest_failed, sums.newest_costs)


def _ledger(body: Ledger) -> list[tuple[int, Any]]:
    parts: list[tuple[int, Any]] = []
    for part in _taken(body.changed):
        if part:
            of_part = {name: told for name, told in body.patterns.items() if part_of(name) == part - 1}
            parts.append((part, _Patterns(VERSION, {name: _pattern(told) for name, told in of_part.items()})))
        else:
            spikes = [(one.run, one.withdrawn, one.revision) for one in body.spikes.values()]
            told = [(*key, one.status, one.revision) for key, one in body.predictions.items()]
            parts.append((0, _Book(VERSION, body.before, body.days, sorted(body.due), spikes, told)))
    return parts


def _pattern(told: ToldPattern) -> tuple[list[int], int, int, int, int, bool, bool, bool, int]:
    when = (told.starts, told.newest_us, told.last_us, told.until_us, told.since_us)
    return (*when, told.cleared, told.acknowledged, told.final, told.revision)


def _day_page(parts: list[_Hour]) -> DayPage:
    page = DayPage()
    for part in parts:
        for run in part.runs:
            page.add(run)
    page.changed.clear()
    return page


def _sums_page(parts: list[_Sums]) -> SumsPage:
    page = SumsPage()
    for part in parts:
        for worker_id, one in part.workers.items():
            counts = (one.ended, one.failed, one.cost_runs, int(one.cost_nanousd))
            page.workers[worker_id] = Sums(*counts, one.newest_failed, one.newest_costs)
    return page


def _ledger_page(parts: list[_Book | _Patterns]) -> Ledger:
    ledger = Ledger()
    for part in parts:
        if isinstance(part, _Patterns):
            told = {name: ToldPattern(*stored) for name, stored in part.told.items()}
            ledger.patterns |= told
            ledger.unsettled |= {name for name, pattern in told.items() if not pattern.final}
        else:
            ledger.before, ledger.days, ledger.due = part.before, part.days, set(part.due)
            ledger.spikes = {order(one[0]): ToldSpike(*one) for one in part.spikes}
            ledger.predictions = {
                (kind, worker_id, day): ToldPrediction(status, revision)
                for kind, worker_id, day, status, revision in part.predictions
            }
    return ledger


def _due_page(parts: list[_Due]) -> DuePage:
    del parts
    return DuePage()


_LAYOUTS: Final[dict[str, Any]] = {DAY: _Hour, SUMS: _Sums, LEDGER: _Book, DUE: _Due}
_READ: Final[dict[str, Callable[[Any], Body]]] = {
    DAY: _day_page,
    SUMS: _sums_page,
    LEDGER: _ledger_page,
    DUE: _due_page,
}
