"""The lines of a replay's end: each id in its last state, sorted as the contract sorts them (CONTRACT §5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Final, NamedTuple, cast

import msgspec

from engines.core.tables import ANOMALIES, PATTERN_FEEDBACK, PREDICTION_EVENTS, SPEND_FORECASTS, Table
from engines.core.time import parse_instant
from streams.replay_ports import Line

Order = Callable[[Line], tuple[object, ...]]
Rows = Callable[[str], Mapping[tuple[object, ...], tuple[object, ...]]]
"""The rows of a table, by name: key → values."""

_encode = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.Decoder().decode
_DAY: Final = len("YYYY-MM-DD")


class Told(NamedTuple):
    """Lines that are told of by id, in revisions.

    Attributes:
        tables: where every revision that was published is a row; the column ``line`` holds it.
        id: the member that no other line has.
        final_only: of what is stored only final revisions (odd ones) count: what stands says the rest, and says it of
            the records alone, not of the order in which a worker came to know them.
    """

    tables: tuple[Table, ...]
    id: str
    order: Order
    final_only: bool


def last_states(told: Told, rows: Rows, standing: Iterable[Line]) -> list[bytes]:
    """Return the lines of *told* as bytes: the newest of what is stored, and what stands on open windows."""
    stored = chain.from_iterable(_stored(table, rows) for table in told.tables)
    stands = [line for line in standing if told.id in line]
    if told.final_only:
        newest = _newest(told.id, [*(line for line in stored if _revision(line) % 2), *stands])
    else:
        newest = {**_newest(told.id, stored), **by_id(told.id, stands)}
    return sorted_lines(newest.values(), told.order)


def _stored(table: Table, rows: Rows) -> Iterator[Line]:
    at = next(at for at, column in enumerate(table.columns) if column.name == "line")
    return (_decode(cast("str", values[at])) for values in rows(table.name).values())


def by_id(name: str, lines: Iterable[Line]) -> dict[str, Line]:
    """Return *lines* by their member *name*."""
    return {str(line[name]): line for line in lines}


def sorted_lines(lines: Iterable[Line], order: Order) -> list[bytes]:
    """Return *lines* as bytes, in *order*."""
    return [_encode(line) for line in sorted(lines, key=cast("Callable[[Line], tuple[str, ...]]", order))]


def anomaly_order(line: Line) -> tuple[object, ...]:
    """Return the place of an anomaly or a fact among others."""
    kind = str(line["anomaly_type"])
    names = (line["tenant_id"], line["window_start"], line["entity_type"], line["entity_id"])
    period = line["period"]
    return (*map(str, names), "BUDGET" if kind.startswith("BUDGET_") else kind, "" if period is None else str(period))


def snapshot_order(line: Line) -> tuple[object, ...]:
    """Return the place of a snapshot among others."""
    return tuple(str(line[name]) for name in ("tenant_id", "start", "entity_type", "entity_id", "window"))


def log_order(line: Line) -> tuple[object, ...]:
    """Return the place in its topic of the record that a line tells of."""
    return cast("int", line["partition"]), cast("int", line["offset"])


def _newest(name: str, lines: Iterable[Line]) -> dict[str, Line]:
    """Return the line of each id with the highest revision, the last one of several."""
    newest: dict[str, Line] = {}
    for line in lines:
        held = newest.get(str(line[name]))
        if held is None or _revision(held) <= _revision(line):
            newest[str(line[name])] = line
    return newest


def _revision(line: Line) -> int:
    return cast("int", line["revision"])


def _feedback_order(line: Line) -> tuple[object, ...]:
    names = (line["tenant_id"], line["pattern_type"], line["signature"])
    return (*map(str, names), parse_instant(str(line["as_of"])), str(line["feedback_id"]))


def _prediction_order(line: Line) -> tuple[object, ...]:
    subject = (line["subject_type"], line["subject_id"], line["prediction_type"])
    return (str(line["tenant_id"]), str(line["as_of"])[:_DAY], *map(str, subject))


ANOMALY_LINES: Final = Told((ANOMALIES,), "anomaly_id", anomaly_order, final_only=False)
FEEDBACK_LINES: Final = Told((PATTERN_FEEDBACK,), "feedback_id", _feedback_order, final_only=True)
PREDICTION_LINES: Final = Told(
    (PREDICTION_EVENTS, SPEND_FORECASTS), "prediction_id", _prediction_order, final_only=True
)
