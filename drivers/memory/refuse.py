"""What PostgreSQL refuses (SQLSTATE classes 22 and 23), said of a batch before it is applied in memory.

Without it a replay or simulation would accept data that the real store never takes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterable
from itertools import chain

from engines.core.errors import DataRefused
from engines.core.model import IdBlock, OutboxRow, PageKey, Position, TableRow
from engines.core.tables import TABLES, ColumnType, Table

INT64 = range(-(2**63), 2**63)
DAYS = range(2_932_895)  # since the epoch; the last week of the year 9999 is not whole
INSTANT_US = range(-62_135_596_800_000_000, 253_402_300_800_000_000)  # years 1 to 9999


def position(row: Position) -> None:
    """Raise ``DataRefused`` for a position row that no table takes."""
    texts = (row.topic, row.cluster_id, row.topic_id, row.closing_cursor or "")
    if not all(map(_text, texts)):
        raise DataRefused(f"position of {row.topic}/{row.partition}: text with NUL or a lone surrogate")
    if not all(map(_int, (row.next_offset, row.outbox_seq, row.published, row.projected, row.epoch, row.version))):
        raise DataRefused(f"position of {row.topic}/{row.partition}: a number over 64 bits")


def pages(items: Iterable[tuple[PageKey, bytes]]) -> None:
    """Raise ``DataRefused`` for a page key that no table takes."""
    for key, _ in items:
        if key.bucket // 24 not in DAYS:
            raise DataRefused(f"page {key!r}: no time")
        if not (_text(key.tenant_id) and _text(key.kind)):
            raise DataRefused(f"page {key!r}: text with NUL or a lone surrogate")


def ids(blocks: Iterable[IdBlock]) -> None:
    """Raise ``DataRefused`` for an identity block of a day that no table takes."""
    for block in blocks:
        if block.day not in DAYS:
            raise DataRefused(f"identities of day {block.day}: no time")


def outbox(rows: Iterable[OutboxRow], present: Container[int]) -> None:
    """Raise ``DataRefused`` for a sequence number used twice."""
    seen: set[int] = set()
    for row in rows:
        if row.seq in present or row.seq in seen or not _text(row.topic):
            raise DataRefused(f"outbox row {row.seq}: its sequence number is taken, or its topic is no text")
        seen.add(row.seq)


def rows(items: Iterable[TableRow]) -> None:
    """Raise ``DataRefused`` for a projection row that its table does not take."""
    for name, values in items:
        for value, (column, nullable, accepts) in zip(values, _COLUMNS[name], strict=True):
            if not (nullable if value is None else accepts(value)):
                raise DataRefused(f"{name}.{column}: {value!r} is refused")


def _text(value: object) -> bool:
    if not isinstance(value, str) or "\0" in value:
        return False
    return value.isascii() or not any("\ud800" <= char <= "\udfff" for char in value)


def _int(value: object) -> bool:
    return isinstance(value, int) and value in INT64


def _numeric(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _instant(value: object) -> bool:
    return isinstance(value, int) and value in INSTANT_US


def _bool(value: object) -> bool:
    return isinstance(value, bool)


def _true(value: object) -> bool:
    return value is True


def _float(value: object) -> bool:
    return isinstance(value, int | float)


def _json(value: object) -> bool:
    if not _text(value):
        return False
    try:
        return all(map(_text, _strings(json.loads(str(value)))))
    except (ValueError, RecursionError):
        return False


def _strings(value: object) -> Iterable[str]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, dict):
        return chain.from_iterable(map(_strings, chain(value.keys(), value.values())))
    if isinstance(value, list):
        return chain.from_iterable(map(_strings, value))
    return ()


_ACCEPTS: dict[ColumnType, Callable[[object], bool]] = {
    "text": _text,
    "int": _int,
    "numeric": _numeric,
    "timestamp_us": _instant,
    "bool": _bool,
    "json": _json,
    "float": _float,
}


def _columns(table: Table) -> tuple[tuple[str, bool, Callable[[object], bool]], ...]:
    accepts = {column.name: _ACCEPTS[column.type] for column in table.columns}
    accepts |= dict.fromkeys(table.always_true, _true)
    return tuple((column.name, column.nullable, accepts[column.name]) for column in table.columns)


_COLUMNS = {name: _columns(table) for name, table in TABLES.items()}
