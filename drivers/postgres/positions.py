"""Position rows and outbox headers, as PostgreSQL keeps them."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import asyncpg

from engines.core.errors import DataRefused
from engines.core.model import Attempt, Headers, OutboxRow, Position, SettingRow

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def position_of(row: asyncpg.Record) -> Position:
    """Return the position in a row of ``statements.POSITION_COLUMNS``."""
    attempt = None
    if row["attempt_offset"] is not None:
        attempt = Attempt(row["attempt_offset"], row["attempt_limit"], row["attempt_until"], row["attempt_tries"])
    return Position(
        topic=row["topic"],
        partition=row["partition"],
        cluster_id=row["cluster_id"],
        topic_id=row["topic_id"],
        next_offset=row["next_offset"],
        watermark_us=row["watermark_us"],
        last_append_ms=row["last_append_ms"],
        closed_through=row["closed_through"],
        closing_day=row["closing_day"],
        closing_cursor=row["closing_cursor"],
        outbox_seq=row["outbox_seq"],
        published=row["published"],
        projected=row["projected"],
        epoch=row["epoch"],
        version=row["version"],
        released=row["released"],
        settings_seq=row["settings_seq"],
        attempt=attempt,
        counts=json.loads(row["counts"]),
    )


def moved_values(row: Position) -> tuple[object, ...]:
    """Return the values of *row* in the order of ``statements.MOVE_POSITION`` after its four conditions."""
    attempt = row.attempt
    tried = (None,) * 4 if attempt is None else (attempt.offset, attempt.limit, attempt.until, attempt.tries)
    return (
        row.cluster_id,
        row.topic_id,
        row.next_offset,
        row.watermark_us,
        row.last_append_ms,
        row.closed_through,
        row.closing_day,
        row.closing_cursor,
        row.outbox_seq,
        row.published,
        row.projected,
        row.epoch,
        row.version,
        row.released,
        *tried,
        json.dumps(dict(row.counts)),
        row.settings_seq,
    )


def outbox_columns(rows: Sequence[OutboxRow]) -> tuple[list[object], ...]:
    """Return the columns of ``statements.PUT_OUTBOX`` after partition and topic."""
    return (
        [row.seq for row in rows],
        [row.topic for row in rows],
        [row.key for row in rows],
        [row.value for row in rows],
        [packed_headers(row.headers) for row in rows],
        [row.route for row in rows],
        [row.partition for row in rows],
    )


def outbox_row(row: asyncpg.Record) -> OutboxRow:
    """Return the message in a row of ``statements.LOAD_OUTBOX``."""
    return OutboxRow(
        row["seq"],
        row["out_topic"],
        row["key"],
        row["value"],
        unpacked_headers(row["headers"]),
        row["route"],
        row["out_partition"],
    )


def packed_headers(headers: Headers) -> bytes:
    """Return *headers* as ASCII JSON, ``[[name, base64], …]``.

    As bytes and not as text, because a dead letter carries the names it came with, and those may hold a NUL.
    """
    return json.dumps([[name, base64.b64encode(value).decode()] for name, value in headers]).encode()


def unpacked_headers(packed: bytes) -> Headers:
    """Return the headers in *packed*."""
    return tuple((name, base64.b64decode(value)) for name, value in json.loads(packed))


def setting_row(row: asyncpg.Record) -> SettingRow:
    """Return the row of ``statements.LOAD_SETTINGS``."""
    at: datetime | None = row["effective_at"]
    effective_us = None if at is None else (at - EPOCH) // timedelta(microseconds=1)
    return SettingRow(row["seq"], row["kind"], row["tenant_id"], effective_us, row["body"].encode())


def instant(us: int) -> datetime:
    """Return the instant *us* microseconds after the epoch.

    Raises:
        DataRefused: no column takes it: before the year 1 or after 9999.
    """
    try:
        return EPOCH + timedelta(microseconds=us)
    except OverflowError as error:
        raise DataRefused(f"{us} µs is no time of the years 1 to 9999") from error
